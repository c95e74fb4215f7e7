"""Gaussians in the form a browser draws: one colour each, and no more of them than it can sort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render.gaussians import FlatGaussians
from simengine.render.sh import C0

# The browser keeps covariances in half precision.
_LARGEST_SCALE = 200.0


@dataclass(frozen=True)
class SplatCloud:
    """N Gaussians without view-dependent colour.

    Attributes:
        centers: (N, 3) [m].
        covariances: (N, 3, 3) [m^2].
        rgbs: (N, 3) in [0, 1].
        opacities: (N, 1) in [0, 1].
    """

    centers: np.ndarray
    covariances: np.ndarray
    rgbs: np.ndarray
    opacities: np.ndarray


def splat_cloud(gaussians: FlatGaussians, most: int | None = None) -> SplatCloud:
    """Return Gaussians for the browser.

    Args:
        gaussians: any set.
        most: how many to keep at most; where some go, the others grow, so that surfaces stay closed.
    """
    keep, growth = _thinned(len(gaussians), most)
    rotation = rotation_from_quaternion(gaussians.quats[keep])
    scales = np.minimum(gaussians.scales[keep] * growth, _LARGEST_SCALE)
    axes = rotation * scales[:, None, :]
    return SplatCloud(
        centers=gaussians.means[keep],
        covariances=(axes @ axes.transpose(0, 2, 1)).astype(np.float32),
        rgbs=(0.5 + C0 * gaussians.sh[keep, 0]).clip(0.0, 1.0),
        opacities=gaussians.opacities[keep, None].clip(0.0, 1.0),
    )


def _thinned(count: int, most: int | None) -> tuple[np.ndarray, float]:
    """Return which rows stay and how much wider they become: the area they cover together stays the same."""
    if most is None or count <= most:
        return np.arange(count), 1.0
    rows = np.random.default_rng(0).choice(count, size=most, replace=False)
    return np.sort(rows), float(np.sqrt(count / most))
