"""A dome of wide Gaussians: sky above, haze at the horizon, ground colour below."""

from __future__ import annotations

import numpy as np

from simengine.render import sh
from simengine.render.gaussians import FlatGaussians

RADIUS = 600.0
_STEP_DEG = 9.0
_SIGMA_PER_STEP = 0.6

_ZENITH = np.array([0.33, 0.53, 0.80])
_MIDDLE = np.array([0.58, 0.73, 0.90])
_HORIZON = np.array([0.82, 0.86, 0.90])
_BELOW = np.array([0.33, 0.335, 0.33])


def sky_gaussians(rng: np.random.Generator) -> FlatGaussians:
    """Return the dome around the origin."""
    directions = []
    for elevation_deg in np.arange(-90.0 + 0.5 * _STEP_DEG, 90.0, _STEP_DEG):
        count = max(round(360.0 * float(np.cos(np.radians(elevation_deg))) / _STEP_DEG), 3)
        azimuth = 2.0 * np.pi * np.arange(count) / count
        elevation = np.full(count, np.radians(elevation_deg))
        directions.append(
            np.stack(
                [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)],
                axis=1,
            )
        )
    outward = np.concatenate(directions)
    n = len(outward)
    sigma = RADIUS * np.radians(_STEP_DEG) * _SIGMA_PER_STEP
    return FlatGaussians(
        means=outward * RADIUS,
        quats=_facing(outward),
        scales=np.tile([0.01 * sigma, sigma, sigma], (n, 1)),
        opacities=np.full(n, 0.99, np.float32),
        sh=sh.from_rgb(_colors(outward, rng)),
    )


def _facing(outward: np.ndarray) -> np.ndarray:
    """Return quaternions (N, 4) that turn the x axis to unit vectors (N, 3)."""
    x, y, z = outward.T
    # Half-way rotation about the axis x cross outward = (0, -z, y).
    quats = np.stack([1.0 + x, np.zeros_like(x), -z, y], axis=1)
    quats[x < -1.0 + 1e-9] = (0.0, 0.0, 0.0, 1.0)
    return quats / np.linalg.norm(quats, axis=1, keepdims=True)


def _colors(outward: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return colours (N, 3) by elevation, with faint clouds."""
    height = outward[:, 2]
    low = np.clip(height / 0.30, 0.0, 1.0)[:, None]
    high = np.clip((height - 0.30) / 0.6, 0.0, 1.0)[:, None]
    sky = (_HORIZON + low * (_MIDDLE - _HORIZON)) * (1.0 - high) + high * _ZENITH
    azimuth = np.arctan2(outward[:, 1], outward[:, 0])
    phase = rng.uniform(0.0, 2.0 * np.pi, 2)
    cloud = np.sin(3.0 * azimuth + phase[0]) * np.sin(5.0 * azimuth + 9.0 * height + phase[1])
    sky = sky + (np.clip(cloud, 0.0, 1.0) * low[:, 0] * 0.12)[:, None]
    return np.clip(np.where((height < 0.0)[:, None], _BELOW, sky), 0.0, 1.0)
