"""Label rasters of what is around the ego, for the auxiliary head: drawn from the map and the executed tracks.

One file per recording, bits packed. L layers on a grid of label cells; rows along y, columns along x, low end first.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from scipy.spatial import cKDTree

from algengine.datasets.label_files import read_labels
from algengine.datasets.map_shapes import drivable_shape, union
from algengine.errors import RecordingError
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.map import AreaKind, VectorMap
from simengine.datatypes.record import RolloutRecord
from simengine.errors import ConfigError
from simengine.files.atomic import write_atomically
from simengine.geometry import polyline
from simengine.geometry.se2 import points_to_local, points_to_parent

LAYERS = (
    "drivable",
    "centerline",
    "crosswalk",
    "red_light",
    "vehicle",
    "person",
    "obstacle",
    "vehicle_1s",
    "vehicle_2s",
)
UNKNOWN = 255
_LINE_HALF_WIDTH = 0.5
_PERSON_GROWTH = 0.5
_MOVING = (AgentType.VEHICLE,)
_PEOPLE = (AgentType.PEDESTRIAN, AgentType.CYCLIST)


@dataclass(frozen=True)
class LabelGrid:
    """Where label cells lie in the ego frame.

    Attributes:
        x_range: low and high end along x [m].
        y_range: low and high end along y [m].
        cell: edge of a label cell [m].

    Raises:
        ConfigError: that is no grid.
    """

    x_range: tuple[float, float] = (-12.8, 57.6)
    y_range: tuple[float, float] = (-25.6, 25.6)
    cell: float = 0.8

    def __post_init__(self) -> None:
        if not (np.isfinite(self.layout).all() and self.cell > 0 and min(self.shape) > 0):
            raise ConfigError(
                f"a label grid has x_range={self.x_range}, y_range={self.y_range}, cell={self.cell}, expected finite "
                "ranges from low to high and cells of more than 0 m that fit into them"
            )

    @property
    def layout(self) -> np.ndarray:
        """Ends of both ranges and the edge of a cell (5,) [m]."""
        return np.array([*self.x_range, *self.y_range, self.cell], np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (
            round((self.y_range[1] - self.y_range[0]) / self.cell),
            round((self.x_range[1] - self.x_range[0]) / self.cell),
        )

    def centers(self) -> np.ndarray:
        """Return cell centres (rows * cols, 2) in the ego frame [m], row by row."""
        rows, cols = self.shape
        x = self.x_range[0] + (np.arange(cols) + 0.5) * self.cell
        y = self.y_range[0] + (np.arange(rows) + 0.5) * self.cell
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

    def cell_of(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the flat cell index (P,) of points (P, 2) and whether they are on the grid (P,)."""
        rows, cols = self.shape
        col = np.floor((points[:, 0] - self.x_range[0]) / self.cell).astype(np.int64)
        row = np.floor((points[:, 1] - self.y_range[0]) / self.cell).astype(np.int64)
        inside = (col >= 0) & (col < cols) & (row >= 0) & (row < rows)
        return np.where(inside, row * cols + col, 0), inside


class MapRaster:
    """Answers which points of the plane lie on which map element."""

    def __init__(self, vector_map: VectorMap) -> None:
        self._drivable = drivable_shape(vector_map)
        self._crosswalk = union([a.polygon for a in vector_map.areas_of(AreaKind.CROSSWALK)])
        shapely.prepare([self._drivable, self._crosswalk])
        lines = [lane.centerline for lane in vector_map.lanes.values() if len(lane.centerline) > 1]
        points = (
            np.concatenate([polyline.resample(line, 0.5) for line in lines]) if lines else np.zeros((0, 2))
        )
        self._lines = cKDTree(points) if len(points) else None

    def draw(self, points: np.ndarray) -> np.ndarray:
        """Return (3, P) whether points (P, 2) are drivable, on a centreline, on a crosswalk."""
        near = np.zeros(len(points), bool)
        if self._lines is not None:
            near = np.isfinite(self._lines.query(points, distance_upper_bound=_LINE_HALF_WIDTH)[0])
        return np.stack(
            [
                shapely.contains_xy(self._drivable, points[:, 0], points[:, 1]),
                near,
                shapely.contains_xy(self._crosswalk, points[:, 0], points[:, 1]),
            ]
        )


def draw_boxes(points: np.ndarray, pose: np.ndarray, size: np.ndarray, growth: float = 0.0) -> np.ndarray:
    """Return (P,) whether points (P, 2) lie in any box `pose` (A, 3), `size` (A, 3), grown on each side."""
    inside = np.zeros(len(points), bool)
    for one, extent in zip(pose, size, strict=True):
        local = np.abs(points_to_local(one, points))
        inside |= (local[:, 0] <= extent[0] / 2 + growth) & (local[:, 1] <= extent[1] / 2 + growth)
    return inside


def draw_labels(record: RolloutRecord, raster: MapRaster, grid: LabelGrid) -> np.ndarray:
    """Return label rasters (D, L, rows, cols) bool, one per decision of `record`."""
    local = grid.centers()
    reach = float(np.abs(local).sum(-1).max()) + 10.0
    ahead = [round(seconds / record.dt) for seconds in (0.0, 1.0, 2.0)]
    frames = []
    for frame in record.decision_frames:
        ego = record.ego_states[frame, :3]
        points = points_to_parent(ego, local)
        now = _near(record.agents, int(frame), ego, reach)
        layers = [
            *raster.draw(points),
            _draw_red(points, record.lights, int(frame)),
            _draw_types(points, record.agents, int(frame), now, _MOVING),
            _draw_types(points, record.agents, int(frame), now, _PEOPLE, _PERSON_GROWTH),
            _draw_types(points, record.agents, int(frame), now, tuple(t for t in AgentType if t.is_static)),
        ]
        for step in ahead[1:]:
            later = min(int(frame) + step, record.agents.num_frames - 1)
            near = _near(record.agents, later, ego, reach)
            layers.append(_draw_types(points, record.agents, later, near, _MOVING))
        frames.append(np.stack(layers).reshape(len(LAYERS), *grid.shape))
    return np.stack(frames)


def labels_path(recording: Path) -> Path:
    """Return where the labels of an observation log are kept."""
    return recording.parent.parent / "labels" / recording.name


def save_labels(labels: np.ndarray, grid: LabelGrid, path: Path) -> None:
    """Write rasters (D, L, rows, cols) bool, bits packed, atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, bits=np.packbits(labels), shape=np.array(labels.shape), grid=grid.layout)
    write_atomically(path, buffer.getvalue())


def load_labels(recording: Path, grid: LabelGrid) -> np.ndarray:
    """Return packed rasters (D, bytes per frame) of an observation log; see `unpack_labels`.

    Raises:
        RecordingError: there are none, or they were drawn on another grid.
    """
    path = labels_path(recording)
    bits, shape, layout = read_labels(path, ("bits", "shape", "grid"))
    require_grid(path, layout, grid)
    if shape[1] != len(LAYERS):
        raise RecordingError(f"{path} has {shape[1]} layers, expected {len(LAYERS)}: make labels again")
    whole = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape)
    return np.packbits(whole.reshape(shape[0], -1), axis=1)


def require_grid(path: Path, layout: np.ndarray, grid: LabelGrid) -> None:
    """Check that the labels at `path`, which are of the grid `layout` (5,), are those of `grid`.

    Raises:
        RecordingError: they are not.
    """
    if not np.allclose(layout, grid.layout):
        raise RecordingError(
            f"the labels {path} were drawn on the grid {layout.tolist()}, expected {grid.layout.tolist()}: make them "
            "again with `algengine labels --grid`"
        )


def unpack_labels(packed: np.ndarray, grid: LabelGrid) -> np.ndarray:
    """Return rasters (Q, L, rows, cols) uint8 of packed frames (Q, bytes)."""
    count = len(LAYERS) * grid.shape[0] * grid.shape[1]
    return np.unpackbits(packed, axis=1, count=count).reshape(len(packed), len(LAYERS), *grid.shape)


def shift_labels(labels: np.ndarray, shift: np.ndarray, grid: LabelGrid) -> np.ndarray:
    """Return rasters (Q, L, rows, cols) as seen from an ego frame `shift` (3,) inside the real one.

    Cells that were not drawn become `UNKNOWN`.
    """
    index, inside = grid.cell_of(points_to_parent(shift, grid.centers()))
    flat = labels.reshape(*labels.shape[:2], -1)[..., index]
    return np.where(inside, flat, UNKNOWN).astype(np.uint8).reshape(labels.shape)


def _near(agents: AgentTracks, frame: int, ego: np.ndarray, reach: float) -> np.ndarray:
    gap = np.linalg.norm(agents.pose[:, frame, :2] - ego[:2], axis=-1)
    return np.flatnonzero(agents.valid[:, frame] & (gap < reach))


def _draw_types(
    points: np.ndarray,
    agents: AgentTracks,
    frame: int,
    rows: np.ndarray,
    types: tuple[AgentType, ...],
    growth: float = 0.0,
) -> np.ndarray:
    rows = rows[np.isin(agents.types[rows], [int(t) for t in types])]
    return draw_boxes(points, agents.pose[rows, frame], agents.size[rows], growth)


def _draw_red(points: np.ndarray, lights: TrafficLights, frame: int) -> np.ndarray:
    red = (
        np.flatnonzero(lights.state[:, frame] == LightState.RED) if len(lights.lane_ids) else np.zeros(0, int)
    )
    stops = lights.stop_point[red]
    stops = stops[np.isfinite(stops).all(-1)]
    if not len(stops):
        return np.zeros(len(points), bool)
    return cKDTree(stops).query(points)[0] < 2.0
