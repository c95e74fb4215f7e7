"""A flat set of 3-D Gaussians: what every backend draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from simengine.errors import AssetError

MAX_SH_DEGREE = 3


@dataclass(frozen=True, eq=False)
class FlatGaussians:
    """N Gaussians in one frame; compared by identity, so that backends can remember what they saw.

    Attributes:
        means: (N, 3) float32 centres [m].
        quats: (N, 4) float32 wxyz, not necessarily unit.
        scales: (N, 3) float32 standard deviations along the rotated axes [m].
        opacities: (N,) float32 in [0, 1].
        sh: (N, K, 3) float32 spherical-harmonic colour coefficients, K = 1, 4, 9 or 16.
    """

    means: np.ndarray
    quats: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray
    sh: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.means)
        for name, shape in (("means", (n, 3)), ("quats", (n, 4)), ("scales", (n, 3)), ("opacities", (n,))):
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            object.__setattr__(self, name, array)
            if array.shape != shape:
                raise AssetError(
                    f"Gaussian {name} have shape {array.shape}, expected {shape}: repair the asset"
                )
        sh = np.ascontiguousarray(self.sh, dtype=np.float32)
        object.__setattr__(self, "sh", sh)
        bands = [(d + 1) ** 2 for d in range(MAX_SH_DEGREE + 1)]
        if sh.ndim != 3 or sh.shape[0] != n or sh.shape[1] not in bands or sh.shape[2] != 3:
            raise AssetError(
                f"Gaussian colour coefficients have shape {sh.shape}, expected ({n}, K, 3) with K in {bands}: "
                "repair the asset"
            )

    def __len__(self) -> int:
        """Return the number of Gaussians N."""
        return len(self.means)

    @property
    def sh_degree(self) -> int:
        """Degree of the colour coefficients, 0 to 3."""
        return int(np.sqrt(self.sh.shape[1])) - 1

    @property
    def nbytes(self) -> int:
        """Memory of all arrays [bytes]."""
        return sum(getattr(self, item.name).nbytes for item in fields(self))

    @classmethod
    def empty(cls) -> FlatGaussians:
        """Return a set of no Gaussians."""
        return cls(np.zeros((0, 3)), np.zeros((0, 4)), np.zeros((0, 3)), np.zeros(0), np.zeros((0, 1, 3)))


def concatenate(parts: Sequence[FlatGaussians]) -> FlatGaussians:
    """Return all Gaussians of `parts` in order; colours are zero-padded to the highest degree."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return FlatGaussians.empty()
    if len(parts) == 1:
        return parts[0]
    bands = max(part.sh.shape[1] for part in parts)
    sh = np.zeros((sum(len(part) for part in parts), bands, 3), np.float32)
    start = 0
    for part in parts:
        sh[start : start + len(part), : part.sh.shape[1]] = part.sh
        start += len(part)
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("means", "quats", "scales", "opacities")
    }
    return FlatGaussians(**joined, sh=sh)
