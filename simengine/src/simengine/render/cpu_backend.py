"""Rendering on the processor, for machines without a GPU, tests and small images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import invert
from simengine.render.backend import TILE_PX, RenderedRig, as_parts, check_request
from simengine.render.cpu_projection import Splat, find_candidates, project_candidates
from simengine.render.cpu_raster import bin_tiles, blend_tiles, sort_by_depth
from simengine.render.gaussians import FlatGaussians, concatenate

_SHARES = 4
"""Into how many jobs the tiles of one camera are dealt."""


@dataclass(frozen=True)
class _Prepared:
    """What one camera sees, ready to blend."""

    splats: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray
    rgb: np.ndarray
    depth: np.ndarray


class CpuBackend:
    """Draws with compiled loops on a few threads; results do not depend on how many.

    The threads wait without spinning, so that a planner on the same cores is not held up.

    Args:
        threads: how many to use; None takes one per available core. Where several processes render at once, one
            each is fastest.
    """

    name = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise RenderBackendError(f"the cpu backend was given {threads} threads, expected at least 1")
        self._threads = threads or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self._threads, "render") if self._threads > 1 else None

    def render(
        self,
        gaussians: FlatGaussians | Sequence[FlatGaussians],
        cameras: Sequence[CameraCalibration],
        world_from_cam: np.ndarray,
        want_depth: bool = False,
    ) -> RenderedRig:
        """Return one image per camera; see `RenderBackend.render`."""
        check_request(cameras, world_from_cam)
        flat = concatenate(as_parts(gaussians))
        run = self._pool.map if self._pool else map
        count = len(cameras)
        prepared = list(run(_prepare, [flat] * count, cameras, world_from_cam, [want_depth] * count))
        jobs = [(seen, share) for share in range(_SHARES) for seen in prepared]
        list(run(_blend, *zip(*jobs, strict=True))) if jobs else None
        return RenderedRig(
            tuple(seen.rgb for seen in prepared),
            tuple(seen.depth for seen in prepared) if want_depth else None,
        )


def _prepare(
    flat: FlatGaussians, camera: CameraCalibration, world_from_cam: np.ndarray, want_depth: bool
) -> _Prepared:
    """Return the Gaussians one camera sees, dealt to tiles, and empty images."""
    view = _view(camera, world_from_cam)
    index = find_candidates(flat.means, flat.scales, view)
    splats = project_candidates(flat.means, flat.quats, flat.scales, flat.opacities, flat.sh, view, index)
    order = sort_by_depth(np.ascontiguousarray(splats[:, Splat.DEPTH]).view(np.uint32))
    width, height = camera.width_px, camera.height_px
    rows, offsets = bin_tiles(splats, order, -(-width // TILE_PX), -(-height // TILE_PX))
    rgb = np.empty((height, width, 3), np.uint8)
    depth = np.empty((height, width) if want_depth else (0, 0), np.float32)
    return _Prepared(splats, rows, offsets, rgb, depth)


def _blend(seen: _Prepared, share: int) -> None:
    """Draw one share of the tiles of one camera; neighbours go to different shares, which evens them out."""
    blend_tiles(seen.splats, seen.rows, seen.offsets, share, _SHARES, seen.rgb, seen.depth)


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
