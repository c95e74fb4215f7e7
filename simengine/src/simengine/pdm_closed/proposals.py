"""The proposals: every path at every target speed, unrolled against the forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.pdm_closed.forecast import Forecast
from simengine.pdm_closed.guidance import Guidance
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.leads import Candidates, Obstacles, candidates_on, obstacles_of, occupancy
from simengine.pdm_closed.parameters import PdmClosedParameters
from simengine.pdm_closed.path import DrivePath, drive_path
from simengine.pdm_closed.unroll import Rules, Unrolled, rules_of, start_unrolling, unroll


@dataclass(frozen=True)
class PathProposals:
    """The proposals along one path, with what it takes to unroll them further.

    Attributes:
        path: the path.
        candidates: what may lead on it.
        made: the proposals, one for each target speed.
    """

    path: DrivePath
    candidates: Candidates
    made: Unrolled


@dataclass(frozen=True)
class Proposals:
    """All B proposals, path after path, unrolled as far as they are scored.

    Attributes:
        paths: proposals by path.
        targets: (K,) speeds on a free road [m/s], the same on every path.
        obstacles: of the forecast.
        rules: of the unrolling.
        steps: how far they are unrolled.
    """

    paths: tuple[PathProposals, ...]
    targets: np.ndarray
    obstacles: Obstacles
    rules: Rules
    steps: int

    def stacked(self, field: str) -> np.ndarray:
        """Return a field of `Unrolled` of all proposals (B, steps + 1, ...)."""
        return np.concatenate([getattr(path.made, field)[:, : self.steps + 1] for path in self.paths])

    def trajectory(self, index: int) -> np.ndarray:
        """Return the poses (S, 3) of one proposal, unrolled to the end of the trajectory."""
        along, row = divmod(index, len(self.targets))
        path = self.paths[along]
        alone, target = path.made.select(row), self.targets[row : row + 1]
        last = alone.idm.shape[1] - 1
        unroll(alone, target, path.path, self.obstacles, path.candidates, self.rules, self.steps + 1, last)
        return alone.poses[0]


def make_proposals(
    given: PdmClosedInput, guidance: Guidance, expected: Forecast, parameters: PdmClosedParameters
) -> Proposals:
    """Return the proposals at one instant."""
    limit = parameters.fallback_speed if np.isnan(guidance.speed_limit) else guidance.speed_limit
    targets = limit * np.array(parameters.speed_fractions)
    reach = float(targets.max()) * parameters.trajectory_steps * parameters.dt
    frames = parameters.trajectory_steps + 1
    trees = occupancy(expected, np.arange(0, frames, parameters.refresh_every) * parameters.dt)
    obstacles, rules = obstacles_of(expected), rules_of(parameters, given.vehicle)
    paths = []
    for offset in parameters.offsets:
        path = drive_path(guidance.centerline, offset)
        made = start_unrolling(path, given.ego, len(targets), frames)
        start = float(made.idm[0, 0, 0])
        corridor = path.corridor(start, start + reach, 0.5 * given.vehicle.width)
        candidates = candidates_on(path, corridor, trees, expected.ignored)
        unroll(made, targets, path, obstacles, candidates, rules, 1, parameters.proposal_steps)
        paths.append(PathProposals(path, candidates, made))
    return Proposals(tuple(paths), targets, obstacles, rules, parameters.proposal_steps)
