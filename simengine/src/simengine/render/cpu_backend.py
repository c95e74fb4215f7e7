"""Rendering on the processor, for machines without a GPU, tests and small images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import invert
from simengine.render.backend import TILE_PX, RenderedRig, RigRequest, check_rig
from simengine.render.cpu_blocks import MIN_BLOCKED, Blocks
from simengine.render.cpu_lens import find_lens_candidates, lens_view, project_lens_candidates
from simengine.render.cpu_projection import Splat, find_candidates, project_candidates
from simengine.render.cpu_raster import bin_tiles, blend_tiles, sort_by_depth
from simengine.render.gaussians import FlatGaussians
from simengine.render.lens_plan import DrawnCamera, LensPlanner

_SHARES = 4
"""Into how many jobs the tiles of one camera are dealt where there are few cameras."""


@dataclass(frozen=True)
class _Job:
    """One image to draw: what is in it, and from where it is seen.

    Attributes:
        parts: sets of Gaussians, each with its blocks if it was seen before.
        drawn: camera and how to draw it.
        world_from_cam: (4, 4).
        end_world_from_cam: (4, 4) or None.
        want_depth: whether to return depth too.
    """

    parts: tuple[tuple[FlatGaussians, Blocks | None], ...]
    drawn: DrawnCamera
    world_from_cam: np.ndarray
    end_world_from_cam: np.ndarray | None
    want_depth: bool


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

    The threads wait without spinning, so that a planner on the same cores is not held up. Sets of Gaussians that are
    drawn again are sorted into blocks, which changes nothing but the time.

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
        self._planner = LensPlanner()
        self._blocks: WeakKeyDictionary[FlatGaussians, Blocks | None] = WeakKeyDictionary()

    def render(
        self,
        gaussians: FlatGaussians | Sequence[FlatGaussians],
        cameras: Sequence[CameraCalibration],
        world_from_cam: np.ndarray,
        want_depth: bool = False,
    ) -> RenderedRig:
        """Return one image per camera; see `RenderBackend.render`."""
        return self.render_many([RigRequest(gaussians, cameras, world_from_cam, want_depth=want_depth)])[0]

    def render_many(self, requests: Sequence[RigRequest]) -> list[RenderedRig]:
        """Return the images of several rigs; see `RenderBackend.render_many`."""
        jobs = [job for request in requests for job in self._jobs(request)]
        images = iter(self._images(jobs))
        rigs = []
        for request in requests:
            mine = [next(images) for _ in request.cameras]
            depth = tuple(depth for _, depth in mine) if request.want_depth else None
            rigs.append(RenderedRig(tuple(rgb for rgb, _ in mine), depth))
        return rigs

    def _images(self, jobs: Sequence[_Job]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return image and depth of every job."""
        if self._pool is None:
            return [_draw(job) for job in jobs]
        if len(jobs) >= 2 * self._threads:
            # Whole images one after another stay in the caches.
            return list(self._pool.map(_draw, jobs))
        prepared = list(self._pool.map(_prepare, jobs))
        shares = [(seen, share, _SHARES) for seen in prepared for share in range(_SHARES)]
        list(self._pool.map(lambda share: _blend(*share), shares))
        return list(self._pool.map(_finish, jobs, prepared))

    def _jobs(self, request: RigRequest) -> list[_Job]:
        check_rig(request)
        drawn = self._planner.plan(request.cameras, request.lens, request.is_rolling)
        parts = tuple((part, self._blocks_of(part)) for part in request.parts if len(part))
        return [
            _Job(parts, camera, request.world_from_cam[k], request.end_pose(k), request.want_depth)
            for k, camera in enumerate(drawn)
        ]

    def _blocks_of(self, part: FlatGaussians) -> Blocks | None:
        """Return the blocks of a large set from its second use on: what is drawn once is not worth sorting."""
        if len(part) < MIN_BLOCKED:
            return None
        if part not in self._blocks:
            self._blocks[part] = None
        elif self._blocks[part] is None:
            self._blocks[part] = Blocks.of(part)
        return self._blocks[part]


def _prepare(job: _Job) -> _Prepared:
    """Return the Gaussians one camera sees, dealt to tiles, and empty images."""
    camera = job.drawn.camera
    project = _through_lens if job.drawn.native else _through_pinhole
    seen = project(job)
    splats = (
        np.concatenate(seen) if len(seen) > 1 else seen[0] if seen else np.empty((0, len(Splat)), np.float32)
    )
    order = sort_by_depth(np.ascontiguousarray(splats[:, Splat.DEPTH]).view(np.uint32))
    width, height = camera.width_px, camera.height_px
    rows, offsets = bin_tiles(splats, order, -(-width // TILE_PX), -(-height // TILE_PX))
    rgb = np.empty((height, width, 3), np.uint8)
    depth = np.empty((height, width) if job.want_depth else (0, 0), np.float32)
    return _Prepared(splats, rows, offsets, rgb, depth)


def _through_pinhole(job: _Job) -> list[np.ndarray]:
    """Return the projected Gaussians of each part, see `Splat`."""
    view = _view(job.drawn.camera, job.world_from_cam)
    seen = []
    for part, blocks in job.parts:
        index = find_candidates(part.means, part.scales, view) if blocks is None else blocks.candidates(view)
        seen.append(
            project_candidates(part.means, part.quats, part.scales, part.opacities, part.sh, view, index)
        )
    return seen


def _through_lens(job: _Job) -> list[np.ndarray]:
    """Return the projected Gaussians of each part, see `Splat`; lens and shutter are part of the projection."""
    view = lens_view(job.drawn.camera, job.world_from_cam, job.end_world_from_cam)
    rolling, seen = job.end_world_from_cam is not None, []
    for part, _ in job.parts:
        index = find_lens_candidates(part.means, part.scales, view, rolling)
        seen.append(
            project_lens_candidates(
                part.means, part.quats, part.scales, part.opacities, part.sh, view, rolling, index
            )
        )
    return seen


def _draw(job: _Job) -> tuple[np.ndarray, np.ndarray]:
    """Return image and depth of one job."""
    seen = _prepare(job)
    _blend(seen, 0, 1)
    return _finish(job, seen)


def _blend(seen: _Prepared, share: int, shares: int) -> None:
    """Draw one share of the tiles of one camera; neighbours go to different shares, which evens them out."""
    blend_tiles(seen.splats, seen.rows, seen.offsets, share, shares, seen.rgb, seen.depth)


def _finish(job: _Job, seen: _Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Return image and depth as the real camera sees them."""
    warp = job.drawn.warp
    if warp is None:
        return seen.rgb, seen.depth
    return warp.apply(seen.rgb), warp.apply_depth(seen.depth) if job.want_depth else seen.depth


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
