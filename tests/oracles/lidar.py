"""A lidar ray by ray, every Gaussian for every ray, as the page on lidars describes it."""

from __future__ import annotations

import numpy as np

from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render.gaussians import FlatGaussians


def cast_all(
    gaussians: FlatGaussians, origins: np.ndarray, directions: np.ndarray, near: float, far: float
) -> np.ndarray:
    """Return range and returned light (R, 2) of rays (R, 3); NaN and 0 without a return."""
    blobs = []
    for k in range(len(gaussians)):
        rotation = rotation_from_quaternion(gaussians.quats[k].astype(float))
        scale = gaussians.scales[k].astype(float)
        thin, middle = np.sort(scale)[:2]
        rgb = np.clip(0.28209479177387814 * gaussians.sh[k, 0].astype(float) + 0.5, 0, 1)
        blobs.append(
            {
                "mean": gaussians.means[k].astype(float),
                "precision": rotation @ np.diag(scale**-2.0) @ rotation.T,
                "opacity": float(gaussians.opacities[k]),
                "normal": rotation[:, np.argmin(scale)],
                "flat": 1 - thin / middle,
                "grey": rgb @ [0.2126, 0.7152, 0.0722],
            }
        )
    return np.array([_cast(blobs, o, d, near, far) for o, d in zip(origins, directions, strict=True)])


def _cast(blobs: list, origin: np.ndarray, direction: np.ndarray, near: float, far: float) -> tuple:
    met = []
    for blob in blobs:
        along, offset = blob["precision"] @ direction, origin - blob["mean"]
        place = -(along @ offset) / (along @ direction)
        away = offset + place * direction
        alpha = min(0.999, blob["opacity"] * np.exp(-0.5 * away @ blob["precision"] @ away))
        if alpha >= 1 / 255 and near <= place <= far:
            cosine = abs(blob["normal"] @ direction)
            met.append((place, alpha, blob["grey"] * (1 - blob["flat"] + blob["flat"] * cosine)))
    through, weights, light = 1.0, 0.0, 0.0
    for place, alpha, shine in sorted(met):
        weights += alpha * through
        light += alpha * through * shine
        through *= 1 - alpha
        if through <= 0.5:
            return place, light / weights
    return np.nan, 0.0
