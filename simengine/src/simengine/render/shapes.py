"""Building blocks of lifted objects: axis-aligned blobs and box shells with a colour slot each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simengine.render import sh
from simengine.render.gaussians import FlatGaussians

_OVERLAP = 0.55
_SKIN = 0.02

# How bright each face of a box is: light comes from above and a little from the left and front.
_FACE_LIGHT = {"top": 1.08, "bottom": 0.4, "left": 0.9, "right": 0.8, "front": 0.95, "rear": 0.85}


@dataclass(frozen=True)
class Blobs:
    """M axis-aligned Gaussians with colours.

    Attributes:
        centers: (M, 3).
        sigmas: (M, 3) deviations along x, y, z.
        colors: (M, 3) in [0, 1].
    """

    centers: np.ndarray
    sigmas: np.ndarray
    colors: np.ndarray

    def scaled(self, factors: np.ndarray) -> Blobs:
        """Return the blobs stretched along the axes by `factors` (3,)."""
        return Blobs(self.centers * factors, self.sigmas * factors, self.colors)

    def moved(self, offset: Sequence[float]) -> Blobs:
        """Return the blobs moved by `offset` (3,)."""
        return Blobs(self.centers + np.asarray(offset), self.sigmas, self.colors)

    def to_gaussians(self, opacity: float = 0.98) -> FlatGaussians:
        """Return the blobs as Gaussians of one opacity."""
        quats = np.zeros((len(self.centers), 4), np.float32)
        quats[:, 0] = 1.0
        return FlatGaussians(
            means=self.centers,
            quats=quats,
            scales=np.maximum(self.sigmas, 1e-3),
            opacities=np.full(len(self.centers), opacity, np.float32),
            sh=sh.from_rgb(np.clip(self.colors, 0.0, 1.0)),
        )


def join(parts: Sequence[Blobs]) -> Blobs:
    """Return all blobs of `parts`."""
    return Blobs(
        np.concatenate([part.centers for part in parts]),
        np.concatenate([part.sigmas for part in parts]),
        np.concatenate([part.colors for part in parts]),
    )


def blob(center: Sequence[float], sigma: Sequence[float], color: Sequence[float]) -> Blobs:
    """Return one Gaussian."""
    return Blobs(np.array([center], float), np.array([sigma], float), np.array([color], float))


def shell(
    low: Sequence[float],
    high: Sequence[float],
    cell: float,
    color: Sequence[float],
    faces: Sequence[str] = ("top", "left", "right", "front", "rear"),
) -> Blobs:
    """Return the skin of a box from `low` (3,) to `high` (3,) [m] in cells of about `cell` [m]."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    parts = []
    for face in faces:
        axis = {"front": 0, "rear": 0, "left": 1, "right": 1, "top": 2, "bottom": 2}[face]
        at_high = face in ("front", "left", "top")
        u, v = (k for k in range(3) if k != axis)
        nu, nv = (max(int(np.ceil((high[k] - low[k]) / cell - 1e-6)), 1) for k in (u, v))
        du, dv = (high[u] - low[u]) / nu, (high[v] - low[v]) / nv
        grid_u, grid_v = np.meshgrid(low[u] + (np.arange(nu) + 0.5) * du, low[v] + (np.arange(nv) + 0.5) * dv)
        centers, sigmas = np.empty((nu * nv, 3)), np.empty((nu * nv, 3))
        centers[:, u], centers[:, v] = grid_u.ravel(), grid_v.ravel()
        centers[:, axis] = high[axis] - _SKIN if at_high else low[axis] + _SKIN
        sigmas[:, u], sigmas[:, v], sigmas[:, axis] = du * _OVERLAP, dv * _OVERLAP, _SKIN
        shade = np.clip(np.asarray(color, float) * _FACE_LIGHT[face], 0.0, 1.0)
        parts.append(Blobs(centers, sigmas, np.tile(shade, (nu * nv, 1))))
    return join(parts)
