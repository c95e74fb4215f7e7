"""Lens distortion: which pixel of a wider pinhole image each pixel of a real camera sees.

Pixel centres lie at half-integer coordinates, as everywhere in rendering.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError

_ITERATIONS = 40
_TOLERANCE_PX = 1e-3
_MAX_GROWTH = 3.0


@dataclass(frozen=True)
class Warp:
    """How to draw one distorted camera.

    Attributes:
        pinhole: the camera to render: same focal length, no distortion, just large enough.
        source_px: (H, W, 2) float32 place in the pinhole image (x, y) of every pixel of the real one.
    """

    pinhole: CameraCalibration
    source_px: np.ndarray

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return `image` (H', W', 3) uint8 of `pinhole` as the real camera sees it (H, W, 3) uint8."""
        return remap(np.ascontiguousarray(image), self.source_px)


def distort(points: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return where a lens moves normalised image points (..., 2); coefficients are k1, k2, p1, p2, k3."""
    k1, k2, p1, p2, k3 = coefficients
    x, y = points[..., 0], points[..., 1]
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        [
            x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
            y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
        ],
        axis=-1,
    )


def undistort(points: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return the inverse of `distort` at points (..., 2) by Newton's method."""
    points = np.asarray(points, dtype=np.float64)
    guess = points.copy()
    step = 1e-6
    for _ in range(_ITERATIONS):
        error = distort(guess, coefficients) - points
        if np.abs(error).max(initial=0.0) < 1e-12:
            break
        shift_x = distort(guess + np.array([step, 0.0]), coefficients) - points - error
        shift_y = distort(guess + np.array([0.0, step]), coefficients) - points - error
        jacobian = np.stack([shift_x, shift_y], axis=-1) / step
        det = jacobian[..., 0, 0] * jacobian[..., 1, 1] - jacobian[..., 0, 1] * jacobian[..., 1, 0]
        det = np.where(np.abs(det) < 1e-9, 1e-9, det)
        dx = (jacobian[..., 1, 1] * error[..., 0] - jacobian[..., 0, 1] * error[..., 1]) / det
        dy = (jacobian[..., 0, 0] * error[..., 1] - jacobian[..., 1, 0] * error[..., 0]) / det
        guess = guess - np.clip(np.stack([dx, dy], axis=-1), -0.3, 0.3)
    return guess


def make_warp(camera: CameraCalibration) -> Warp:
    """Return how to draw `camera`, whose distortion is not zero."""
    fx, fy = camera.intrinsic[0, 0], camera.intrinsic[1, 1]
    cx, cy = camera.intrinsic[0, 2], camera.intrinsic[1, 2]
    columns, rows = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    seen = np.stack([(columns - cx) / fx, (rows - cy) / fy], axis=-1)
    rays = undistort(seen, camera.distortion)
    miss = np.abs(distort(rays, camera.distortion) - seen).max() * max(fx, fy)
    span = rays.reshape(-1, 2).max(axis=0) - rays.reshape(-1, 2).min(axis=0)
    growth = (span * (fx, fy) / (camera.width_px, camera.height_px)).max()
    if not (miss < _TOLERANCE_PX and growth < _MAX_GROWTH):
        raise RenderBackendError(
            f"camera {camera.name} has distortion {camera.distortion.tolist()}, which cannot be inverted over its "
            "image, expected OpenCV k1, k2, p1, p2, k3 of a mild lens: check the calibration"
        )
    low = rays.reshape(-1, 2).min(axis=0)
    center = np.ceil(-low * (fx, fy)) + 1.0
    size = np.ceil(span * (fx, fy)).astype(int) + 3
    intrinsic = np.array([[fx, 0.0, center[0]], [0.0, fy, center[1]], [0.0, 0.0, 1.0]])
    pinhole = replace(
        camera, width_px=int(size[0]), height_px=int(size[1]), intrinsic=intrinsic, distortion=np.zeros(5)
    )
    return Warp(pinhole, (rays * (fx, fy) + center).astype(np.float32))


@njit(cache=True, nogil=True)
def remap(image: np.ndarray, source_px: np.ndarray) -> np.ndarray:
    """Return `image` (H', W', 3) uint8 sampled bilinearly at places (H, W, 2); borders repeat."""
    height, width = source_px.shape[:2]
    last_y, last_x = image.shape[0] - 1, image.shape[1] - 1
    out = np.empty((height, width, 3), np.uint8)
    for i in range(height):
        for j in range(width):
            x = min(max(source_px[i, j, 0] - np.float32(0.5), np.float32(0.0)), np.float32(last_x))
            y = min(max(source_px[i, j, 1] - np.float32(0.5), np.float32(0.0)), np.float32(last_y))
            x0, y0 = int(x), int(y)
            x1, y1 = min(x0 + 1, last_x), min(y0 + 1, last_y)
            wx, wy = x - np.float32(x0), y - np.float32(y0)
            for c in range(3):
                upper = image[y0, x0, c] * (np.float32(1.0) - wx) + image[y0, x1, c] * wx
                lower = image[y1, x0, c] * (np.float32(1.0) - wx) + image[y1, x1, c] * wx
                out[i, j, c] = np.uint8(upper * (np.float32(1.0) - wy) + lower * wy + np.float32(0.5))
    return out
