"""The route of the published closed-loop score: the roads near the ego and its own plans, wherever they lead.

A plan into the wrong lane puts that lane on the route. It decides about driving direction only, which has weight 0.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.map import VectorMap
from simengine.datatypes.record import RolloutRecord
from simengine.geometry.se2 import shift_forward, to_parent
from simengine.map.route import route_lanes
from simengine.scenario.scenario import Scenario

STEP = 0.5
PLANNED = 9
"""Points of a plan that count, half a second apart, the present first."""


def published_route(record: RolloutRecord, scenario: Scenario) -> frozenset[str]:
    """Return the ids of all lanes in the roadblocks of the lanes nearest to the ego and its plans.

    Args:
        record: the episode.
        scenario: the scenario it was driven in, at the rate of the record.
    """
    lever = scenario.vehicle.rear_axle_to_center
    before = scenario.initial_frame + round(STEP / scenario.dt) * np.arange(-1, PLANNED - 1)
    logged = scenario.ego.pose[before[(before >= 0) & (before < scenario.num_frames)]]
    planned = [to_parent(ego[:3], plan) for ego, plan in zip(*_plans(record), strict=True)]
    poses = np.concatenate([record.ego_states[:, :3], logged, *planned])
    nearest = nearest_lanes(scenario.map, shift_forward(poses, lever)[:, :2])
    lanes = scenario.map.lanes
    return frozenset(route_lanes(scenario.map, tuple(lanes[name].roadblock_id or name for name in nearest)))


def nearest_lanes(vector_map: VectorMap, points: np.ndarray) -> tuple[str, ...]:
    """Return the lanes nearest to any of `points` (P, 2), in map order; none without lanes.

    The distance to a lane is the offset from the line of its nearest segment, plus how far a point lies before the
    start or beyond the end of the lane.
    """
    lines = {name: lane.centerline for name, lane in vector_map.lanes.items() if len(lane.centerline) > 1}
    if not lines:
        return ()
    distance = np.stack([_distance(line, points) for line in lines.values()])
    return tuple(np.array([*lines])[np.unique(distance.argmin(axis=0))])


def _plans(record: RolloutRecord) -> tuple[np.ndarray, np.ndarray]:
    """Return the states (D, 11) at decisions and the plans made there (D, K, 3), half a second apart."""
    last = record.plan_dt * record.plans.shape[1]
    at = np.arange(1, PLANNED) * STEP
    rows = np.round(at[at <= last + 1e-6] / record.plan_dt).astype(np.int64) - 1
    return record.ego_states[record.decision_frames], record.plans[:, np.maximum(rows, 0)]


def _distance(line: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the distance (P,) of points to a lane with centre line (N, 2)."""
    start, step = line[:-1], np.diff(line, axis=0)
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)
    direction = step / length[:, None]
    away = points[:, None] - start
    along = (away * direction).sum(axis=-1)
    across = np.abs(away[..., 0] * direction[:, 1] - away[..., 1] * direction[:, 0])
    beside = along - np.clip(along, 0.0, length)
    nearest = np.hypot(beside, across).argmin(axis=1)
    row = np.arange(len(points))
    overshoot = np.where(nearest == 0, np.maximum(-along[row, nearest], 0.0), 0.0)
    overshoot += np.where(
        nearest == len(length) - 1, np.maximum(along[row, nearest] - length[nearest], 0.0), 0.0
    )
    return across[row, nearest] + overshoot
