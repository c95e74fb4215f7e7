"""Which query stands for which object: those that follow one keep it, the rest are matched at least cost.

L layers, B batch, K queries, M objects.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

NOBODY = -1


def assign(cost: Tensor, owner: Tensor, free: Tensor, present: Tensor) -> Tensor:
    """Return the object (L, B, K) of each query in each layer, `NOBODY` for none.

    A query that follows an object keeps it while it is there. Objects that nobody follows are given to free queries so
    that the sum of costs is least (Kuhn 1955). Costs go to the host once.

    Args:
        cost: (L, B, K, M), see `match_cost`.
        owner: (B, K) int64 object that a query follows, `NOBODY` for none.
        free: (B, K) bool, queries that may get an object.
        present: (B, M) bool, objects that are there.
    """
    followed = (owner[:, :, None] == torch.arange(present.shape[1], device=owner.device)).any(1)
    still = (owner != NOBODY) & present.gather(1, owner.clamp(min=0))
    kept = torch.where(still, owner, NOBODY)
    allowed = free[:, :, None] & (present & ~followed)[:, None]
    blocked = cost.detach().float().masked_fill(~allowed, torch.inf)
    found = least_cost(blocked.cpu().numpy())
    found = torch.from_numpy(found).to(cost.device)
    return torch.where(found != NOBODY, found, kept)


def least_cost(cost: np.ndarray) -> np.ndarray:
    """Return the column (L, B, K) of each row, `NOBODY` for none, with the least sum of `cost` (L, B, K, M).

    Rows and columns whose costs are all infinite take no part.
    """
    found = np.full(cost.shape[:3], NOBODY, np.int64)
    for place in np.ndindex(*cost.shape[:2]):
        open_ = np.isfinite(cost[place])
        rows, columns = np.flatnonzero(open_.any(1)), np.flatnonzero(open_.any(0))
        if len(rows) and len(columns):
            r, c = linear_sum_assignment(cost[place][np.ix_(rows, columns)])
            found[place][rows[r]] = columns[c]
    return found
