"""Camera calibration: OpenCV intrinsics and the pose on the vehicle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from simengine.datatypes.check import require_finite, require_shape
from simengine.datatypes.vehicle import AXLE_HEIGHT

_LENS_SIZES = (5, 8, 12)


@dataclass(frozen=True)
class CameraCalibration:
    """One camera: x right, y down, z forward (OpenCV).

    Attributes:
        name: channel, such as `CAM_F0`.
        width_px: image width.
        height_px: image height.
        intrinsic: (3, 3) pinhole matrix [px].
        ego_from_cam: (4, 4) pose of the camera in the ego frame (rear axle on the ground).
        distortion: (5,) OpenCV k1, k2, p1, p2, k3; zeros for a pinhole. Also (8,) with k4, k5, k6, and (12,) with the
            thin prism s1, s2, s3, s4.
    """

    name: str
    width_px: int
    height_px: int
    intrinsic: np.ndarray
    ego_from_cam: np.ndarray
    distortion: np.ndarray

    def __post_init__(self) -> None:
        require_shape(f"camera {self.name}.intrinsic", self.intrinsic, (3, 3))
        require_shape(f"camera {self.name}.ego_from_cam", self.ego_from_cam, (4, 4))
        if np.shape(self.distortion) not in [(size,) for size in _LENS_SIZES]:
            require_shape(f"camera {self.name}.distortion", self.distortion, _LENS_SIZES[:1])
        for field in ("intrinsic", "ego_from_cam", "distortion"):
            require_finite(f"camera {self.name}.{field}", getattr(self, field))

    @property
    def lens(self) -> np.ndarray:
        """All twelve coefficients of `distortion`; those it leaves out are zeros."""
        return _padded(self.distortion, _LENS_SIZES[-1])

    def resized(self, width_px: int, height_px: int) -> CameraCalibration:
        """Return the calibration of the same camera with images scaled to another size."""
        scale = np.diag([width_px / self.width_px, height_px / self.height_px, 1.0])
        return replace(self, width_px=width_px, height_px=height_px, intrinsic=scale @ self.intrinsic)


def ground_from_axle(pose: np.ndarray) -> np.ndarray:
    """Return a pose (4, 4) in the ego frame, given one in the frame of nuPlan and the original at the rear axle."""
    raised = np.array(pose, np.float64)
    raised[2, 3] += AXLE_HEIGHT
    return raised


def lens_coefficients(listed: ArrayLike | None) -> np.ndarray:
    """Return the `distortion` of a camera, given OpenCV's coefficients as a file lists them; the rest are zeros.

    Args:
        listed: the first of k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4; None or nothing for a pinhole.

    Raises:
        ValueError: there are more than these.
    """
    given = np.asarray(() if listed is None else listed, np.float64).ravel()
    if len(given) > _LENS_SIZES[-1]:
        raise ValueError(f"{len(given)} lens coefficients, expected at most {_LENS_SIZES[-1]} of OpenCV's")
    return _padded(given, next(size for size in _LENS_SIZES if size >= len(given)))


def _padded(coefficients: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([coefficients, np.zeros(size - len(coefficients))])
