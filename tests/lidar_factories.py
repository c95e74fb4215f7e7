"""Walls of flat Gaussians with known planes, and small lidars, for the tests of lidars and depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.geometry.se3 import quaternion_from_rotation
from simengine.render.gaussians import FlatGaussians
from simengine.render.lidar.pattern import LidarPattern, SpinningLidar
from simengine.render.sh import from_rgb


@dataclass(frozen=True)
class Panel:
    """A flat rectangle: corner + [0, 1] * u + [0, 1] * v [m], u and v at right angles."""

    corner: tuple[float, float, float]
    u: tuple[float, float, float]
    v: tuple[float, float, float]

    def gaussians(
        self, cell: float = 0.2, thickness: float = 1e-3, grey: float = 0.5, overlap: float = 0.55
    ) -> FlatGaussians:
        """Return the panel tiled with opaque discs, one in each cell of about `cell` [m], `overlap` cells wide."""
        u, v = np.array(self.u), np.array(self.v)
        nu, nv = (max(round(np.linalg.norm(side) / cell), 1) for side in (u, v))
        a, b = np.meshgrid((np.arange(nu) + 0.5) / nu, (np.arange(nv) + 0.5) / nv)
        means = np.array(self.corner) + a.reshape(-1, 1) * u + b.reshape(-1, 1) * v
        x, y = u / np.linalg.norm(u), v / np.linalg.norm(v)
        quaternion = quaternion_from_rotation(np.stack([x, y, np.cross(x, y)], axis=1))
        n, sigma = len(means), overlap * cell
        return FlatGaussians(
            means,
            np.tile(quaternion, (n, 1)),
            np.tile([sigma, sigma, thickness], (n, 1)),
            np.full(n, 0.98),
            from_rgb(np.full((n, 3), grey)),
        )

    def ranges(self, origins: np.ndarray, directions: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Return how far rays (R, 3) go to the panel, grown by `margin` [m] on all sides; infinity past it."""
        u, v, corner = np.array(self.u), np.array(self.v), np.array(self.corner)
        normal = np.cross(u, v)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = ((corner - origins) @ normal) / (directions @ normal)
        reach = np.where(reach > 0, reach, np.inf)
        at = origins + np.where(np.isfinite(reach), reach, 0.0)[:, None] * directions - corner
        inside = np.isfinite(reach)
        for side in (u, v):
            length = np.linalg.norm(side)
            along = at @ side / length
            inside &= (along >= -margin) & (along <= length + margin)
        return np.where(inside, reach, np.inf)


COURTYARD = (
    Panel((-20.0, -20.0, 0.0), (50.0, 0.0, 0.0), (0.0, 40.0, 0.0)),  # ground
    Panel((18.0, -12.0, 0.0), (0.0, 24.0, 0.0), (0.0, 0.0, 6.0)),  # a wall across
    Panel((-10.0, -9.0, 0.0), (25.0, 3.0, 0.0), (0.0, 0.0, 4.0)),  # one at an angle
    Panel((8.0, 2.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 1.6)),  # a box: rear, side, top
    Panel((8.0, 2.0, 0.0), (4.0, 0.0, 0.0), (0.0, 0.0, 1.6)),
    Panel((8.0, 2.0, 1.6), (4.0, 0.0, 0.0), (0.0, 2.0, 0.0)),
)


def nearest(panels: tuple[Panel, ...], origins: np.ndarray, directions: np.ndarray, margin: float = 0.0):
    """Return how far rays go to the nearest panel."""
    return np.min([panel.ranges(origins, directions, margin) for panel in panels], axis=0)


def small_lidar(azimuths: int = 180, beams: int = 12, origin=(0.3, -0.2, 2.0)) -> LidarPattern:
    """Return one lidar that looks 30 degrees down and 10 up."""
    return LidarPattern(
        (SpinningLidar("small", 7, origin, tuple(np.linspace(-30.0, 10.0, beams)), azimuths),)
    )
