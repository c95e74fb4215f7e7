"""Driving direction compliance (DDC) of many sequences at once; the twin of `metrics.pdm.direction`."""

from __future__ import annotations

import torch

from simengine.gpu.ego_geometry import EgoGeometry
from simengine.metrics.pdm.parameters import PdmParameters


def driving_direction_compliance(
    ego: EgoGeometry, oncoming: torch.Tensor, dt: float, parameters: PdmParameters
) -> torch.Tensor:
    """Return DDC (P,) of P sequences of S states with flags `oncoming` (P, S), `dt` [s] apart."""
    most = wrong_way_metres(ego, oncoming, dt, parameters)
    compliant, violation = parameters.direction_compliant, parameters.direction_violation
    return torch.where(most < compliant, 1.0, torch.where(most < violation, 0.5, 0.0)).double()


def wrong_way_metres(
    ego: EgoGeometry, oncoming: torch.Tensor, dt: float, parameters: PdmParameters
) -> torch.Tensor:
    """Return the most metres (P,) driven the wrong way within a window or stretch, by the rule of the mode."""
    dx, dy = ego.center.diff(dim=2)
    steps = torch.zeros_like(ego.speed)
    steps[:, 1:] = torch.sqrt(dx * dx + dy * dy) * oncoming[:, 1:]
    if parameters.direction_rule == "stretch":
        return _longest_stretch(steps, oncoming)
    # Summed from the oldest step on, as one sequence at a time would be: sums near a threshold stay equal.
    total = torch.zeros_like(steps)
    for back in reversed(range(min(round(parameters.direction_window / dt) + 1, ego.num_states))):
        total[:, back:].add_(steps[:, : ego.num_states - back])
    return total.amax(dim=1)


def _longest_stretch(steps: torch.Tensor, oncoming: torch.Tensor) -> torch.Tensor:
    steps, counts = steps.T.contiguous(), oncoming.T.to(steps.dtype)
    runs = torch.zeros_like(steps)
    for s in range(1, len(steps)):
        torch.add(runs[s - 1], steps[s], out=runs[s]).mul_(counts[s])
    return runs.amax(dim=0)
