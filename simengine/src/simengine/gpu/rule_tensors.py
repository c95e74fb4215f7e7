"""What the rules of a mode are as tensors; they depend on nothing of a scene but the time step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from simengine.metrics.pdm.comfort import BOUNDS, filters
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.ttc import look_ahead_frames


@dataclass(frozen=True)
class RuleTensors:
    """Rules for sequences of S states.

    Attributes:
        ahead: (L,) frames that a state is projected ahead, the first is 0.
        times: (L,) the same in seconds.
        filters: (5, S, S) see `metrics.pdm.comfort.filters`.
        bounds: (6, 2) of the comfort series, in their order.
    """

    ahead: torch.Tensor
    times: torch.Tensor
    filters: torch.Tensor
    bounds: torch.Tensor


@lru_cache(maxsize=16)
def rule_tensors(num_states: int, dt: float, parameters: PdmParameters, device: torch.device) -> RuleTensors:
    """Return the rules of a mode on `device`, for sequences of states `dt` [s] apart."""
    ahead = look_ahead_frames(dt, parameters)
    arrays = (ahead, ahead * dt, filters(num_states, dt, parameters.comfort))
    bounds = torch.tensor(list(BOUNDS.values()), dtype=torch.float64, device=device)
    return RuleTensors(*(torch.from_numpy(array).to(device) for array in arrays), bounds)
