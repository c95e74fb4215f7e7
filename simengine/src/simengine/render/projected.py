"""Gaussians on an image plane, as the reference projections give them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Projected:
    """M Gaussians on the image plane of one camera, nearest first.

    Attributes:
        index: (M,) row in the flat set.
        center_px: (M, 2) projected centre.
        covariance_px: (M, 2, 2) projected covariance with the blur.
        opacity: (M,) after compensation.
        depth: (M,) distance along the optical axis [m].
        color: (M, 3) seen from this camera.
    """

    index: np.ndarray
    center_px: np.ndarray
    covariance_px: np.ndarray
    opacity: np.ndarray
    depth: np.ndarray
    color: np.ndarray
