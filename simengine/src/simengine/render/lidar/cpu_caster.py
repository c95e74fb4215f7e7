"""Follows rays on the processor, on a few threads; results do not depend on how many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import RenderBackendError
from simengine.render.gaussians import FlatGaussians
from simengine.render.lidar.binning import bound, deal
from simengine.render.lidar.caster import HIT_OPACITY, Returns
from simengine.render.lidar.pattern import LidarPattern, make_rays
from simengine.render.lidar.surfels import SurfelCache, Surfels, join
from simengine.render.lidar.tracing import trace

_SHARES = 8
"""Into how many jobs the tiles of one sensor are dealt."""


@dataclass(frozen=True)
class _Sensor:
    """One lidar in the frame of the scene, ready to trace."""

    origin: np.ndarray
    directions: np.ndarray
    clear: np.ndarray
    near: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    ranges: np.ndarray
    light: np.ndarray


class CpuCaster:
    """A ray caster with compiled loops.

    Args:
        pattern: what to cast.
        vehicle: rays into its body are not followed; None for a sensor in the open.
        threads: how many to use; None takes one per available core.
    """

    def __init__(
        self, pattern: LidarPattern, vehicle: VehicleParams | None = None, threads: int | None = None
    ) -> None:
        if threads is not None and threads < 1:
            raise RenderBackendError(f"the lidar was given {threads} threads, expected at least 1")
        threads = threads or len(os.sched_getaffinity(0))
        self._pattern = pattern
        self._rays = make_rays(pattern, vehicle)
        self._cache = SurfelCache()
        self._pool = ThreadPoolExecutor(threads, "lidar") if threads > 1 else None

    def cast(self, gaussians: Sequence[FlatGaussians], scene_from_ego: np.ndarray) -> Returns:
        """Return how far the rays go; see `RayCaster.cast`."""
        pattern, run = self._pattern, self._pool.map if self._pool else map
        # Sensors are a few metres away from the origin of the ego.
        reach = pattern.max_range + max((np.linalg.norm(s.origin) for s in pattern.sensors), default=0.0)
        surfels = join([self._cache.of(part).within(scene_from_ego[:3, 3], reach) for part in gaussians])
        count = len(pattern.sensors)
        sensors = list(
            run(self._prepare, range(count), [surfels] * count, [scene_from_ego] * count),
        )
        jobs = [(surfels, sensor, share) for share in range(_SHARES) for sensor in sensors]
        if jobs:
            list(run(self._trace, *zip(*jobs, strict=True)))
        return Returns(
            np.concatenate([sensor.ranges.ravel() for sensor in sensors]),
            np.concatenate([sensor.light.ravel() for sensor in sensors]),
        )

    def _prepare(self, index: int, surfels: Surfels, scene_from_ego: np.ndarray) -> _Sensor:
        lidar, rays = self._pattern.sensors[index], self._rays
        rotation = scene_from_ego[:3, :3]
        origin = rotation @ np.array(lidar.origin) + scene_from_ego[:3, 3]
        shape = (len(lidar.elevations_deg), lidar.azimuths)
        mine = rays.sensor == index
        directions = np.ascontiguousarray(rays.directions[mine] @ rotation.T)
        boxes, near = bound(
            surfels.means,
            surfels.whiten,
            surfels.variances,
            surfels.reach,
            origin,
            np.ascontiguousarray(rotation.T),
            np.radians(lidar.elevations_deg),
            lidar.azimuths,
            self._pattern.max_range,
        )
        order = np.argsort(near, kind="stable").astype(np.int32)
        rows, starts = deal(boxes, order, lidar.azimuths, len(lidar.elevations_deg))
        clear = rays.clear[mine].reshape(shape)
        empty = np.empty(shape), np.empty(shape)
        return _Sensor(origin, directions.reshape(*shape, 3), clear, near, rows, starts, *empty)

    def _trace(self, surfels: Surfels, sensor: _Sensor, share: int) -> None:
        """Follow one share of the rays of a sensor; neighbouring tiles go to different shares."""
        limits = np.array([self._pattern.min_range, self._pattern.max_range, HIT_OPACITY])
        trace(
            surfels.means,
            surfels.whiten,
            surfels.opacities,
            surfels.normals,
            surfels.flatness,
            surfels.reflectance,
            sensor.near,
            sensor.rows,
            sensor.starts,
            sensor.origin,
            sensor.directions,
            sensor.clear,
            limits,
            share,
            _SHARES,
            sensor.ranges,
            sensor.light,
        )
