"""A scene on a device: uploaded once, scored against many times."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from simengine.datatypes.vehicle import VehicleParams
from simengine.gpu.area_map import AreaMap, upload_areas
from simengine.gpu.centerline import Centerline, upload_centerline
from simengine.gpu.traffic import Traffic, upload_traffic
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.scene import PdmScene


@dataclass(frozen=True)
class GpuScene:
    """What a batch is scored against, as tensors on one device.

    Attributes:
        device: where they are.
        vehicle: dimensions of the ego.
        traffic: the tracks.
        areas: the polygons.
        centerline: line along which progress counts.
        dt: time between states [s].
        parameters: thresholds and weights.
    """

    device: torch.device
    vehicle: VehicleParams
    traffic: Traffic
    areas: AreaMap
    centerline: Centerline
    dt: float
    parameters: PdmParameters

    @classmethod
    def upload(cls, scene: PdmScene, device: torch.device | str) -> GpuScene:
        """Return a scene on `device`."""
        device = torch.device(device)
        return cls(
            device,
            scene.vehicle,
            upload_traffic(scene, device),
            upload_areas(scene, device),
            upload_centerline(scene.centerline, device),
            scene.dt,
            scene.parameters,
        )
