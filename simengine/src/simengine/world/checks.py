"""Whether a generated log is one a careful driver would leave: nobody touches anybody, the ego stays on the road."""

from __future__ import annotations

import numpy as np
import shapely

from simengine.agents.expert import drivable_areas
from simengine.agents.roster import overlaps_in_log
from simengine.geometry import boxes, polyline, se2
from simengine.geometry.angles import wrap
from simengine.scenario.scenario import Scenario

SCORED_FRAMES = 40
NAIVE_MIN_SPEED = 2.0
MAX_TURNED = 0.5


def collision_free(scenario: Scenario) -> bool:
    """Whether no two agents, and no agent and the ego, overlap at any frame."""
    return not overlaps_in_log(scenario, scenario.dt).any()


def stays_on_road(scenario: Scenario) -> bool:
    """Whether all corners of the ego lie inside the drivable area at every frame."""
    drivable, _ = drivable_areas(scenario.map, scenario.route)
    vehicle = scenario.vehicle
    centre = se2.shift_forward(scenario.ego.pose, vehicle.rear_axle_to_center)
    corners = boxes.corners(centre, vehicle.length, vehicle.width).reshape(-1, 2)
    return bool(shapely.contains_xy(drivable, corners[:, 0], corners[:, 1]).all())


def drives_calmly(scenario: Scenario, line: np.ndarray) -> bool:
    """Whether the ego never turns far away from the direction of `line` (N, 2), even while evading."""
    pose = scenario.ego.pose
    along, _ = polyline.project(line, pose[:, :2])
    turned = wrap(pose[:, 2] - polyline.sample(line, along)[:, 2])
    return bool(np.abs(turned).max() < MAX_TURNED)


def naive_hit_frame(scenario: Scenario, line: np.ndarray) -> int | None:
    """Return how many frames after the first decision a driver who keeps speed along `line` hits someone.

    None if that does not happen within the scored horizon.

    Args:
        scenario: the finished log.
        line: (N, 2) centre line of the route.
    """
    start, vehicle = scenario.initial_frame, scenario.vehicle
    speed = float(scenario.ego.velocity[start, 0])
    if speed < NAIVE_MIN_SPEED:
        return None
    along, _ = polyline.project(line, scenario.ego.pose[start, :2])
    frames = np.arange(start, start + SCORED_FRAMES + 1)
    rear = polyline.sample(line, along + speed * scenario.dt * (frames - start))
    own = boxes.corners(se2.shift_forward(rear, vehicle.rear_axle_to_center), vehicle.length, vehicle.width)
    agents = scenario.agents
    size = agents.size[:, None]
    other = boxes.corners(agents.pose[:, frames], size[..., 0], size[..., 1])
    hit = boxes.overlap(own[None], other) & agents.valid[:, frames]
    # Being run into from behind says nothing about the driver in front.
    ahead = ((agents.pose[:, frames, :2] - rear[None, :, :2]) * _direction(rear)[None]).sum(-1) > 0.0
    found = (hit & ahead).any(axis=0)
    return int(np.argmax(found)) if found.any() else None


def _direction(poses: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(poses[..., 2]), np.sin(poses[..., 2])], axis=-1)
