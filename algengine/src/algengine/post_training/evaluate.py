"""What frozen and trained policy earn on the decisions of a training set, by kind of decision."""

from __future__ import annotations

import torch
from torch import Tensor

from algengine.planners.vadv2 import VADv2
from algengine.post_training.batches import DecisionBatches
from algengine.post_training.policy import log_policy
from algengine.structures.fail_mask import NORMAL, REAL_FAILURE, SYNTHETIC

KINDS = {"normal": NORMAL, "real_failure": REAL_FAILURE, "synthetic": SYNTHETIC}


@torch.no_grad()
def evaluate(student: VADv2, batches: DecisionBatches, device: torch.device | str = "cpu") -> dict[str, dict]:
    """Return for `policy` and `reference` the mean score of the likeliest plan and of the policy, all and by kind.

    Decisions of unknown score do not count. Both rank as the student does, a reference without sub-scores as it can.
    """
    student.eval()
    table: dict[str, list[Tensor]] = {"policy": [], "reference": []}
    kinds, size = [], max(batches.size, 1)
    for start in range(0, len(batches.decisions), size):
        batch = batches.load(range(start, min(start + size, len(batches.decisions)))).to(device)
        score, known = batch.outcomes.rewards["score"], batch.outcomes.known()
        outputs = {"policy": student.head(batch.bev, batch.status), "reference": batch.outcomes.reference}
        for name, one in outputs.items():
            log_pi = log_policy(one, student.head.ranking)
            chosen = score.gather(1, log_pi.argmax(-1, keepdim=True))[:, 0]
            table[name].append(torch.stack([chosen, (log_pi.exp() * score).sum(-1)], dim=1)[known].cpu())
        kinds.append(batch.outcomes.fail_mask[known].cpu())
    kind = torch.cat(kinds)
    return {name: _summary(torch.cat(rows), kind) for name, rows in table.items()}


def _summary(rows: Tensor, kind: Tensor) -> dict:
    parts = {"all": torch.ones_like(kind, dtype=torch.bool)} | {n: kind == v for n, v in KINDS.items()}
    return {
        name: {
            "n": int(mask.sum()),
            "chosen": float(rows[mask, 0].mean()),
            "expected": float(rows[mask, 1].mean()),
        }
        for name, mask in parts.items()
        if mask.any()
    }
