"""Traffic lights: a dark head on a mast for every controlled lane, and its lamp in each state.

Heads are about twice the real size, so that small images still show their state from a distance.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.lights import LightState
from simengine.datatypes.map import Lane
from simengine.geometry.angles import wrap
from simengine.geometry.polyline import headings, sample
from simengine.geometry.se2 import shift_forward
from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.lift_buildings import place
from simengine.render.lift_road import stop_yaw
from simengine.render.scene import SplatNode, light_node
from simengine.render.shapes import Blobs, blob, join, shell
from simengine.scenario.scenario import Scenario

_AHEAD = 11.0
_HEIGHT = 4.3
_SIDE_STEP = 1.1
_HOUSING = (0.05, 0.05, 0.05)
_POLE = (0.30, 0.31, 0.32)
_UNLIT = (0.13, 0.13, 0.12)

_LAMPS = {
    LightState.RED: (1.6, (1.0, 0.06, 0.05)),
    LightState.YELLOW: (0.95, (1.0, 0.78, 0.08)),
    LightState.GREEN: (0.3, (0.08, 0.95, 0.35)),
}
"""State -> height of its lamp in the head [m] and its colour."""


def light_gaussians(scenario: Scenario) -> tuple[FlatGaussians, list[SplatNode]]:
    """Return the heads of all controlled lanes, and one node per lane and lit state, in the world frame."""
    heads, nodes = [], []
    for row, lane_id in enumerate(scenario.lights.lane_ids):
        pose = head_pose(scenario.map.lanes.get(lane_id), scenario.lights.stop_point[row])
        if pose is None:
            continue
        heads.append(place(_head(), pose))
        for state in np.unique(scenario.lights.state[row]):
            if state in _LAMPS:
                z, color = _LAMPS[LightState(state)]
                nodes.append(SplatNode(light_node(lane_id, int(state)), place(_lamp(z, color), pose)))
    return concatenate(heads), nodes


def head_pose(lane: Lane | None, stop_point: np.ndarray) -> np.ndarray | None:
    """Return where the head of a controlled lane hangs (3,), facing back at waiting traffic, or None.

    Heads hang beyond the stop line, where a driver who waits there still sees them; those of lanes that turn
    are moved to the side of the turn, so that the heads of one approach do not hide each other.
    """
    known = lane is not None and len(lane.centerline) >= 2
    if not known:
        return None
    assert lane is not None
    line = lane.centerline[:, :2]
    stop = (
        np.append(stop_point, stop_yaw(lane, stop_point))
        if np.isfinite(stop_point).all()
        else sample(line, 0.0)
    )
    yaw = headings(line)
    turn = float(wrap(yaw[-1] - stop[2]))
    side = np.sign(turn) * _SIDE_STEP if abs(turn) > 0.5 else 0.0
    ahead = shift_forward(stop, _AHEAD)
    return np.array([ahead[0] - side * np.sin(stop[2]), ahead[1] + side * np.cos(stop[2]), stop[2] + np.pi])


def _head() -> Blobs:
    """Return housing, unlit lamps and mast; the lamps look along +x [m]."""
    housing = shell((-0.12, -0.36, _HEIGHT - 0.15), (0.1, 0.36, _HEIGHT + 2.05), 0.3, _HOUSING)
    unlit = [blob((0.14, 0.0, _HEIGHT + z), (0.01, 0.12, 0.12), _UNLIT) for z, _ in _LAMPS.values()]
    mast = [
        blob((-0.2, 0.0, z), (0.05, 0.05, 0.28), _POLE) for z in np.arange(_HEIGHT + 2.2, _HEIGHT + 3.4, 0.4)
    ]
    return join([housing, *unlit, *mast])


def _lamp(z: float, color: tuple[float, float, float]) -> Blobs:
    """Return a lit lamp [m] with a little glow."""
    at = _HEIGHT + z
    return join(
        [blob((0.2, 0.0, at), (0.03, 0.25, 0.25), color), blob((0.26, 0.0, at), (0.02, 0.16, 0.16), color)]
    )
