"""Which road users overlap in the log itself."""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.geometry import boxes, se2
from simengine.scenario.scenario import Scenario

OVERLAP_STRIDE_S = 0.5


def overlaps_in_log(scenario: Scenario, every: float = OVERLAP_STRIDE_S) -> np.ndarray:
    """Return which pairs (A, A + 1) overlap in the log, looked at `every` seconds; the last column is the ego.

    Boxes in real logs are not exact. A driver who brakes for a box that its own log drives through would
    stand there for ever.
    """
    log, vehicle = scenario.agents, scenario.vehicle
    frames = np.arange(0, log.num_frames, max(round(every / scenario.dt), 1))
    ego = se2.shift_forward(scenario.ego.pose[frames], vehicle.rear_axle_to_center)
    pose = np.concatenate([log.pose[:, frames], ego[None]]).astype(np.float64)
    valid = np.concatenate([log.valid[:, frames], np.ones((1, len(frames)), bool)])
    size = np.concatenate([log.size[:, :2], [[vehicle.length, vehicle.width]]])
    a, b, frame = near_pairs(pose, valid, np.hypot(size[:, 0], size[:, 1])).T
    first, second = (boxes.corners(pose[k, frame], size[k, 0], size[k, 1]) for k in (a, b))
    hit = boxes.overlap(first, second)
    pairs = np.zeros((log.num_agents, log.num_agents + 1), bool)
    pairs[a[hit], b[hit]] = True
    return pairs


@njit(cache=True, nogil=True, error_model="numpy")
def near_pairs(pose, valid, diagonal):  # type: ignore[no-untyped-def]
    """Return all (M, 3) of agent, other and frame where circles around both boxes overlap; the last is no agent.

    Args:
        pose: (A + 1, T, 3).
        valid: (A + 1, T) bool, who is there.
        diagonal: (A + 1,) of the boxes [m].
    """
    found, used = np.empty((256, 3), np.int64), 0
    count = len(pose)
    for frame in range(pose.shape[1]):
        for a in range(count - 1):
            if not valid[a, frame]:
                continue
            for b in range(count):
                reach = 0.5 * (diagonal[a] + diagonal[b])
                dx, dy = pose[a, frame, 0] - pose[b, frame, 0], pose[a, frame, 1] - pose[b, frame, 1]
                if a == b or not valid[b, frame] or abs(dx) >= reach or not np.hypot(dx, dy) < reach:
                    continue
                if used == len(found):
                    more = np.empty((2 * used, 3), np.int64)
                    more[:used] = found
                    found = more
                found[used, 0], found[used, 1], found[used, 2] = a, b, frame
                used += 1
    return found[:used]
