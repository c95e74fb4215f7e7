"""Whether a generated log is one a careful driver would leave: nobody touches anybody, the ego stays on the road."""

from __future__ import annotations

import numpy as np
import shapely

from simengine.agents.road_areas import drivable_areas
from simengine.agents.roster import overlaps_in_log
from simengine.geometry import boxes, polyline, se2
from simengine.geometry.angles import wrap
from simengine.scenario.scenario import Scenario

MAX_TURNED = 0.5


def careful(scenario: Scenario, line: np.ndarray) -> bool:
    """Whether the log is that of a careful driver along `line` (N, 2)."""
    return stays_on_road(scenario) and drives_calmly(scenario, line) and collision_free(scenario)


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
