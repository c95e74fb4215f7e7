"""Buildings and trees on free land beside the road, never where anything drove, walked or stood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from simengine.geometry.se3 import quaternion_from_yaw, quaternion_multiply, transform_from_pose
from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.lift_canvas import OFF_ROAD, Canvas
from simengine.render.lift_ground import path_distance
from simengine.render.shapes import Blobs, blob, join, shell
from simengine.scenario.scenario import Scenario

BLOCK = 8
"""Canvas cells per cell of the occupancy grid."""
_MARGIN = 3.5
_MAX_BUILDINGS = 46
_MAX_TREES = 60
_REACH = 75.0
_DETAIL_REACH = 38.0

_WALLS = (
    (0.66, 0.52, 0.42),
    (0.72, 0.68, 0.60),
    (0.50, 0.46, 0.44),
    (0.60, 0.36, 0.29),
    (0.78, 0.75, 0.70),
    (0.45, 0.50, 0.55),
)
_PANE = np.array([0.19, 0.25, 0.31])
_LEAVES = np.array([0.20, 0.34, 0.13])
_TRUNK = (0.28, 0.21, 0.15)


@dataclass(frozen=True)
class FreeLand:
    """How far blocks of the canvas are from anything that must stay free.

    Attributes:
        x: (W,) world x of block centres [m].
        y: (H,) world y of block centres [m].
        clearance: (H, W) distance to the nearest kept-free block [m].
        toward: (H, W) direction [rad] to it.
        path_distance: (H, W) distance to the ego path [m].
    """

    x: np.ndarray
    y: np.ndarray
    clearance: np.ndarray
    toward: np.ndarray
    path_distance: np.ndarray


def free_land(canvas: Canvas, scenario: Scenario) -> FreeLand:
    """Return where one may build: off every road, walkway and logged place of any track."""
    rows, columns = canvas.kind.shape
    blocks = canvas.kind.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    taken = (blocks != OFF_ROAD).any(axis=(1, 3))
    agents = scenario.agents
    size = np.linalg.norm(agents.size[:, :2], axis=1)
    points = [scenario.ego.pose[:, :2]] + [
        (agents.pose[row, agents.valid[row], :2][:, None] + _box_spots(size[row])).reshape(-1, 2)
        for row in range(agents.num_agents)
    ]
    cells = np.floor(canvas.to_cells(np.concatenate(points)) / BLOCK).astype(int)
    inside = ((cells >= 0) & (cells < taken.T.shape)).all(axis=1)
    taken[cells[inside, 1], cells[inside, 0]] = True
    clearance, nearest = ndimage.distance_transform_edt(~taken, return_indices=True)
    x, y = canvas.centers(BLOCK)
    toward = np.arctan2(y[nearest[0]] - y[:, None], x[nearest[1]] - x[None, :])
    side = BLOCK * canvas.cell
    return FreeLand(x, y, clearance * side, toward, path_distance(canvas, scenario.ego.pose[:, :2], BLOCK))


def _box_spots(diagonal: float) -> np.ndarray:
    """Return offsets (9, 2) that cover a box of `diagonal` [m] whichever way it points."""
    steps = np.array([-0.5, 0.0, 0.5]) * diagonal
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)


def building_gaussians(land: FreeLand, rng: np.random.Generator) -> FlatGaussians:
    """Return buildings that face the road, nearest places first."""
    row, column = np.nonzero((land.clearance > 6.5) & (land.clearance < 26.0) & (land.path_distance < _REACH))
    rank = np.argsort(land.clearance[row, column] + rng.uniform(0.0, 5.0, len(row)), kind="stable")
    row, column = row[rank], column[rank]
    centers = np.stack([land.x[column], land.y[row]], axis=1)
    free = np.ones(len(row), bool)
    parts: list[FlatGaussians] = []
    radii = np.minimum(land.clearance[row, column] - _MARGIN, 10.5)
    while len(parts) < _MAX_BUILDINGS and free.any():
        k = int(np.argmax(free))
        angle = rng.uniform(0.5, 0.75)
        depth, width = 2.0 * radii[k] * np.sin(angle), 2.0 * radii[k] * np.cos(angle)
        height = rng.uniform(4.5, 9.0) if rng.random() < 0.6 else rng.uniform(9.0, 19.0)
        near = land.path_distance[row[k], column[k]] < _DETAIL_REACH
        blobs = _building(depth, width, height, 0.75 if near else 1.6, rng)
        pose = np.array([*centers[k], land.toward[row[k], column[k]]])
        parts.append(place(blobs, pose))
        free &= np.linalg.norm(centers - centers[k], axis=1) > radii[k] + np.maximum(radii, 5.0)
    return concatenate(parts)


def tree_gaussians(land: FreeLand, rng: np.random.Generator) -> FlatGaussians:
    """Return trees scattered along the road."""
    row, column = np.nonzero((land.clearance > 2.2) & (land.clearance < 6.0) & (land.path_distance < _REACH))
    if not len(row):
        return FlatGaussians.empty()
    picks = rng.choice(len(row), min(_MAX_TREES, len(row)), replace=False)
    parts = []
    for k in picks:
        crown = min(land.clearance[row[k], column[k]] - 1.2, rng.uniform(1.2, 2.4))
        blobs = _tree(crown, rng.uniform(3.0, 5.0), rng)
        parts.append(blobs.moved((land.x[column[k]], land.y[row[k]], 0.0)))
    return join(parts).to_gaussians(0.9)


def _building(depth: float, width: float, height: float, cell: float, rng: np.random.Generator) -> Blobs:
    """Return a box with rows of windows; its facade looks along +x [m]."""
    wall = np.array(_WALLS[rng.integers(len(_WALLS))])
    x, y = 0.5 * depth, 0.5 * width
    front = shell((-x, -y, 0.0), (x, y, height), cell, wall, ("front", "left", "right"))
    storey = rng.uniform(2.8, 3.6)
    bay = rng.uniform(2.2, 3.4)
    lateral = np.where(np.abs(front.centers[:, 0] - x) < 0.1, front.centers[:, 1], front.centers[:, 0])
    window = (np.mod(lateral, bay) < 0.55 * bay) & (np.mod(front.centers[:, 2], storey) > 0.4 * storey)
    panes = _PANE * rng.uniform(0.7, 1.5, (len(window), 1))
    colors = np.where(window[:, None], panes, front.colors * rng.uniform(0.94, 1.06, (len(window), 1)))
    back = shell((-x, -y, 0.0), (x, y, height), 3.0, 0.85 * wall, ("rear", "top"))
    return join([Blobs(front.centers, front.sigmas, colors), back])


def _tree(crown: float, trunk: float, rng: np.random.Generator) -> Blobs:
    """Return a trunk [m] under a round crown of leaves."""
    stem = [blob((0.0, 0.0, z), (0.13, 0.13, 0.3), _TRUNK) for z in np.arange(0.25, trunk, 0.45)]
    count = 34
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    centers = direction * rng.uniform(0.35, 0.85, (count, 1)) * crown + (0.0, 0.0, trunk + 0.5 * crown)
    light = 0.75 + 0.45 * (direction[:, 2:] + 1.0) / 2.0
    colors = _LEAVES * light * rng.uniform(0.8, 1.25, (count, 1))
    return join([*stem, Blobs(centers, np.full((count, 3), 0.3 * crown), colors)])


def place(blobs: Blobs, pose: np.ndarray) -> FlatGaussians:
    """Return blobs of a body at the planar `pose` (3,)."""
    local = blobs.to_gaussians()
    transform = transform_from_pose(pose)
    return FlatGaussians(
        means=local.means @ transform[:3, :3].T + transform[:3, 3],
        quats=quaternion_multiply(quaternion_from_yaw(pose[2]), local.quats),
        scales=local.scales,
        opacities=local.opacities,
        sh=local.sh,
    )
