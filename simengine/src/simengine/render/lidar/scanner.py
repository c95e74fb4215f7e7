"""Point clouds of the loaded scenario: poses the scene, casts the rays, merges the returns."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.datatypes.lidar import LidarCloud
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ConfigError
from simengine.render.lidar.caster import RayCaster, Returns
from simengine.render.lidar.cpu_caster import CpuCaster
from simengine.render.lidar.pattern import LidarPattern, make_rays, nuplan_lidars
from simengine.render.lidar.torch_caster import TorchCaster
from simengine.render.posed import PosedScene

LIDAR_NAMES = ("none", "nuplan")
_FULL = 255.0


class Stage(Protocol):
    """What knows the scene of the loaded scenario, such as `SceneRenderer`."""

    def posed(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> PosedScene:
        """Return what is around the ego."""
        ...


class LidarScanner:
    """Scans one scenario after another with the lidars of one vehicle.

    Args:
        stage: poses the scenario that is loaded.
        pattern: the lidars.
        caster: follows their rays.
    """

    def __init__(self, stage: Stage, pattern: LidarPattern, caster: RayCaster) -> None:
        self._stage, self._pattern, self._caster = stage, pattern, caster
        self._rays = make_rays(pattern)

    def scan(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> LidarCloud:
        """Return the merged cloud; the ego itself is not in it.

        Args:
            ego_pose: (3,) rear axle in the world frame.
            agents: everyone who exists now.
            frame_time: frame of the scenario whose light states are shown.
        """
        posed = self._stage.posed(ego_pose, agents, frame_time)
        return self.merge(self._caster.cast((posed.solid, posed.moving), posed.scene_from_ego))

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
    name: str, stage: Stage, vehicle: VehicleParams, device: str = "cpu", threads: int | None = None
) -> LidarScanner | None:
    """Return what scans `stage` with the pattern called `name`, None for `none`.

    Args:
        name: one of `LIDAR_NAMES`.
        stage: such as a `SceneRenderer`.
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
        return LidarScanner(stage, pattern, CpuCaster(pattern, vehicle, threads))
    return LidarScanner(stage, pattern, TorchCaster(pattern, vehicle, device))
