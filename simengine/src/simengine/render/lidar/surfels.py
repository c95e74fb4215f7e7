"""What a lidar needs to know of each Gaussian, found once for what does not move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from weakref import WeakKeyDictionary

import numpy as np

from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render import sh
from simengine.render.backend import MIN_ALPHA
from simengine.render.gaussians import FlatGaussians

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_MIN_SCALE = 1e-6


@dataclass(frozen=True)
class Surfels:
    """K Gaussians that a ray can see, in the frame of the scene.

    Attributes:
        means: (K, 3) float64 centres [m].
        whiten: (K, 3, 3) float32: rows are the axes of the Gaussian, each over its deviation [1/m].
        variances: (K, 3) float32 along the axes [m^2].
        opacities: (K,) float32.
        reach: (K,) float32 deviations from the centre at which the opacity has fallen to `MIN_ALPHA`.
        normals: (K, 3) float32 unit axis of the smallest deviation.
        flatness: (K,) float32: 0 for a ball or a needle, 1 for a disc without thickness.
        reflectance: (K,) float32 luminance of the colour without direction, in [0, 1].
    """

    means: np.ndarray
    whiten: np.ndarray
    variances: np.ndarray
    opacities: np.ndarray
    reach: np.ndarray
    normals: np.ndarray
    flatness: np.ndarray
    reflectance: np.ndarray

    def __len__(self) -> int:
        """Return the number of Gaussians K."""
        return len(self.means)

    def select(self, rows: np.ndarray) -> Surfels:
        """Return the Gaussians at `rows`, indices or a mask (K,)."""
        return Surfels(*(getattr(self, field.name)[rows] for field in fields(self)))

    def within(self, center: np.ndarray, distance: float) -> Surfels:
        """Return those that may be seen within `distance` [m] of `center` (3,)."""
        size = self.reach * np.sqrt(self.variances.max(axis=1, initial=0.0))
        away = np.linalg.norm(self.means - center, axis=1)
        return self.select(np.flatnonzero(away <= distance + size))


def surfels_of(gaussians: FlatGaussians) -> Surfels:
    """Return what rays can see of `gaussians`; those that are too faint or not finite are left out."""
    quats = gaussians.quats.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        axes = np.swapaxes(rotation_from_quaternion(quats), 1, 2) if len(quats) else np.zeros((0, 3, 3))
        scales = np.maximum(gaussians.scales.astype(np.float64), _MIN_SCALE)
        known = np.isfinite(axes).all(axis=(1, 2)) & np.isfinite(scales).all(axis=1)
        known &= np.isfinite(gaussians.means).all(axis=1) & (gaussians.opacities >= MIN_ALPHA)
    axes, scales = axes[known], scales[known]
    opacities = np.minimum(gaussians.opacities[known], 1.0)
    ranked = np.sort(scales, axis=1)
    thinnest = np.argmin(scales, axis=1)
    rgb = np.clip(sh.C0 * gaussians.sh[known, 0].astype(np.float64) + 0.5, 0.0, 1.0)
    values = (
        gaussians.means[known].astype(np.float64),
        axes / scales[:, :, None],
        scales**2,
        opacities,
        np.sqrt(2.0 * np.log(opacities.astype(np.float64) / MIN_ALPHA)),
        axes[np.arange(len(axes)), thinnest],
        1.0 - ranked[:, 0] / ranked[:, 1],
        rgb @ _LUMINANCE,
    )
    return Surfels(values[0], *(np.ascontiguousarray(value, dtype=np.float32) for value in values[1:]))


def join(parts: Sequence[Surfels]) -> Surfels:
    """Return all Gaussians of at least one part in order."""
    return Surfels(*(np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(Surfels)))


class SurfelCache:
    """Remembers the surfels of sets of Gaussians for as long as the caller keeps the sets."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[FlatGaussians, Surfels] = WeakKeyDictionary()

    def of(self, gaussians: FlatGaussians) -> Surfels:
        """Return the surfels of one set."""
        if gaussians not in self._known:
            self._known[gaussians] = surfels_of(gaussians)
        return self._known[gaussians]
