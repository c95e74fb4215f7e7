"""Rendering on the processor, for machines without a GPU, tests and small images."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import invert
from simengine.render import cpu_projection, cpu_raster
from simengine.render.backend import TILE_PX, RenderedRig, as_parts, check_request
from simengine.render.gaussians import FlatGaussians, concatenate


class CpuBackend:
    """Draws with compiled loops; results do not depend on the number of threads.

    Args:
        threads: how many to use; None takes all that numba may use. Where several processes render at once, one
            each is fastest.
    """

    name = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise RenderBackendError(f"the cpu backend was given {threads} threads, expected at least 1")
        self._threads = threads

    def render(
        self,
        gaussians: FlatGaussians | Sequence[FlatGaussians],
        cameras: Sequence[CameraCalibration],
        world_from_cam: np.ndarray,
        want_depth: bool = False,
    ) -> RenderedRig:
        """Return one image per camera; see `RenderBackend.render`."""
        check_request(cameras, world_from_cam)
        if not cameras:
            return RenderedRig((), () if want_depth else None)
        before = numba.get_num_threads()
        numba.set_num_threads(min(self._threads or before, before))
        try:
            return _render(concatenate(as_parts(gaussians)), cameras, world_from_cam, want_depth)
        finally:
            numba.set_num_threads(before)


def _render(
    flat: FlatGaussians, cameras: Sequence[CameraCalibration], world_from_cam: np.ndarray, want_depth: bool
) -> RenderedRig:
    """Return one image per camera, at least one."""
    splats, order, starts, visible = _project(flat, cameras, world_from_cam)
    sizes = np.array([(camera.width_px, camera.height_px) for camera in cameras], np.int64)
    areas = sizes.prod(axis=1)
    pixels = np.concatenate([[0], np.cumsum(areas)])
    rgb = np.empty((pixels[-1], 3), np.uint8)
    depth = np.empty(pixels[-1] if want_depth else 0, np.float32)

    columns, rows = -(-sizes // TILE_PX).T
    first = np.concatenate([[0], np.cumsum(columns * rows)[:-1]])
    grid = np.stack([columns, rows, first], axis=1)
    counts = cpu_raster.count_tiles(splats, order, starts, visible, grid)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    lists = cpu_raster.fill_tiles(splats, order, starts, visible, grid, offsets)
    cpu_raster.blend_tiles(splats, lists, offsets, grid, sizes, pixels[:-1], rgb, depth)

    shapes = [(camera.height_px, camera.width_px) for camera in cameras]
    spans = list(zip(pixels[:-1], pixels[1:], shapes, strict=True))
    return RenderedRig(
        tuple(rgb[a:b].reshape(*shape, 3) for a, b, shape in spans),
        tuple(depth[a:b].reshape(shape) for a, b, shape in spans) if want_depth else None,
    )


def _project(
    flat: FlatGaussians, cameras: Sequence[CameraCalibration], world_from_cam: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return projected Gaussians, each camera's rows near to far, its first row, and its visible count."""
    views = np.stack([_view(camera, pose) for camera, pose in zip(cameras, world_from_cam, strict=True)])
    index, counts = cpu_projection.find_candidates(flat.means, flat.scales, views)
    ends = np.cumsum(counts.ravel()).reshape(counts.shape)
    splats, keys = cpu_projection.project_candidates(
        flat.means, flat.quats, flat.scales, flat.opacities, flat.sh, views, index, counts, ends - counts
    )
    starts = np.concatenate([[0], np.cumsum(counts.sum(axis=1))])
    order, visible = cpu_raster.sort_by_depth(keys, starts)
    return splats, order, starts, visible


def _view(camera: CameraCalibration, world_from_cam: np.ndarray) -> np.ndarray:
    """Return the row (18,) of `cpu_projection.View`."""
    k = camera.intrinsic
    cam_from_world = invert(world_from_cam)
    return np.concatenate(
        [
            [k[0, 0], k[1, 1], k[0, 2], k[1, 2], camera.width_px, camera.height_px],
            cam_from_world[:3, :3].ravel(),
            cam_from_world[:3, 3],
        ]
    )
