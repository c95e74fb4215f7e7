"""Compiled projection through real lenses and rolling shutters; `reference_lens` is the obvious version."""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.datatypes.camera import CameraCalibration
from simengine.render.backend import EPS_2D, EXTENT_SIGMAS, FAR_PLANE, NEAR_PLANE
from simengine.render.cpu_projection import VIEW_SIZE, shade, write_splat
from simengine.render.lens import Lens
from simengine.render.shutter import between, pose_parts
from simengine.render.unscented import (
    CENTER_WEIGHT,
    MARGIN,
    MIN_DEPTH_SHARE,
    SHUTTER_ITERATIONS,
    SPREAD,
    WEIGHT,
)

# Columns of a lens view after those of `cpu_projection.View`, whose pose is only looked at for colours.
START, END, COEFFICIENTS, FOLD, STRETCH = 18, 25, 32, 44, 45
LENS_VIEW_SIZE = 46
_SPLAT_SIZE = 12


def lens_view(
    camera: CameraCalibration, world_from_cam: np.ndarray, end_world_from_cam: np.ndarray | None
) -> np.ndarray:
    """Return the row (46,) that describes one camera to the compiled loops; poses (4, 4) of first and last row."""
    lens, k = Lens.of(camera), camera.intrinsic
    last = world_from_cam if end_world_from_cam is None else end_world_from_cam
    start, end = pose_parts(world_from_cam), pose_parts(last)
    rotation, center = between(start, end, 0.5)
    view = np.empty(LENS_VIEW_SIZE)
    view[:6] = k[0, 0], k[1, 1], k[0, 2], k[1, 2], camera.width_px, camera.height_px
    view[6:VIEW_SIZE] = [*rotation.ravel(), *(-rotation @ center)]
    view[START:END] = [*start[0], *start[1]]
    view[END:COEFFICIENTS] = [*(end[0] if start[0] @ end[0] >= 0.0 else -end[0]), *end[1]]
    view[COEFFICIENTS:FOLD] = [*lens.radial, *lens.tangential, *lens.thin_prism]
    far_x = ((0.5 + MARGIN) * camera.width_px + abs(k[0, 2] - 0.5 * camera.width_px)) / k[0, 0]
    far_y = ((0.5 + MARGIN) * camera.height_px + abs(k[1, 2] - 0.5 * camera.height_px)) / k[1, 1]
    view[FOLD], view[STRETCH] = min(lens.fold_radius, 1e9), lens.stretch(float(np.hypot(far_x, far_y)))
    return view


@njit(cache=True, inline="always", error_model="numpy")
def _to_camera(v: np.ndarray, share: float, px: float, py: float, pz: float) -> tuple[float, float, float]:
    """Return a world point in the frame that the camera has at `share` of the read-out."""
    a, b = 1.0 - share, share
    px -= a * v[22] + b * v[29]
    py -= a * v[23] + b * v[30]
    pz -= a * v[24] + b * v[31]
    qw, qx = a * v[18] + b * v[25], a * v[19] + b * v[26]
    qy, qz = a * v[20] + b * v[27], a * v[21] + b * v[28]
    norm = 2.0 / (qw * qw + qx * qx + qy * qy + qz * qz)
    # p + norm * q x (q x p + w p)
    cx = qy * pz - qz * py + qw * px
    cy = qz * px - qx * pz + qw * py
    cz = qx * py - qy * px + qw * pz
    return px + norm * (qy * cz - qz * cy), py + norm * (qz * cx - qx * cz), pz + norm * (qx * cy - qy * cx)


@njit(cache=True, inline="always", error_model="numpy")
def _through_lens(v: np.ndarray, x: float, y: float) -> tuple[float, float]:
    """Return where a ray of slopes (x, y) lands [px]; one beyond the fold is pulled to it."""
    r2 = x * x + y * y
    fold = v[FOLD]
    if r2 > fold * fold:
        scale = fold / np.sqrt(r2)
        x, y = x * scale, y * scale
        r2 = x * x + y * y
    radial = 1.0 + r2 * (v[32] + r2 * (v[33] + r2 * v[34]))
    radial /= 1.0 + r2 * (v[35] + r2 * (v[36] + r2 * v[37]))
    p1, p2 = v[38], v[39]
    u = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x) + r2 * (v[40] + r2 * v[41])
    w = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y + r2 * (v[42] + r2 * v[43])
    return v[0] * u + v[2], v[1] * w + v[3]


@njit(cache=True, inline="always", error_model="numpy")
def _land(
    v: np.ndarray, px: float, py: float, pz: float, min_depth: float, rolling: bool
) -> tuple[float, float]:
    """Return where a world point lands [px], seen when its row is read, at least `min_depth` away."""
    x, y, z = _to_camera(v, 0.5, px, py, pz)
    z = max(z, min_depth)
    u, w = _through_lens(v, x / z, y / z)
    if rolling:
        for _ in range(SHUTTER_ITERATIONS):
            share = min(max(w / v[5], -MARGIN), 1.0 + MARGIN)
            x, y, z = _to_camera(v, share, px, py, pz)
            z = max(z, min_depth)
            u, w = _through_lens(v, x / z, y / z)
    return u, w


@njit(cache=True, nogil=True, error_model="numpy")
def find_lens_candidates(
    means: np.ndarray, scales: np.ndarray, view: np.ndarray, rolling: bool
) -> np.ndarray:
    """Return the rows (M,) int32 of Gaussians that may touch the image, by twice the radius of a linear projection.

    Args:
        means: (N, 3) float32.
        scales: (N, 3) float32.
        view: (46,) float64 of `lens_view`.
        rolling: whether the camera moves while the rows are read.
    """
    v, index, count = view, np.empty(len(means), np.int32), 0
    width, height = v[4], v[5]
    per_slope = 2.0 * EXTENT_SIGMAS * max(v[0], v[1]) * v[STRETCH]
    slack = 2.0 * EXTENT_SIGMAS * np.sqrt(EPS_2D) + 2.0
    for i in range(len(means)):
        px, py, pz = np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2])
        x, y, z = _to_camera(v, 0.5, px, py, pz)
        if not (NEAR_PLANE <= z <= FAR_PLANE and x * x + y * y < (v[FOLD] * z) ** 2):
            continue
        size = max(scales[i, 0], scales[i, 1], scales[i, 2])
        reach = max(MARGIN * width, MARGIN * height)
        if z > 2.0 * size:
            slopes = 1.0 + (x * x + y * y) / (z * z)
            reach = min(reach, per_slope * size * slopes / z + slack)
        u, w = _through_lens(v, x / z, y / z)
        if rolling:
            x, y, z = _to_camera(v, 0.0, px, py, pz)
            z = max(z, NEAR_PLANE)
            u0, w0 = _through_lens(v, x / z, y / z)
            reach += 2.0 * max(abs(u0 - u), abs(w0 - w)) + slack
        if u + reach <= 0.0 or u - reach >= width or w + reach <= 0.0 or w - reach >= height:
            continue
        index[count] = i
        count += 1
    return index[:count].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def project_lens_candidates(
    means: np.ndarray,
    quats: np.ndarray,
    scales: np.ndarray,
    opacities: np.ndarray,
    sh: np.ndarray,
    view: np.ndarray,
    rolling: bool,
    index: np.ndarray,
) -> np.ndarray:
    """Return the visible ones (M, 12) float32 of the candidates `index`, in their order; see `Splat`.

    Arguments are those of `cpu_projection.project_candidates`, with the (46,) view of `lens_view`.
    """
    splats, count = np.empty((len(index), _SPLAT_SIZE), np.float32), 0
    for i in index:
        if _project_one(means[i], quats[i], scales[i], opacities[i], view, rolling, splats[count]):
            shade(means[i], sh[i], view, splats[count])
            count += 1
    return splats[:count]


@njit(cache=True, error_model="numpy")
def _project_one(
    mean: np.ndarray,
    quat: np.ndarray,
    scale: np.ndarray,
    opacity: float,
    v: np.ndarray,
    rolling: bool,
    out: np.ndarray,
) -> bool:
    """Write one projected Gaussian to `out` (12,) and return whether it can touch the image."""
    px, py, pz = np.float64(mean[0]), np.float64(mean[1]), np.float64(mean[2])
    depth = _to_camera(v, 0.5, px, py, pz)[2]
    min_depth = MIN_DEPTH_SHARE * depth
    u0, w0 = _land(v, px, py, pz, min_depth, rolling)
    width, height = v[4], v[5]
    if not (
        -MARGIN * width <= u0 < (1.0 + MARGIN) * width and -MARGIN * height <= w0 < (1.0 + MARGIN) * height
    ):
        return False
    qw, qx, qy, qz = np.float64(quat[0]), np.float64(quat[1]), np.float64(quat[2]), np.float64(quat[3])
    unit = 2.0 / (qw * qw + qx * qx + qy * qy + qz * qz)
    shift_x = shift_y = cov_xx = cov_xy = cov_yy = 0.0
    for axis in range(3):
        if axis == 0:
            ex = 1.0 - unit * (qy * qy + qz * qz)
            ey = unit * (qx * qy + qw * qz)
            ez = unit * (qx * qz - qw * qy)
        elif axis == 1:
            ex = unit * (qx * qy - qw * qz)
            ey = 1.0 - unit * (qx * qx + qz * qz)
            ez = unit * (qy * qz + qw * qx)
        else:
            ex = unit * (qx * qz + qw * qy)
            ey = unit * (qy * qz - qw * qx)
            ez = 1.0 - unit * (qx * qx + qy * qy)
        step = SPREAD * scale[axis]
        for side in (-1.0, 1.0):
            along = side * step
            u, w = _land(v, px + along * ex, py + along * ey, pz + along * ez, min_depth, rolling)
            du, dw = u - u0, w - w0
            shift_x += du
            shift_y += dw
            cov_xx += du * du
            cov_xy += du * dw
            cov_yy += dw * dw
    shift_x, shift_y = WEIGHT * shift_x, WEIGHT * shift_y
    return write_splat(
        u0 + shift_x,
        w0 + shift_y,
        WEIGHT * cov_xx + CENTER_WEIGHT * shift_x * shift_x,
        WEIGHT * cov_xy + CENTER_WEIGHT * shift_x * shift_y,
        WEIGHT * cov_yy + CENTER_WEIGHT * shift_y * shift_y,
        opacity,
        depth,
        width,
        height,
        out,
    )
