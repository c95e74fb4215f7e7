"""The polygons of a scene on a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from simengine.gpu.grid import Grid, upload_grid
from simengine.gpu.local_edges import local_edges
from simengine.gpu.ranges import Ranges, upload_ranges
from simengine.metrics.pdm.ego_areas import polygon_sets
from simengine.metrics.pdm.polygon_index import BITS, PolygonIndex
from simengine.metrics.pdm.scene import PdmScene


@dataclass(frozen=True)
class AreaMap:
    """The polygon index of a scene, K polygons as W words of bits, and the sets that the rules ask for.

    Outline 0 has no edges, and edge 0 meets no point; see `Ranges`.

    Attributes:
        grid: C cells, rim included.
        inside: (W, C) words of the polygons that cover a cell whole.
        near: outlines through each cell.
        word: (N,) word of the polygon of each outline.
        bit: (N,) its bit.
        edges_of: edges to test for each outline.
        edges: (4, E) ax, ay, bx, by [m].
        sets: (W, 4) sets of polygons, and
        known: (2,) which questions the map can answer; see `metrics.pdm.ego_areas.polygon_sets`.
    """

    grid: Grid
    inside: torch.Tensor
    near: Ranges
    word: torch.Tensor
    bit: torch.Tensor
    edges_of: Ranges
    edges: torch.Tensor
    sets: torch.Tensor
    known: torch.Tensor


def upload_areas(scene: PdmScene, device: torch.device) -> AreaMap:
    """Return the polygons of a scene on `device`, with the sets of its mode."""
    index = scene.drivable.index
    sets, known = polygon_sets(scene.drivable, scene.route_lanes, scene.parameters.areas)
    rows, columns, words = index.inside.shape
    inside = np.zeros((words, rows + 2, columns + 2), np.int64)
    inside[:, 1:-1, 1:-1] = np.moveaxis(index.inside, 2, 0)
    starts, edges = local_edges(index)
    polygon = np.append(0, index.near)

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return AreaMap(
        upload_grid(tuple(index.corner.tolist()), index.cell, rows, columns, device),
        put(inside.reshape(words, -1)),
        upload_ranges(_with_rim(index), device),
        put(polygon // BITS),
        put(np.int64(1) << (polygon % BITS)),
        upload_ranges(np.append(0, starts), device),
        put(np.vstack([np.full(4, np.nan), edges]).T),
        put(sets.T),
        put(known),
    )


def _with_rim(index: PolygonIndex) -> np.ndarray:
    """Return where the outlines of each cell start, with a rim of empty cells all around."""
    rows, columns, _ = index.inside.shape
    count = np.zeros((rows + 2, columns + 2), np.int64)
    count[1:-1, 1:-1] = np.diff(index.near_start).reshape(rows, columns)
    return np.append(0, count.cumsum())
