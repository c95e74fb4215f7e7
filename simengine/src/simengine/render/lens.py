"""The lens of a camera after OpenCV: where it moves image points, and how far out it can be trusted.

Normalised image points are pixels without focal length and principal point: x right, y down, depth one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import Polynomial

from simengine.datatypes.camera import CameraCalibration

_ITERATIONS = 40
_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Lens:
    """Coefficients of one lens.

    Attributes:
        radial: (6,) k1, k2, k3 above and k4, k5, k6 below the fraction bar.
        tangential: (2,) p1, p2.
        thin_prism: (4,) s1, s2, s3, s4.
    """

    radial: np.ndarray
    tangential: np.ndarray
    thin_prism: np.ndarray

    @classmethod
    def of(cls, camera: CameraCalibration) -> Lens:
        """Return the lens of `camera`."""
        return cls.from_opencv(camera.distortion)

    @classmethod
    def from_opencv(cls, coefficients: np.ndarray) -> Lens:
        """Return the lens with OpenCV's coefficients k1, k2, p1, p2, k3[, k4, k5, k6[, s1, s2, s3, s4]]."""
        c = np.zeros(12)
        c[: len(coefficients)] = coefficients
        return cls(c[[0, 1, 4, 5, 6, 7]], c[[2, 3]], c[8:12])

    @property
    def is_pinhole(self) -> bool:
        """Whether the lens moves nothing."""
        return not (self.radial.any() or self.tangential.any() or self.thin_prism.any())

    @cached_property
    def fold_radius(self) -> float:
        """Undistorted radius at which the radial part turns back, so that farther rays hit the image again."""
        k1, k2, k3, k4, k5, k6 = self.radial
        above, below = Polynomial([1.0, k1, k2, k3]), Polynomial([1.0, k4, k5, k6])
        # The derivative of r above(r^2) / below(r^2) over r, without its positive denominator.
        slope = above * below + Polynomial([0.0, 2.0]) * (above.deriv() * below - above * below.deriv())
        return float(np.sqrt(min(_first_root(slope), _first_root(below))))

    def stretch(self, reach: float) -> float:
        """Return by how much the lens enlarges anything at most, for bounds.

        Args:
            reach: distorted radius up to which it matters; rays beyond 84 degrees do not count.
        """
        radius = np.linspace(0.0, min(self.fold_radius, 10.0), 512)
        line = np.stack([radius, 0.0 * radius], axis=-1)
        landed = radius * self.radial_factor(line)
        count = max(int(np.argmax(landed > reach)) or len(radius), 2)
        along = np.abs(np.diff(landed[:count])).max() / radius[1]
        across = self.radial_factor(line[:count]).max()
        edge = radius[count - 1]
        bent = 6.0 * np.abs(self.tangential).sum() * edge + 8.0 * np.abs(self.thin_prism).sum() * (
            edge + edge**3
        )
        return float(max(along, across) + bent)

    def radial_factor(self, points: np.ndarray) -> np.ndarray:
        """Return by how much the radial part scales normalised image points (..., 2)."""
        k1, k2, k3, k4, k5, k6 = self.radial
        r2 = points[..., 0] ** 2 + points[..., 1] ** 2
        return (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)))

    def distort(self, points: np.ndarray) -> np.ndarray:
        """Return where normalised image points (..., 2) are moved to."""
        p1, p2 = self.tangential
        s1, s2, s3, s4 = self.thin_prism
        x, y = points[..., 0], points[..., 1]
        r2 = x * x + y * y
        radial = self.radial_factor(points)
        return np.stack(
            [
                x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x) + r2 * (s1 + r2 * s2),
                y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y + r2 * (s3 + r2 * s4),
            ],
            axis=-1,
        )

    def undistort(self, points: np.ndarray) -> np.ndarray:
        """Return the inverse of `distort` at points (..., 2) by Newton's method, NaN where no ray leads to them."""
        points = np.asarray(points, dtype=np.float64)
        guess, step = self._start(points), 1e-6
        with np.errstate(all="ignore"):
            for _ in range(_ITERATIONS):
                error = self.distort(guess) - points
                if np.nanmax(np.abs(error), initial=0.0) < _TOLERANCE:
                    break
                a, c = np.moveaxis(self.distort(guess + [step, 0.0]) - points - error, -1, 0) / step
                b, d = np.moveaxis(self.distort(guess + [0.0, step]) - points - error, -1, 0) / step
                det = a * d - b * c
                shift = np.stack(
                    [d * error[..., 0] - b * error[..., 1], a * error[..., 1] - c * error[..., 0]], -1
                )
                guess = guess - np.clip(shift / det[..., None], -0.3, 0.3)
            missed = np.abs(self.distort(guess) - points).max(axis=-1) > 1e-9
            missed |= ~(np.hypot(guess[..., 0], guess[..., 1]) < self.fold_radius)
        return np.where(missed[..., None], np.nan, guess)

    def _start(self, points: np.ndarray) -> np.ndarray:
        """Return points pulled within the fold, from where Newton's method does not leave it."""
        radius = np.hypot(points[..., 0], points[..., 1])
        scale = np.minimum(1.0, 0.9 * self.fold_radius / np.maximum(radius, 1e-12))
        return points * scale[..., None]


def _first_root(polynomial: Polynomial) -> float:
    """Return the smallest positive root, infinity without one."""
    roots = polynomial.trim().roots()
    real = roots[np.abs(roots.imag) < 1e-9].real
    return float(real[real > 0.0].min(initial=np.inf))
