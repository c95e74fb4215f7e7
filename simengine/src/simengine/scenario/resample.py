"""Scenarios at another frame rate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import TrafficLights
from simengine.errors import ScenarioFormatError
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import rotate
from simengine.scenario.scenario import Scenario

_SNAP = 1e-6
# A logged velocity that disagrees with the displacement by more than this would make the curve swing.
_RELATIVE_TRUST, _ABSOLUTE_TRUST = 0.5, 0.1


@dataclass(frozen=True)
class _Grid:
    """New frames between old ones: frame k lies at `before[k] + part[k]` old frames."""

    before: np.ndarray
    after: np.ndarray
    part: np.ndarray
    step: float

    def linear(self, values: np.ndarray) -> np.ndarray:
        """Return values (..., T, D) between frames, linear."""
        first = values[..., self.before, :]
        return first + self.part[:, None] * (values[..., self.after, :] - first)

    def poses(self, pose: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Return poses (..., T, 3): cubic Hermite with world velocities (..., T, 2), yaw the short way."""
        first, last = pose[..., self.before, :], pose[..., self.after, :]
        change = last[..., :2] - first[..., :2]
        tangents = [velocity[..., frame, :] * self.step for frame in (self.before, self.after)]
        trust = _RELATIVE_TRUST * np.linalg.norm(change, axis=-1) + _ABSOLUTE_TRUST
        errors = [np.linalg.norm(tangent - change, axis=-1) for tangent in tangents]
        smooth = ((errors[0] <= trust) & (errors[1] <= trust))[..., None]
        start, end = (np.where(smooth, tangent - change, 0.0) for tangent in tangents)
        u = self.part[:, None]
        # Hermite as the straight line plus what the end slopes add to it: exact at both knots.
        bend = u * (1 - u) * ((1 - u) * start - u * end)
        turn = wrap(last[..., 2] - first[..., 2]) * self.part
        yaw = np.where(self.part == 0, first[..., 2], wrap(first[..., 2] + turn))
        return np.concatenate([first[..., :2] + u * change + bend, yaw[..., None]], axis=-1)


def resample(scenario: Scenario, dt: float) -> Scenario:
    """Return `scenario` with `dt` seconds between frames; the very same object if that is its rate.

    The frame of the first decision keeps its time, and frames that fall on old ones keep their values.
    Positions follow cubic Hermite curves through the logged velocities (straight lines where these
    contradict the positions), yaw turns the short way, velocities and accelerations are linear. An
    agent is valid between two frames only if it is valid in both. Lights hold their state until the
    next old frame.

    Raises:
        ScenarioFormatError: `dt` is not positive, or longer than the scenario.
    """
    if dt == scenario.dt:
        return scenario
    if not 0 < dt <= scenario.duration:
        raise ScenarioFormatError(
            f"scenario {scenario.token}: cannot resample to dt {dt}, expected seconds in (0, {scenario.duration}]"
        )
    grid, initial = _make_grid(scenario, dt)
    ego, agents = scenario.ego, scenario.agents
    times = scenario.timestamps_us.astype(np.int64)
    elapsed = (times[grid.after] - times[grid.before]) * grid.part
    velocity_world = rotate(ego.velocity, ego.pose[:, 2])
    valid = agents.valid[:, grid.before] & (agents.valid[:, grid.after] | (grid.part == 0))
    return replace(
        scenario,
        dt=dt,
        timestamps_us=times[grid.before] + np.round(elapsed).astype(np.int64),
        initial_frame=initial,
        ego=EgoTrack(
            grid.poses(ego.pose, velocity_world), grid.linear(ego.velocity), grid.linear(ego.acceleration)
        ),
        agents=_resample_agents(agents, grid, valid),
        lights=TrafficLights(
            scenario.lights.lane_ids, scenario.lights.state[:, grid.before], scenario.lights.stop_point
        ),
    )


def _make_grid(scenario: Scenario, dt: float) -> tuple[_Grid, int]:
    """Return the new frames and which of them is the first decision."""
    ratio = dt / scenario.dt
    earlier = int(np.floor(scenario.initial_frame / ratio + _SNAP))
    later = int(np.floor((scenario.num_frames - 1 - scenario.initial_frame) / ratio + _SNAP))
    at = scenario.initial_frame + np.arange(-earlier, later + 1) * ratio
    at = np.clip(np.where(np.abs(at - np.round(at)) < _SNAP, np.round(at), at), 0, scenario.num_frames - 1)
    before = np.floor(at).astype(np.int64)
    part = at - before
    after = np.where(part == 0, before, before + 1)
    return _Grid(before, after, part, scenario.dt), earlier


def _resample_agents(agents: AgentTracks, grid: _Grid, valid: np.ndarray) -> AgentTracks:
    mask = valid[..., None]
    return replace(
        agents,
        pose=np.where(mask, grid.poses(agents.pose, agents.velocity), 0.0),
        velocity=np.where(mask, grid.linear(agents.velocity), 0.0),
        valid=valid,
    )
