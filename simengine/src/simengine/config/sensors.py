"""The keys `render.lidar` and `render.trust`: checked, and made into what scans and what measures trust."""

from __future__ import annotations

from simengine.config.schema import RunConfig
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ConfigError
from simengine.render.lidar.scanner import LIDAR_NAMES, LidarScanner, make_scanner
from simengine.render.renderer import SceneRenderer
from simengine.render.trust.meter import TrustMeter


def check_sensors(config: RunConfig) -> None:
    """Raise `ConfigError` if sensors are asked for that need a scene, and there is none."""
    render = config.render
    if render.lidar not in LIDAR_NAMES:
        raise ConfigError(f"render.lidar is {render.lidar!r}, expected one of {', '.join(LIDAR_NAMES)}")
    if render.lidar != "none" and render.backend == "none":
        raise ConfigError(
            f"render.lidar={render.lidar} needs a scene but render.backend is none, expected cpu, gsplat or auto"
        )
    if render.trust and (render.backend == "none" or not config.record.rollouts):
        raise ConfigError(
            f"render.trust measures images and is kept in records, but render.backend is {render.backend} and "
            f"record.rollouts {str(config.record.rollouts).lower()}, expected images and records"
        )


def make_lidar(config: RunConfig, renderer: SceneRenderer | None, threads: int | None) -> LidarScanner | None:
    """Return what scans the scene of `renderer`, on the device that draws it; None without a lidar."""
    if renderer is None:
        return None
    device = "cuda" if renderer.backend.name == "gsplat" else "cpu"
    return make_scanner(config.render.lidar, renderer, VehicleParams(), device, threads)


def make_trust(config: RunConfig, renderer: SceneRenderer | None) -> TrustMeter | None:
    """Return what measures trust in the images of `renderer`; None if it is off."""
    return TrustMeter(renderer) if config.render.trust and renderer is not None else None
