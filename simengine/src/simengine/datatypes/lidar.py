"""A point cloud of all lidars of the ego at one instant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.check import require_finite, require_shape


@dataclass(frozen=True, eq=False)
class LidarCloud:
    """N returns of all sensors, merged; sensor after sensor, beam after beam.

    Attributes:
        points: (N, 3) float32 in our ego frame, rear axle on the ground [m].
        intensity: (N,) uint8, see docs/lidar.md.
        ring: (N,) uint8 beam of its sensor, 0 being the lowest.
        sensor: (N,) uint8 id of the sensor, nuPlan's `lidar_info`.
    """

    points: np.ndarray
    intensity: np.ndarray
    ring: np.ndarray
    sensor: np.ndarray

    def __post_init__(self) -> None:
        require_shape("lidar.points", self.points, (len(self.points), 3))
        require_finite("lidar.points", self.points)
        for name in ("intensity", "ring", "sensor"):
            require_shape(f"lidar.{name}", getattr(self, name), (len(self.points),))

    def __len__(self) -> int:
        """Return the number of returns N."""
        return len(self.points)
