"""Point clouds of the loaded scenario: poses the scene, casts the rays, merges the returns."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.datatypes.lidar import LidarCloud
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ConfigError
from simengine.render.gaussians import FlatGaussians
from simengine.render.lidar.caster import RayCaster, Returns
from simengine.render.lidar.cpu_caster import CpuCaster
from simengine.render.lidar.pattern import LidarPattern, make_rays, nuplan_lidars
from simengine.render.lidar.torch_caster import TorchCaster

LIDAR_NAMES = ("none", "nuplan")
_FULL = 255.0


class Posed(Protocol):
    """What knows the scene of the loaded scenario, such as `SceneRenderer`."""

    def surfaces(
        self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int
    ) -> tuple[FlatGaussians, FlatGaussians, np.ndarray]:
        """Return what does not move, without sky, what does, and `scene_from_ego` (4, 4)."""
        ...


class LidarScanner:
    """Scans one scenario after another with the lidars of one vehicle.

    Args:
        scene: poses the scenario that is loaded.
        pattern: the lidars.
        caster: follows their rays.
    """

    def __init__(self, scene: Posed, pattern: LidarPattern, caster: RayCaster) -> None:
        self._scene, self._pattern, self._caster = scene, pattern, caster
        self._rays = make_rays(pattern)

    def scan(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> LidarCloud:
        """Return the merged cloud; the ego itself is not in it.

        Args:
            ego_pose: (3,) rear axle in the world frame.
            agents: everyone who exists now.
            frame_time: frame of the scenario whose light states are shown.
        """
        still, moving, scene_from_ego = self._scene.surfaces(ego_pose, agents, frame_time)
        return self.merge(self._caster.cast((still, moving), scene_from_ego))

    def merge(self, returns: Returns) -> LidarCloud:
        """Return the cloud of what came back."""
        rays, rows = self._rays, np.flatnonzero(np.isfinite(returns.ranges))
        ids = np.array([sensor.id for sensor in self._pattern.sensors], np.uint8)
        points = rays.origins[rows] + returns.ranges[rows, None] * rays.directions[rows]
        return LidarCloud(
            points.astype(np.float32),
            np.floor(_FULL * np.clip(returns.light[rows], 0.0, 1.0) + 0.5).astype(np.uint8),
            rays.ring[rows].astype(np.uint8),
            ids[rays.sensor[rows]],
        )


def make_scanner(
    name: str, scene: Posed, vehicle: VehicleParams, device: str = "cpu", threads: int | None = None
) -> LidarScanner | None:
    """Return what scans `scene` with the pattern called `name`, None for `none`.

    Args:
        name: one of `LIDAR_NAMES`.
        scene: such as a `SceneRenderer`.
        vehicle: carries the sensors.
        device: `cpu`, or a torch device such as `cuda`.
        threads: of the cpu; None for all cores.
    """
    if name == "none":
        return None
    if name != "nuplan":
        raise ConfigError(f"the lidar is {name!r}, expected one of {', '.join(LIDAR_NAMES)}")
    pattern = nuplan_lidars()
    if device == "cpu":
        return LidarScanner(scene, pattern, CpuCaster(pattern, vehicle, threads))
    return LidarScanner(scene, pattern, TorchCaster(pattern, vehicle, device))
