"""A lidar ray by ray, every Gaussian for every ray, as the page on lidars describes it."""

from __future__ import annotations

import numpy as np

from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render.gaussians import FlatGaussians


def cast_one(
    gaussians: FlatGaussians, origin: np.ndarray, direction: np.ndarray, near: float, far: float
) -> tuple[float, float]:
    """Return range and returned light of one ray; NaN and 0 without a return."""
    met = []
    for k in range(len(gaussians)):
        rotation = rotation_from_quaternion(gaussians.quats[k].astype(float))
        scale = gaussians.scales[k].astype(float)
        precision = rotation @ np.diag(scale**-2.0) @ rotation.T
        offset = origin - gaussians.means[k].astype(float)
        place = -(direction @ precision @ offset) / (direction @ precision @ direction)
        away = offset + place * direction
        alpha = min(0.999, float(gaussians.opacities[k]) * np.exp(-0.5 * away @ precision @ away))
        if alpha >= 1 / 255 and near <= place <= far:
            rgb = np.clip(0.28209479177387814 * gaussians.sh[k, 0].astype(float) + 0.5, 0, 1)
            thin, middle = np.sort(scale)[:2]
            cosine = abs(rotation[:, np.argmin(scale)] @ direction)
            flat = 1 - thin / middle
            met.append((place, alpha, rgb @ [0.2126, 0.7152, 0.0722] * (1 - flat + flat * cosine)))
    through, weights, light = 1.0, 0.0, 0.0
    for place, alpha, shine in sorted(met):
        weights += alpha * through
        light += alpha * through * shine
        through *= 1 - alpha
        if through <= 0.5:
            return place, light / weights
    return np.nan, 0.0
