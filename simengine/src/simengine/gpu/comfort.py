"""Comfort (C) of many sequences at once; the twin of `metrics.pdm.comfort`, which owns filters and bounds."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch

from simengine.datatypes.ego import StateIndex
from simengine.gpu.rule_tensors import RuleTensors
from simengine.metrics.pdm.parameters import PdmParameters


@dataclass(frozen=True)
class Comfort:
    """Comfort of P sequences of S states, see `metrics.pdm.comfort.Comfort`.

    Attributes:
        series: (P, 6, S) smoothed series in the order of `BOUNDS`.
        within: (P, 6) whether each stays strictly inside its bounds.
        score: (P,) 1 if all do, else 0.
        first_frame: (P,) first frame out of bounds, infinity without one.
        first_check: (P,) row of `BOUNDS` that is broken first, -1 without one.
    """

    series: torch.Tensor
    within: torch.Tensor
    score: torch.Tensor
    first_frame: torch.Tensor
    first_check: torch.Tensor


def comfort(columns: torch.Tensor, rules: RuleTensors, parameters: PdmParameters) -> Comfort:
    """Return the comfort of states by column (11, P, S)."""
    to_acceleration, to_smooth, to_jerk = rules.filters[:3]
    ax, ay = columns[StateIndex.ACCELERATION_X], columns[StateIndex.ACCELERATION_Y]
    centripetal = parameters.comfort.centripetal
    if centripetal:
        ay = columns[StateIndex.VELOCITY_X] * columns[StateIndex.ANGULAR_VELOCITY]
    accelerations = torch.stack([ax, ay])
    jerky = accelerations if centripetal else torch.stack([ax, torch.hypot(ax, ay)])
    jerk = _smooth(_smooth(jerky, to_smooth), to_jerk)
    series = torch.cat(
        [
            _smooth(accelerations, to_acceleration),
            (torch.hypot(*jerk) if centripetal else jerk[1])[None],
            jerk[:1],
            _smooth(_unwrap(columns[StateIndex.HEADING]), rules.filters[3:]),
        ]
    )
    return _judge(series, rules.bounds)


def _smooth(series: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    smooth = series @ matrix
    # A division by a Python number would be a product on a GPU, off by a bit right at a bound.
    return torch.round(smooth * 1e8) / smooth.new_full((), 1e8)


def _unwrap(heading: torch.Tensor) -> torch.Tensor:
    turn = heading.new_full((), 2.0 * pi)
    turns = torch.zeros_like(heading)
    turns[:, 1:] = torch.round(heading.diff(dim=1) / turn).cumsum(dim=1)
    return heading - 2.0 * pi * turns


def _judge(series: torch.Tensor, bounds: torch.Tensor) -> Comfort:
    """Return which of the smoothed series (6, P, S) stay strictly inside their bounds (6, 2)."""
    checks, _, length = series.shape
    inside = (series > bounds[:, 0, None, None]) & (series < bounds[:, 1, None, None])
    # One number per frame and check, frames first: the smallest of those out of bounds is the first.
    never = length * checks
    order = torch.arange(never, device=series.device).view(length, checks).T
    first = order[:, None].masked_fill(inside, never).amin(dim=(0, 2))
    broken = first < never
    within = inside.all(dim=2).T
    return Comfort(
        series.transpose(0, 1),
        within,
        within.all(dim=1).double(),
        torch.where(broken, (first // checks).double(), torch.inf),
        torch.where(broken, first % checks, -1),
    )
