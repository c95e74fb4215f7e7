"""Map elements around the ego, for the map head: dividers, crossings, contours and the drivable area.

One file per recording, masks packed. n elements of a frame; rows along y, columns along x, low end first.

* A divider is paint between lanes; paint that runs along the contour is the contour's.
* A crossing is the whole area of a crosswalk.
* A contour is where the drivable area ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from algengine.datasets.bev_labels import LabelGrid
from algengine.datasets.map_shapes import drivable_shape
from algengine.structures.map_truth import MAP_CLASSES
from simengine.datatypes.map import AreaKind, LineKind, VectorMap
from simengine.geometry.se2 import points_to_local, points_to_parent

DIVIDER, CROSSING, CONTOUR = range(len(MAP_CLASSES))
LINE_HALF_WIDTH = 0.5
_PAINT = (LineKind.LANE_DIVIDER, LineKind.SOLID)
_ALONG_CONTOUR = 1.0
_SEAM = 0.2
_SHORTEST = 3.0
_FEWEST_CELLS = 4


@dataclass(frozen=True)
class MapFrame:
    """Map elements around one ego pose.

    Attributes:
        labels: (n,) int64, index into `MAP_CLASSES`.
        masks: (n, rows, cols) bool.
        drivable: (rows, cols) bool.
    """

    labels: np.ndarray
    masks: np.ndarray
    drivable: np.ndarray

    @property
    def boxes(self) -> np.ndarray:
        """Boxes (n, 4) float32 around the masks: centre x, y and size along x, y, as fractions of the grid."""
        (x_low, x_high), (y_low, y_high) = _span(self.masks.any(1)), _span(self.masks.any(2))
        sides = [(x_low + x_high) / 2, (y_low + y_high) / 2, x_high - x_low, y_high - y_low]
        return np.stack(sides, axis=-1).astype(np.float32)

    def seen_from(self, shift: np.ndarray, grid: LabelGrid) -> MapFrame:
        """Return the elements as seen from an ego frame `shift` (3,) inside the real one [m, m, rad].

        What the real one did not reach is empty.
        """
        index, inside = grid.cell_of(points_to_parent(shift, grid.centers()))
        layers = np.concatenate([self.masks, self.drivable[None]])
        moved = (layers.reshape(len(layers), -1)[:, index] & inside).reshape(layers.shape)
        return MapFrame(*_without_specks(self.labels, moved[:-1]), moved[-1])


class MapElements:
    """Draws the elements of one vector map as seen from any pose on it."""

    def __init__(self, vector_map: VectorMap, grid: LabelGrid) -> None:
        self.grid = grid
        # Areas that share a border may leave slits of some centimetres.
        self._drivable = drivable_shape(vector_map).buffer(_SEAM).buffer(-_SEAM)
        self._contour = self._drivable.boundary
        paint = [line.points for line in vector_map.lines if line.kind in _PAINT and len(line.points) > 1]
        lines = shapely.union_all([shapely.LineString(points) for points in paint])
        self._divider = lines.difference(self._contour.buffer(_ALONG_CONTOUR))
        self._crossings = [
            shapely.Polygon(a.polygon).buffer(0) for a in vector_map.areas_of(AreaKind.CROSSWALK)
        ]
        self._cells = shapely.STRtree(shapely.points(grid.centers()))

    def draw(self, pose: np.ndarray) -> MapFrame:
        """Return the elements around the ego pose (3,) in the map's frame [m, m, rad]."""
        shapes = {
            DIVIDER: self._lines_around(pose, self._divider),
            CROSSING: [_seen_from(pose, crossing) for crossing in self._crossings],
            CONTOUR: self._lines_around(pose, self._contour),
        }
        labels = np.repeat(list(shapes), [len(each) for each in shapes.values()])
        masks = np.concatenate(
            [self._cover(each, LINE_HALF_WIDTH if kind != CROSSING else 0.0) for kind, each in shapes.items()]
        )
        drivable = self._cover([_seen_from(pose, self._around(pose, self._drivable))], 0.0)[0]
        return MapFrame(*_without_specks(labels, masks), drivable)

    def _lines_around(self, pose: np.ndarray, lines: shapely.Geometry) -> list[shapely.Geometry]:
        """Return connected lines inside the grid, seen from `pose`; stubs are left out."""
        near = shapely.line_merge(_seen_from(pose, self._around(pose, lines)))
        return [part for part in shapely.get_parts(near) if part.length >= _SHORTEST]

    def _around(self, pose: np.ndarray, shape: shapely.Geometry) -> shapely.Geometry:
        (x0, x1), (y0, y1) = self.grid.x_range, self.grid.y_range
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        return shape.intersection(shapely.Polygon(points_to_parent(pose, corners)))

    def _cover(self, shapes: Sequence[shapely.Geometry], distance: float) -> np.ndarray:
        """Return masks (n, rows, cols) of the cells whose centres are within `distance` [m] of each shape."""
        masks = np.zeros((len(shapes), self.grid.shape[0] * self.grid.shape[1]), bool)
        if len(shapes):
            masks[tuple(self._cells.query(shapes, predicate="dwithin", distance=distance))] = True
        return masks.reshape(-1, *self.grid.shape)


def _seen_from(pose: np.ndarray, shape: shapely.Geometry) -> shapely.Geometry:
    return shapely.transform(shape, lambda points: points_to_local(pose, points))


def _without_specks(labels: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and masks of the elements of some cells at least."""
    kept = masks.sum((1, 2)) >= _FEWEST_CELLS
    return labels[kept], masks[kept]


def _span(touched: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the low and high end (n,) of the true cells of (n, cells), as fractions."""
    cells = touched.shape[1]
    return touched.argmax(1) / cells, 1.0 - touched[:, ::-1].argmax(1) / cells
