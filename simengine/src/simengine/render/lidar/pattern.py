"""Where the lidars of a vehicle are and which rays they shoot; a pattern is a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.vehicle import AXLE_HEIGHT, VehicleParams
from simengine.errors import ConfigError

_TOP_BEAMS_DEG = (
    *(-25.0, -19.0, -14.0, -13.0, -12.0, -11.0, -10.0, -9.0, -8.0, -7.0, -6.0),
    *(-5.67, -5.33, -5.0, -4.67, -4.33, -4.0, -3.67, -3.33, -3.0, -2.67, -2.33, -2.0),
    *(-1.67, -1.33, -1.0, -0.67, -0.33, 0.0, 0.33, 0.67, 1.0, 1.33, 1.67),
    *(2.0, 3.0, 5.0, 8.0, 11.0, 15.0),
)
_SIDE_BEAMS_DEG = (
    *(-25.0, -19.0, -14.0, -12.0, -10.0, -8.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0),
    *(-0.33, 0.33, 1.0, 1.67, 2.0, 3.0, 5.0, 8.0),
)

_HULL_HEIGHT, _CABIN_LENGTH, _CABIN_WIDTH = 0.6, 2.0 / 3.0, 0.8
"""Shares of the height of a car up to its bonnet, of its length under its roof, of its width there."""


@dataclass(frozen=True)
class SpinningLidar:
    """One lidar that stands upright and turns once per frame; all its rays start at one place and one time.

    Attributes:
        name: for people.
        id: what points say about where they come from, 0 to 255.
        origin: (3,) in the ego frame, rear axle on the ground [m].
        elevations_deg: angles of the beams above the horizon, ascending; beam k is ring k.
        azimuths: rays of each beam per turn, evenly spaced; the first one looks along +x, then counter-clockwise.
    """

    name: str
    id: int
    origin: tuple[float, float, float]
    elevations_deg: tuple[float, ...]
    azimuths: int

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.elevations_deg, self.elevations_deg[1:], strict=False))
        steep = any(not -90.0 < e < 90.0 for e in self.elevations_deg)
        if not self.elevations_deg or not rising or steep or self.azimuths < 1:
            raise ConfigError(
                f"lidar {self.name} has beams at {list(self.elevations_deg)} degrees and {self.azimuths} azimuths, "
                "expected at least one of each, beams ascending between -90 and 90 degrees"
            )

    @property
    def num_rays(self) -> int:
        """Number of rays in one turn."""
        return len(self.elevations_deg) * self.azimuths


@dataclass(frozen=True)
class LidarPattern:
    """The lidars of one vehicle.

    Attributes:
        sensors: in the order of the merged cloud.
        min_range: nearer surfaces are not seen [m].
        max_range: farther surfaces give no return [m].
    """

    sensors: tuple[SpinningLidar, ...]
    min_range: float = 0.3
    max_range: float = 120.0

    @property
    def num_rays(self) -> int:
        """Number of rays of all sensors."""
        return sum(sensor.num_rays for sensor in self.sensors)


@dataclass(frozen=True)
class Rays:
    """All R rays of a pattern in the ego frame: sensor after sensor, beam after beam, azimuth after azimuth.

    Attributes:
        directions: (R, 3) unit vectors.
        origins: (R, 3) [m].
        sensor: (R,) row of the sensor in its pattern.
        ring: (R,) beam of the sensor.
        clear: (R,) whether the ray does not run into the vehicle that carries the sensors.
    """

    directions: np.ndarray
    origins: np.ndarray
    sensor: np.ndarray
    ring: np.ndarray
    clear: np.ndarray


def nuplan_lidars(azimuths: int = 900) -> LidarPattern:
    """Return the five lidars of the nuPlan vehicle, merged into one cloud there.

    Known are their number and ids, and the place of the top one; what else is here is assumed, see docs/lidar.md.
    """
    length, width, shift = VehicleParams.length, VehicleParams.width, VehicleParams.rear_axle_to_center
    side = 0.5 * width + 0.05
    front, rear = shift + 0.5 * length + 0.05, shift - 0.5 * length - 0.05
    return LidarPattern(
        (
            SpinningLidar("top", 0, (1.5185, 0.0, 1.6309 + AXLE_HEIGHT), _TOP_BEAMS_DEG, azimuths),
            SpinningLidar("left", 1, (shift, side, 0.9), _SIDE_BEAMS_DEG, azimuths),
            SpinningLidar("right", 2, (shift, -side, 0.9), _SIDE_BEAMS_DEG, azimuths),
            SpinningLidar("rear", 3, (rear, 0.0, 0.7), _SIDE_BEAMS_DEG, azimuths),
            SpinningLidar("front", 4, (front, 0.0, 0.7), _SIDE_BEAMS_DEG, azimuths),
        )
    )


def make_rays(pattern: LidarPattern, vehicle: VehicleParams | None = None) -> Rays:
    """Return the rays of `pattern`; with a vehicle, those that run into its body are not clear."""
    directions, origins, sensors, rings = [], [], [], []
    for row, sensor in enumerate(pattern.sensors):
        azimuth = 2.0 * np.pi * np.arange(sensor.azimuths) / sensor.azimuths
        elevation = np.radians(sensor.elevations_deg)[:, None]
        x, y = np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth)
        z = np.broadcast_to(np.sin(elevation), x.shape)
        directions.append(np.stack([x, y, z], axis=-1).reshape(-1, 3))
        origins.append(np.broadcast_to(np.array(sensor.origin), (sensor.num_rays, 3)))
        sensors.append(np.full(sensor.num_rays, row))
        rings.append(np.repeat(np.arange(len(sensor.elevations_deg)), sensor.azimuths))
    rays = [np.concatenate(parts) for parts in (directions, origins, sensors, rings)]
    clear = np.ones(len(rays[0]), bool) if vehicle is None else ~_hits_body(rays[0], rays[1], vehicle)
    return Rays(*rays, clear)


def _hits_body(directions: np.ndarray, origins: np.ndarray, vehicle: VehicleParams) -> np.ndarray:
    """Return whether rays (R, 3) run into the hull or the cabin of the vehicle, by slabs."""
    hits = np.zeros(len(directions), bool)
    for low, high in _body(vehicle):
        with np.errstate(divide="ignore", invalid="ignore"):
            to_low, to_high = (low - origins) / directions, (high - origins) / directions
        enter = np.nanmax(np.minimum(to_low, to_high), axis=1)
        leave = np.nanmin(np.maximum(to_low, to_high), axis=1)
        hits |= (enter <= leave) & (leave > 0.0)
    return hits


def _body(vehicle: VehicleParams) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return opposite corners (3,) of hull and cabin in the ego frame [m]: a car is lower in front and at its sides."""
    rear, front = vehicle.rear_axle_to_center - 0.5 * vehicle.length, 0.5 * vehicle.length
    front += vehicle.rear_axle_to_center
    side = 0.5 * vehicle.width
    hull = np.array([rear, -side, 0.0]), np.array([front, side, _HULL_HEIGHT * vehicle.height])
    end = rear + _CABIN_LENGTH * vehicle.length
    cabin = np.array([rear, -_CABIN_WIDTH * side, 0.0]), np.array([end, _CABIN_WIDTH * side, vehicle.height])
    return hull, cabin
