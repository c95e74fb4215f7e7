"""A drive from above, the ego in the middle and driving up."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from simengine.datatypes.lights import LightState
from simengine.datatypes.map import AreaKind
from simengine.geometry import boxes
from simengine.geometry.se2 import points_to_local
from simengine.view.colours import EGO, LOGGED, PLAN, Colour, agent_colour
from simengine.view.drive import Drive

METRES = 80.0
_BEHIND = 0.35
_SMALLEST = 1.0
# Drawn larger and scaled down, since Pillow's lines have hard edges.
_OVERSAMPLING = 2
_OUTLINE: Colour = (30, 30, 30)
_GROUND: Colour = (226, 229, 221)
_ROAD: Colour = (176, 180, 186)
_WALKWAY: Colour = (208, 206, 198)
_CROSSWALK: Colour = (236, 236, 228)
_LANE: Colour = (214, 216, 220)
_LIGHTS: dict[int, Colour] = {
    LightState.GREEN: (40, 170, 80),
    LightState.YELLOW: (235, 180, 30),
    LightState.RED: (215, 45, 40),
}
_SURFACES = (AreaKind.DRIVABLE, AreaKind.GENERIC_DRIVABLE, AreaKind.INTERSECTION, AreaKind.CARPARK)


class _Canvas:
    """Takes shapes in the world frame."""

    def __init__(self, ego: np.ndarray, size_px: int, metres: float) -> None:
        self._ego, self._side = ego, size_px * _OVERSAMPLING
        self._scale = self._side / metres
        self._image = Image.new("RGB", (self._side, self._side), _GROUND)
        self._draw = ImageDraw.Draw(self._image)

    def area(self, ring: np.ndarray, colour: Colour, outline: Colour | None = None) -> None:
        if len(ring) >= 3:
            self._draw.polygon(self._pixels(ring), fill=colour, outline=outline, width=_OVERSAMPLING)

    def line(self, points: np.ndarray, colour: Colour, metres: float) -> None:
        if len(points) >= 2:
            width = max(round(metres * self._scale), _OVERSAMPLING)
            self._draw.line(self._pixels(points), fill=colour, width=width, joint="curve")

    def dot(self, point: np.ndarray, colour: Colour, metres: float) -> None:
        self._draw.circle(self._pixels(point[None])[0], metres * self._scale, fill=colour)

    def array(self) -> np.ndarray:
        side = self._side // _OVERSAMPLING
        return np.asarray(self._image.resize((side, side), Image.Resampling.BOX)).copy()

    def _pixels(self, points: np.ndarray) -> list[tuple[float, float]]:
        local = points_to_local(self._ego, np.asarray(points, np.float64)[:, :2])
        columns = self._side / 2 - local[:, 1] * self._scale
        rows = self._side * (1.0 - _BEHIND) - local[:, 0] * self._scale
        return list(zip(columns.tolist(), rows.tolist(), strict=True))


def draw_birdseye(drive: Drive, frame: int, size_px: int, metres: float = METRES) -> np.ndarray:
    """Return an image (size_px, size_px, 3) uint8 RGB of the square of `metres` around the ego."""
    canvas = _Canvas(drive.ego[frame], size_px, metres)
    _draw_map(canvas, drive)
    _draw_lights(canvas, drive, frame)
    logged = drive.scenario.ego.pose[drive.first_frame : drive.first_frame + drive.num_frames]
    canvas.line(logged, LOGGED, 0.25)
    canvas.line(drive.ego[: frame + 1], EGO, 0.4)
    plan = drive.plan_at(frame)
    if plan is not None:
        canvas.line(plan, PLAN, 0.6)
    agents = drive.agents_at(frame)
    # People would be a pixel or two.
    size = np.maximum(agents.size[:, :2], _SMALLEST)
    for ring, kind, length in zip(
        boxes.corners(agents.pose, size[:, 0], size[:, 1]), agents.types, size[:, 0], strict=True
    ):
        canvas.area(ring, agent_colour(int(kind)), _OUTLINE if length > _SMALLEST else None)
    vehicle = drive.scenario.vehicle
    canvas.area(boxes.corners(drive.ego_center(frame), vehicle.length, vehicle.width), EGO, _OUTLINE)
    return canvas.array()


def _draw_map(canvas: _Canvas, drive: Drive) -> None:
    vector_map = drive.scenario.map
    for area in vector_map.areas_of(AreaKind.WALKWAY):
        canvas.area(area.polygon, _WALKWAY)
    for ring in (
        *(block.polygon for block in vector_map.roadblocks.values()),
        *(area.polygon for area in vector_map.areas_of(*_SURFACES)),
        *(lane.polygon for lane in vector_map.lanes.values()),
    ):
        canvas.area(ring, _ROAD)
    for area in vector_map.areas_of(AreaKind.CROSSWALK):
        canvas.area(area.polygon, _CROSSWALK)
    for lane in vector_map.lanes.values():
        canvas.line(lane.centerline, _LANE, 0.1)


def _draw_lights(canvas: _Canvas, drive: Drive, frame: int) -> None:
    lights = drive.scenario.lights
    at = min(drive.first_frame + frame, lights.state.shape[1] - 1)
    for point, states in zip(lights.stop_point, lights.state, strict=True):
        if np.isfinite(point).all() and int(states[at]) in _LIGHTS:
            canvas.dot(point, _LIGHTS[int(states[at])], 0.8)
