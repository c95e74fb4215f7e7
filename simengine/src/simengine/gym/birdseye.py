"""A picture of a moment from above."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from simengine.datatypes.agents import AgentType
from simengine.datatypes.state import SimState
from simengine.geometry import boxes
from simengine.geometry.se2 import points_to_local, shift_forward
from simengine.gym.stage import Stage

SIZE_PX = 400
METRES = 80.0
_BEHIND = 20.0
_GROUND, _ROAD, _LANE, _ROUTE = (222, 226, 216), (150, 154, 158), (208, 208, 208), (70, 120, 215)
_PATH, _EGO = (250, 200, 60), (215, 55, 45)
_COLOURS = {
    AgentType.VEHICLE: (45, 75, 125),
    AgentType.PEDESTRIAN: (170, 60, 150),
    AgentType.CYCLIST: (120, 80, 190),
}
_THING = (95, 85, 60)


class _Canvas:
    """Draws what is given in the world frame, the ego near the lower edge and driving up."""

    def __init__(self, ego: np.ndarray) -> None:
        self._ego = ego[:3]
        self._image = Image.new("RGB", (SIZE_PX, SIZE_PX), _GROUND)
        self._draw = ImageDraw.Draw(self._image)

    def area(self, ring: np.ndarray, colour: tuple[int, int, int]) -> None:
        if len(ring) >= 3:
            self._draw.polygon(self._pixels(ring), fill=colour)

    def line(self, points: np.ndarray, colour: tuple[int, int, int], width: int = 1) -> None:
        if len(points) >= 2:
            self._draw.line(self._pixels(points), fill=colour, width=width)

    def array(self) -> np.ndarray:
        return np.asarray(self._image).copy()

    def _pixels(self, points: np.ndarray) -> list[tuple[float, float]]:
        local = points_to_local(self._ego, np.asarray(points, np.float64)[:, :2])
        scale = SIZE_PX / METRES
        columns = SIZE_PX / 2 - local[:, 1] * scale
        rows = SIZE_PX - (local[:, 0] + _BEHIND) * scale
        return [(float(x), float(y)) for x, y in zip(columns, rows, strict=True)]


def draw_birdseye(state: SimState, stage: Stage) -> np.ndarray:
    """Return an image (400, 400, 3) uint8 RGB of 80 m x 80 m: road, lanes, route, driven path, agents and ego."""
    scenario = stage.scenario
    canvas = _Canvas(state.ego)
    vector_map = scenario.map
    for ring in (
        *(block.polygon for block in vector_map.roadblocks.values()),
        *(area.polygon for area in vector_map.areas if area.kind in ("drivable", "intersection", "carpark")),
        *(lane.polygon for lane in vector_map.lanes.values()),
    ):
        canvas.area(ring, _ROAD)
    for lane in vector_map.lanes.values():
        canvas.line(lane.centerline, _LANE)
    canvas.line(np.asarray(stage.reference.centerline), _ROUTE, 2)
    canvas.line(state.ego_trail[scenario.initial_frame :], _PATH, 3)
    agents = state.agents
    for i in np.flatnonzero(agents.present):
        length, width = scenario.agents.size[i, :2]
        colour = _COLOURS.get(AgentType(scenario.agents.types[i]), _THING)
        canvas.area(boxes.corners(agents.pose[i], length, width), colour)
    vehicle = scenario.vehicle
    center = shift_forward(state.ego[:3], vehicle.rear_axle_to_center)
    canvas.area(boxes.corners(center, vehicle.length, vehicle.width), _EGO)
    return canvas.array()
