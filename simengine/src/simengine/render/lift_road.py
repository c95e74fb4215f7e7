"""Paints the road of a scenario onto a canvas: surfaces, kerbs, lane lines, crosswalks and stop lines."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from simengine.datatypes.agents import AgentType
from simengine.datatypes.map import AreaKind, Lane, LineKind, VectorMap
from simengine.geometry.polyline import headings
from simengine.render.lift_canvas import OFF_ROAD, ROAD, WALKWAY, Canvas
from simengine.scenario.scenario import Scenario

GRASS = (0.33, 0.40, 0.22)
PAVEMENT = (0.60, 0.58, 0.55)
ASPHALT = (0.27, 0.275, 0.285)
CARPARK = (0.33, 0.33, 0.335)
SHOULDER = (0.39, 0.385, 0.375)
KERB = (0.74, 0.73, 0.70)
WHITE = (0.95, 0.95, 0.93)
YELLOW = (0.93, 0.74, 0.18)

LANE_WIDTH = 3.5
_LINE_WIDTH = 0.2
_STOP_LINE_WIDTH = 0.5
_PAVEMENT_WIDTH = 3.0
_MAX_SHOULDER = 3.5
_SIGHT_STEPS = 12
_KERB_WIDTH = 0.3
_TRACE_RADIUS = 2.6
_STRIPE = 0.6
_THICK_STOP_AREA = 1.5


def paint_road(canvas: Canvas, scenario: Scenario) -> None:
    """Paint everything flat of `scenario` onto an empty canvas."""
    canvas.rgb[:] = GRASS
    vector_map = scenario.map
    for area in vector_map.areas_of(AreaKind.CARPARK):
        canvas.fill(area.polygon, CARPARK, ROAD)
    for area in vector_map.areas_of(AreaKind.WALKWAY):
        canvas.fill(area.polygon, PAVEMENT, WALKWAY)
    _paint_surface(canvas, vector_map)
    if not (canvas.kind == ROAD).any():
        _paint_traces(canvas, scenario)
    _paint_shoulder(canvas, vector_map)
    _paint_verge(canvas)
    _paint_lines(canvas, vector_map)
    for area in vector_map.areas_of(AreaKind.CROSSWALK):
        _paint_crosswalk(canvas, area.polygon)
    _paint_stop_lines(canvas, scenario)


def _paint_surface(canvas: Canvas, vector_map: VectorMap) -> None:
    """Paint asphalt wherever the map says road."""
    polygons = [area.polygon for area in vector_map.areas_of(AreaKind.DRIVABLE, AreaKind.INTERSECTION)]
    polygons += [block.polygon for block in vector_map.roadblocks.values()]
    polygons += [lane.polygon for lane in vector_map.lanes.values()]
    polygons += [area.polygon for area in vector_map.areas_of(AreaKind.CROSSWALK)]
    for polygon in polygons:
        canvas.fill(polygon, ASPHALT, ROAD)
    for lane in vector_map.lanes.values():
        if len(lane.polygon) < 3:
            canvas.strip(lane.centerline, LANE_WIDTH + 0.3, ASPHALT, ROAD)


def _paint_traces(canvas: Canvas, scenario: Scenario) -> None:
    """Paint asphalt where the ego and vehicles drove, for logs without a map."""
    agents = scenario.agents
    canvas.strip(scenario.ego.pose[:, :2], 4.0 * _TRACE_RADIUS, ASPHALT, ROAD)
    canvas.dots(scenario.ego.pose[:, :2], 2.0 * _TRACE_RADIUS, ASPHALT, ROAD)
    driven = agents.valid & (agents.types == AgentType.VEHICLE)[:, None]
    points = agents.pose[driven][:, :2]
    # One disc per metre is enough; standing vehicles repeat the same place thousands of times.
    canvas.dots(np.unique(np.round(points), axis=0), _TRACE_RADIUS, ASPHALT, ROAD)


def _paint_shoulder(canvas: Canvas, vector_map: VectorMap) -> None:
    """Paint a lighter strip between the lanes and the physical edge of the road, where the map has one beyond them."""
    edges = [line.points for line in vector_map.lines if line.kind is LineKind.ROAD_EDGE]
    road = canvas.kind == ROAD
    if not edges or not road.any():
        return
    wall = Canvas(canvas.corner, canvas.cell, np.zeros_like(canvas.rgb), np.zeros_like(canvas.kind))
    for points in edges:
        wall.strip(points, 3.0 * canvas.cell, WHITE, ROAD)
    walled = wall.kind == ROAD
    gap, nearest = ndimage.distance_transform_edt(~road, return_indices=True)
    to_wall = ndimage.distance_transform_edt(~walled)
    row, column = np.nonzero(~road & ~walled & ((gap + to_wall) * canvas.cell < _MAX_SHOULDER))
    # A cell is shoulder if the straight way to the lanes does not cross the edge.
    crossed = np.zeros(len(row), bool)
    to_row, to_column = nearest[0, row, column] - row, nearest[1, row, column] - column
    for share in np.linspace(0.0, 1.0, _SIGHT_STEPS)[1:]:
        at = np.rint(row + share * to_row).astype(int), np.rint(column + share * to_column).astype(int)
        crossed |= walled[at]
    row, column = row[~crossed], column[~crossed]
    off = canvas.kind[row, column] == OFF_ROAD
    canvas.rgb[row[off], column[off]] = SHOULDER
    canvas.kind[row[off], column[off]] = ROAD


def _paint_verge(canvas: Canvas) -> None:
    """Paint a kerb along the road and pavement behind it."""
    off = canvas.kind == OFF_ROAD
    if not (canvas.kind == ROAD).any():
        return
    gap = ndimage.distance_transform_edt(canvas.kind != ROAD).astype(np.float32) * canvas.cell
    canvas.rgb[off & (gap < _PAVEMENT_WIDTH)] = PAVEMENT
    canvas.rgb[(gap > 0.0) & (gap < _KERB_WIDTH)] = KERB


def _paint_lines(canvas: Canvas, vector_map: VectorMap) -> None:
    """Paint the map's lines, or lines derived from its lanes where it has none."""
    for line in vector_map.lines:
        if line.kind is LineKind.LANE_DIVIDER:
            canvas.strip(line.points, _LINE_WIDTH, WHITE, dash=3.0, gap=4.5)
        elif line.kind is LineKind.SOLID:
            canvas.strip(line.points, _LINE_WIDTH, WHITE)
        else:
            canvas.strip(line.points, _KERB_WIDTH, KERB)
    if not any(line.kind is not LineKind.ROAD_EDGE for line in vector_map.lines):
        for lane in vector_map.lanes.values():
            if not lane.is_connector and len(lane.centerline) >= 2 and canvas.touches(lane.centerline):
                _paint_lane_sides(canvas, lane)


def _paint_lane_sides(canvas: Canvas, lane: Lane) -> None:
    """Paint the left line of a lane (dashed between lanes, yellow at the centre of the road) and the outer one."""
    half = 0.5 * lane_width(lane)
    if lane.left:
        canvas.strip(_shifted(lane.centerline, half), _LINE_WIDTH, WHITE, dash=3.0, gap=4.5)
    else:
        canvas.strip(_shifted(lane.centerline, half - 0.15), _LINE_WIDTH, YELLOW)
    if not lane.right:
        canvas.strip(_shifted(lane.centerline, -half + 0.15), _LINE_WIDTH, WHITE)


def lane_width(lane: Lane) -> float:
    """Return the mean width of a lane [m], from its polygon where it has one."""
    if len(lane.polygon) < 3:
        return LANE_WIDTH
    x, y = lane.polygon[:, 0], lane.polygon[:, 1]
    area = 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
    length = float(np.linalg.norm(np.diff(lane.centerline[:, :2], axis=0), axis=1).sum())
    return float(np.clip(area / max(length, 1.0), 2.5, 5.0))


def _shifted(points: np.ndarray, left: float) -> np.ndarray:
    """Return a polyline (N, 2) moved `left` [m] to its left."""
    points = np.asarray(points, dtype=np.float64)[:, :2]
    yaw = headings(points)
    return points + left * np.stack([-np.sin(yaw), np.cos(yaw)], axis=1)


def _paint_crosswalk(canvas: Canvas, polygon: np.ndarray) -> None:
    """Paint bars across a crosswalk polygon (N, 2), along the traffic, that is across its long side."""
    if len(polygon) < 3 or not canvas.touches(polygon):
        return
    rows, columns, mask = canvas.inside(polygon)
    centered = polygon[:, :2] - polygon[:, :2].mean(axis=0)
    along = np.linalg.svd(centered, full_matrices=False)[2][0]
    x, y = canvas.centers()
    phase = (x[columns][None, :] * along[0] + y[rows][:, None] * along[1]) % (2.0 * _STRIPE)
    canvas.rgb[rows, columns][mask & (phase < _STRIPE)] = WHITE


def _paint_stop_lines(canvas: Canvas, scenario: Scenario) -> None:
    """Paint thin stop areas of the map whole, and a bar where controlled lanes stop."""
    for area in scenario.map.areas_of(AreaKind.STOP_LINE):
        centered = area.polygon[:, :2] - area.polygon[:, :2].mean(axis=0)
        if len(centered) >= 3 and np.ptp(centered @ np.linalg.svd(centered)[2][1]) < _THICK_STOP_AREA:
            canvas.fill(area.polygon, WHITE, ROAD)
    for lane_id, point in zip(scenario.lights.lane_ids, scenario.lights.stop_point, strict=True):
        lane = scenario.map.lanes.get(lane_id)
        if lane is not None and len(lane.centerline) >= 2 and np.isfinite(point).all():
            yaw = stop_yaw(lane, point)
            across = 0.5 * (lane_width(lane) - 0.5) * np.array([-np.sin(yaw), np.cos(yaw)])
            canvas.strip(np.stack([point - across, point + across]), _STOP_LINE_WIDTH, WHITE)


def stop_yaw(lane: Lane, point: np.ndarray) -> float:
    """Return the driving direction [rad] of a lane where it passes `point` (2,)."""
    line = lane.centerline[:, :2]
    nearest = int(np.argmin(np.linalg.norm(line - point, axis=1)))
    return float(headings(line)[nearest])
