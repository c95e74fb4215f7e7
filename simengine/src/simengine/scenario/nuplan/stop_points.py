"""Where a traffic light makes traffic stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely

from simengine.datatypes.map import Lane
from simengine.geometry import polyline

_BEFORE = 15.0


def stop_point(
    connector: Lane, lanes: Mapping[str, Lane], polygons: Sequence[shapely.Geometry]
) -> np.ndarray:
    """Return the point (2,) [m] at which a path onto `connector` first meets one of its stop polygons.

    The path is the last 15 m of the lane before and the connector itself. A path that meets none stops where the
    connector begins, as one does that starts inside.

    Args:
        connector: the lane that the light controls.
        lanes: to find the lane before it.
        polygons: stop polygons of the light.
    """
    path, entry = connector.centerline, connector.centerline[0]
    if connector.predecessors:
        before = polyline.resample(lanes[connector.predecessors[0]].centerline, 1.0)
        length = polyline.arc_length(before)
        path = np.concatenate([before[length > length[-1] - _BEFORE], path])
    path = polyline.drop_repeated(path)
    meeting = [shape for shape in polygons if shapely.intersects(shape, shapely.LineString(path))]
    if not meeting or shapely.intersects(shapely.union_all(meeting), shapely.Point(path[0])):
        return entry.copy()
    rims = shapely.union_all([shape.boundary for shape in meeting])
    crossings = shapely.get_coordinates(shapely.intersection(rims, shapely.LineString(path)))
    if not len(crossings):
        return entry.copy()
    along, _ = polyline.project(path, crossings)
    return polyline.sample(path, along.min())[:2]
