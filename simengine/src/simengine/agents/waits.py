"""Where drivers waited in the log for something that the log does not show, such as a light of unknown state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simengine.agents.paths import Path
from simengine.agents.signals import STOP_BEFORE_LINE, Signals, must_stop
from simengine.datatypes.lights import TrafficLights
from simengine.geometry import se2
from simengine.geometry.angles import wrap
from simengine.scenario.scenario import Scenario

SHORTEST_WAIT = 2.0
# From standstill this is about what the half metre takes after which a log counts as moving again.
STARTING_TIME = 0.8
QUEUE_GAP = 10.0


@dataclass(frozen=True)
class Waits:
    """W places where somebody waits until a moment.

    Attributes:
        row: (W,) index of the path.
        s: (W,) arc length that its front bumper does not pass before [m].
        until: (W,) time from which on it may [s].
    """

    row: np.ndarray
    s: np.ndarray
    until: np.ndarray


NO_WAITS = Waits(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
"""Nobody waits."""


def closed_places(
    signals: Signals, waits: Waits, lights: TrafficLights, frame: int, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the paths (L,) and arc lengths (L,) [m] of all places that must not be passed at a frame."""
    closed = must_stop(lights.state[signals.light, min(frame, lights.state.shape[1] - 1)])
    waiting = frame * dt < waits.until
    return (
        np.concatenate([signals.row[closed], waits.row[waiting]]),
        np.concatenate([signals.s[closed], waits.s[waiting]]),
    )


def find_waits(scenario: Scenario, paths: Sequence[Path], owner: Sequence[int]) -> Waits:
    """Return where the drivers of `paths` (agents `owner`) waited with nobody before them.

    Who waited in a queue waits in the simulation because of the queue, and longer or shorter than in the log.
    """
    found = []
    for row, (path, agent) in enumerate(zip(paths, owner, strict=True)):
        for s, begin, end in _standing(path, scenario, agent):
            frame = min(round(0.5 * (begin + end) / scenario.dt), scenario.num_frames - 1)
            if not _queues(scenario, agent, np.setdiff1d(owner, [agent]), frame):
                reach = 0.5 * scenario.agents.size[agent, 0] + STOP_BEFORE_LINE
                found.append((row, s + reach, end - STARTING_TIME))
    table = np.array(found, np.float64).reshape(-1, 3)
    return Waits(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])


def _standing(path: Path, scenario: Scenario, agent: int) -> list[tuple[float, float, float]]:
    """Arc length, begin and end of each wait of a log; the last may go on to the end of the track."""
    s, time = path.log.T
    last = float(np.flatnonzero(scenario.agents.valid[agent])[-1] * scenario.dt)
    begin, end = time, np.append(time[1:], last)
    return [
        (float(s[k]), float(begin[k]), float(end[k])) for k in np.flatnonzero(end - begin >= SHORTEST_WAIT)
    ]


def _queues(scenario: Scenario, agent: int, drivers: np.ndarray, frame: int) -> bool:
    """Whether another driver or the ego is close ahead in the log; parked vehicles make no queue."""
    log, vehicle = scenario.agents, scenario.vehicle
    others = drivers[log.valid[drivers, frame]]
    centre = se2.shift_forward(scenario.ego.pose[frame], vehicle.rear_axle_to_center)
    pose = np.concatenate([log.pose[others, frame], centre[None]])
    size = np.concatenate([log.size[others, :2], [[vehicle.length, vehicle.width]]])
    local = se2.to_local(log.pose[agent, frame], pose)
    ahead = local[:, 0] - 0.5 * (log.size[agent, 0] + size[:, 0])
    aside = np.abs(local[:, 1]) - 0.5 * (log.size[agent, 1] + size[:, 1])
    same_way = np.abs(wrap(local[:, 2])) < np.pi / 3
    return bool((same_way & (local[:, 0] > 0.0) & (ahead < QUEUE_GAP) & (aside < 0.0)).any())
