"""Lens distortion by a supersampled warp: each real pixel averages what it sees of a finer pinhole image.

Pixel centres lie at half-integer coordinates, as everywhere in rendering.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.render.lens import Lens

SUPERSAMPLE = 2
_MAX_GROWTH = 3.0
_MIN_VALID = 0.5


@dataclass(frozen=True, eq=False)
class Warp:
    """How to draw one distorted camera.

    Attributes:
        pinhole: the camera to render: no distortion, nowhere coarser than `supersample` pixels per real pixel, just
            large enough.
        source_px: (H, W, 2) float32 place in the pinhole image (x, y) of every pixel centre of the real one, NaN
            where no ray leads to a pixel.
        supersample: samples per pixel and direction.
    """

    pinhole: CameraCalibration
    source_px: np.ndarray
    supersample: int

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return `image` (H', W', 3) uint8 of `pinhole` as the real camera sees it (H, W, 3) uint8."""
        return remap(np.ascontiguousarray(image), self.source_px, self.supersample)

    def apply_depth(self, depth: np.ndarray) -> np.ndarray:
        """Return `depth` (H', W') of `pinhole` at the pixel centres of the real camera (H, W), not interpolated."""
        columns, rows = np.nan_to_num(self.source_px[..., 0]), np.nan_to_num(self.source_px[..., 1])
        picked = depth[
            np.clip(rows.astype(int), 0, depth.shape[0] - 1),
            np.clip(columns.astype(int), 0, depth.shape[1] - 1),
        ]
        return np.where(np.isnan(self.source_px[..., 0]), np.float32(0.0), picked)


def pixel_rays(camera: CameraCalibration) -> np.ndarray:
    """Return the undistorted slopes (H, W, 2) that the pixel centres look along, NaN where no ray leads to one."""
    k = camera.intrinsic
    columns, rows = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    seen = np.stack([(columns - k[0, 2]) / k[0, 0], (rows - k[1, 2]) / k[1, 1]], axis=-1)
    return Lens.of(camera).undistort(seen)


def make_warp(camera: CameraCalibration, supersample: int = SUPERSAMPLE) -> Warp:
    """Return how to draw `camera` with `supersample` samples per pixel and direction.

    Raises:
        RenderBackendError: the lens reaches less than half of the image, or bends it too much for a pinhole.
    """
    rays = pixel_rays(camera)
    valid = ~np.isnan(rays[..., 0])
    low = np.nanmin(rays, axis=(0, 1)) if valid.any() else np.zeros(2)
    span = np.nanmax(rays, axis=(0, 1)) - low if valid.any() else np.zeros(2)
    focal = np.array([camera.intrinsic[0, 0], camera.intrinsic[1, 1]])
    growth = (span * focal / (camera.width_px, camera.height_px)).max()
    if not (valid.mean() >= _MIN_VALID and growth < _MAX_GROWTH):
        raise RenderBackendError(
            f"camera {camera.name} has distortion {camera.distortion.tolist()}, which cannot be inverted over its "
            "image, expected OpenCV k1, k2, p1, p2, k3 of a mild lens: check the calibration"
        )
    corner = np.abs(rays[valid]).max(axis=0)
    focal = focal * supersample * max(Lens.of(camera).stretch(float(np.hypot(*corner))), 1.0)
    center = np.ceil(-low * focal) + supersample
    size = np.ceil(span * focal).astype(int) + 2 * supersample + 1
    intrinsic = np.array([[focal[0], 0.0, center[0]], [0.0, focal[1], center[1]], [0.0, 0.0, 1.0]])
    pinhole = replace(
        camera, width_px=int(size[0]), height_px=int(size[1]), intrinsic=intrinsic, distortion=np.zeros(5)
    )
    return Warp(pinhole, (rays * focal + center).astype(np.float32), supersample)


@njit(cache=True, nogil=True)
def remap(image: np.ndarray, source_px: np.ndarray, supersample: int = 1) -> np.ndarray:
    """Return `image` (H', W', 3) uint8 averaged over the pixels around places (H, W, 2); borders repeat.

    Each pixel is the mean of `supersample` x `supersample` bilinear samples, spread over it along the differences to
    the places of its neighbours. Pixels without a place are black.
    """
    height, width = source_px.shape[:2]
    last_y, last_x = image.shape[0] - 1, image.shape[1] - 1
    out = np.zeros((height, width, 3), np.uint8)
    share = np.float32(1.0) / np.float32(supersample * supersample)
    one, half = np.float32(1.0), np.float32(0.5)
    for i in range(height):
        up, down = max(i - 1, 0), min(i + 1, height - 1)
        for j in range(width):
            if np.isnan(source_px[i, j, 0]):
                continue
            left, right = max(j - 1, 0), min(j + 1, width - 1)
            xx, xy = _slope(source_px, i, left, i, right, 0), _slope(source_px, up, j, down, j, 0)
            yx, yy = _slope(source_px, i, left, i, right, 1), _slope(source_px, up, j, down, j, 1)
            red = green = blue = half
            for a in range(supersample):
                dy = (np.float32(a) + half) / np.float32(supersample) - half
                for b in range(supersample):
                    dx = (np.float32(b) + half) / np.float32(supersample) - half
                    x = source_px[i, j, 0] + xx * dx + xy * dy - half
                    y = source_px[i, j, 1] + yx * dx + yy * dy - half
                    x = min(max(x, np.float32(0.0)), np.float32(last_x))
                    y = min(max(y, np.float32(0.0)), np.float32(last_y))
                    x0, y0 = int(x), int(y)
                    x1, y1 = min(x0 + 1, last_x), min(y0 + 1, last_y)
                    wx, wy = x - np.float32(x0), y - np.float32(y0)
                    w00, w01 = (one - wx) * (one - wy) * share, wx * (one - wy) * share
                    w10, w11 = (one - wx) * wy * share, wx * wy * share
                    p, q, r, s = image[y0, x0], image[y0, x1], image[y1, x0], image[y1, x1]
                    red += p[0] * w00 + q[0] * w01 + r[0] * w10 + s[0] * w11
                    green += p[1] * w00 + q[1] * w01 + r[1] * w10 + s[1] * w11
                    blue += p[2] * w00 + q[2] * w01 + r[2] * w10 + s[2] * w11
            out[i, j, 0], out[i, j, 1], out[i, j, 2] = np.uint8(red), np.uint8(green), np.uint8(blue)
    return out


@njit(cache=True, inline="always")
def _slope(source_px: np.ndarray, i0: int, j0: int, i1: int, j1: int, axis: int) -> float:
    """Return the change per pixel between two places, zero at the edge of what has a place."""
    steps = max(i1 - i0 + j1 - j0, 1)
    change = (source_px[i1, j1, axis] - source_px[i0, j0, axis]) / np.float32(steps)
    return np.float32(0.0) if np.isnan(change) else change
