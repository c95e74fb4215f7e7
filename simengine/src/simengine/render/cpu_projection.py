"""Compiled projection of Gaussians onto the image plane of one camera; `reference.project` is the obvious version."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numba import njit

from simengine.render.backend import (
    EPS_2D,
    EXTENT_SIGMAS,
    FAR_PLANE,
    MIN_ALPHA,
    NEAR_PLANE,
)
from simengine.render.sh import C0


class Splat(IntEnum):
    """Columns of a projected Gaussian."""

    X = 0
    Y = 1
    CONIC_A = 2
    CONIC_B = 3
    CONIC_C = 4
    OPACITY = 5
    RED = 6
    GREEN = 7
    BLUE = 8
    DEPTH = 9
    RADIUS_X = 10
    RADIUS_Y = 11


class View(IntEnum):
    """Columns of a camera: intrinsics [px], then the rotation and translation of `cam_from_world`."""

    FX = 0
    FY = 1
    CX = 2
    CY = 3
    WIDTH = 4
    HEIGHT = 5
    ROTATION = 6
    TRANSLATION = 15


VIEW_SIZE = 18
_SPLAT_SIZE = len(Splat)


@njit(cache=True, nogil=True, error_model="numpy")
def find_candidates(means: np.ndarray, scales: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Return the rows (M,) int32 of Gaussians that may touch the image, by a circle that is never too small.

    Args:
        means: (N, 3) float32.
        scales: (N, 3) float32.
        view: (18,) float64, see `View`.
    """
    n = means.shape[0]
    index = np.empty(n, np.int32)
    reach_x, reach_y = candidate_reach(view)
    count = 0
    for i in range(n):
        size = max(scales[i, 0], scales[i, 1], scales[i, 2])
        if is_candidate(means[i, 0], means[i, 1], means[i, 2], size, reach_x, reach_y, view):
            index[count] = i
            count += 1
    return index[:count].copy()


@njit(cache=True, inline="always", error_model="numpy")
def candidate_reach(v: np.ndarray) -> tuple[float, float]:
    """Return by how much [px m] one metre of deviation widens a Gaussian at depth one at most, in x and in y."""
    fx, fy, cx, cy, width, height = v[0], v[1], v[2], v[3], v[4], v[5]
    far_x = max(cx, width - cx) / fx + 0.15 * width / fx
    far_y = max(cy, height - cy) / fy + 0.15 * height / fy
    reach_x = EXTENT_SIGMAS * fx * np.sqrt(1.0 + far_x * far_x)
    reach_y = EXTENT_SIGMAS * fy * np.sqrt(1.0 + far_y * far_y)
    return reach_x, reach_y


@njit(cache=True, inline="always", error_model="numpy")
def is_candidate(
    px: float, py: float, pz: float, size: float, reach_x: float, reach_y: float, v: np.ndarray
) -> bool:
    """Return whether a Gaussian at a world point, at most `size` wide, may touch the image."""
    z = v[12] * px + v[13] * py + v[14] * pz + v[17]
    if not NEAR_PLANE <= z <= FAR_PLANE:
        return False
    # The blur adds at most its own deviation, and radii are rounded up.
    slack = EXTENT_SIGMAS * np.sqrt(EPS_2D) + 1.0
    x = v[6] * px + v[7] * py + v[8] * pz + v[15]
    # Compared after multiplying by z, which saves two divisions per Gaussian.
    radius = reach_x * size + slack * z
    u = v[0] * x + v[2] * z
    if u + radius <= 0.0 or u - radius >= v[4] * z:
        return False
    y = v[9] * px + v[10] * py + v[11] * pz + v[16]
    radius = reach_y * size + slack * z
    u = v[1] * y + v[3] * z
    return not (u + radius <= 0.0 or u - radius >= v[5] * z)


@njit(cache=True, nogil=True, error_model="numpy")
def project_candidates(
    means: np.ndarray,
    quats: np.ndarray,
    scales: np.ndarray,
    opacities: np.ndarray,
    sh: np.ndarray,
    view: np.ndarray,
    index: np.ndarray,
) -> np.ndarray:
    """Return the visible ones (M, 12) float32 of the candidates `index`, in their order; see `Splat`.

    Args:
        means: (N, 3) float32.
        quats: (N, 4) float32 wxyz.
        scales: (N, 3) float32.
        opacities: (N,) float32.
        sh: (N, K, 3) float32.
        view: (18,) float64, see `View`.
        index: rows of `find_candidates`.
    """
    splats = np.empty((len(index), _SPLAT_SIZE), np.float32)
    count = 0
    for i in index:
        if _project_one(means[i], quats[i], scales[i], opacities[i], view, splats[count]):
            shade(means[i], sh[i], view, splats[count])
            count += 1
    return splats[:count]


@njit(cache=True, inline="always", error_model="numpy")
def _project_one(
    mean: np.ndarray, quat: np.ndarray, scale: np.ndarray, opacity: float, v: np.ndarray, out: np.ndarray
) -> bool:
    """Write one projected Gaussian to `out` (12,) and return whether it can touch the image."""
    fx, fy, cx, cy, width, height = v[0], v[1], v[2], v[3], v[4], v[5]
    px, py, pz = np.float64(mean[0]), np.float64(mean[1]), np.float64(mean[2])
    x = v[6] * px + v[7] * py + v[8] * pz + v[15]
    y = v[9] * px + v[10] * py + v[11] * pz + v[16]
    inv_z = 1.0 / (v[12] * px + v[13] * py + v[14] * pz + v[17])
    slope_x = min(max(x * inv_z, -cx / fx - 0.15 * width / fx), (width - cx) / fx + 0.15 * width / fx)
    slope_y = min(max(y * inv_z, -cy / fy - 0.15 * height / fy), (height - cy) / fy + 0.15 * height / fy)

    qw, qx, qy, qz = np.float64(quat[0]), np.float64(quat[1]), np.float64(quat[2]), np.float64(quat[3])
    unit = 2.0 / (qw * qw + qx * qx + qy * qy + qz * qz)
    # Rows of the Jacobian times `cam_from_world`: how world directions move the image point.
    gx, gy = fx * inv_z, fy * inv_z
    ax, ay, az = gx * (v[6] - slope_x * v[12]), gx * (v[7] - slope_x * v[13]), gx * (v[8] - slope_x * v[14])
    bx, by, bz = gy * (v[9] - slope_y * v[12]), gy * (v[10] - slope_y * v[13]), gy * (v[11] - slope_y * v[14])
    cov_xx = cov_xy = cov_yy = 0.0
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
        along_x = (ax * ex + ay * ey + az * ez) * scale[axis]
        along_y = (bx * ex + by * ey + bz * ez) * scale[axis]
        cov_xx += along_x * along_x
        cov_xy += along_x * along_y
        cov_yy += along_y * along_y

    u, w = fx * x * inv_z + cx, fy * y * inv_z + cy
    return write_splat(u, w, cov_xx, cov_xy, cov_yy, opacity, 1.0 / inv_z, width, height, out)


@njit(cache=True, inline="always", error_model="numpy")
def write_splat(
    u: float,
    w: float,
    cov_xx: float,
    cov_xy: float,
    cov_yy: float,
    opacity: float,
    depth: float,
    width: float,
    height: float,
    out: np.ndarray,
) -> bool:
    """Write all but the colour of a Gaussian projected to (u, w) to `out` (12,); return whether it can be seen."""
    sharp = cov_xx * cov_yy - cov_xy * cov_xy
    cov_xx += EPS_2D
    cov_yy += EPS_2D
    blurred = cov_xx * cov_yy - cov_xy * cov_xy
    alpha = opacity * np.sqrt(max(sharp / blurred, 0.0))
    # Written so that NaN counts as invisible.
    if not (blurred > 0.0 and alpha >= MIN_ALPHA):
        return False
    extent = min(EXTENT_SIGMAS, np.sqrt(2.0 * np.log(alpha / MIN_ALPHA)))
    radius_x, radius_y = np.ceil(extent * np.sqrt(cov_xx)), np.ceil(extent * np.sqrt(cov_yy))
    if u + radius_x <= 0.0 or u - radius_x >= width or w + radius_y <= 0.0 or w - radius_y >= height:
        return False
    out[0], out[1] = u, w
    out[2], out[3], out[4] = cov_yy / blurred, -cov_xy / blurred, cov_xx / blurred
    out[5] = alpha
    out[9] = depth
    out[10], out[11] = radius_x, radius_y
    return True


@njit(cache=True, inline="always", error_model="numpy")
def shade(mean: np.ndarray, sh: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """Write the colour of one Gaussian as seen from the camera to `out[6:9]`."""
    bands = sh.shape[0]
    if bands == 1:
        for c in range(3):
            out[6 + c] = max(C0 * sh[0, c] + 0.5, 0.0)
        return
    # The camera centre is -R^T t.
    x = mean[0] + v[6] * v[15] + v[9] * v[16] + v[12] * v[17]
    y = mean[1] + v[7] * v[15] + v[10] * v[16] + v[13] * v[17]
    z = mean[2] + v[8] * v[15] + v[11] * v[16] + v[14] * v[17]
    norm = 1.0 / np.sqrt(x * x + y * y + z * z)
    x, y, z = x * norm, y * norm, z * norm
    for c in range(3):
        value = C0 * sh[0, c] + 0.4886025119029199 * (z * sh[2, c] - y * sh[1, c] - x * sh[3, c])
        if bands > 4:
            value += 1.0925484305920792 * (x * y * sh[4, c] - y * z * sh[5, c] - x * z * sh[7, c])
            value += 0.31539156525252005 * (3.0 * z * z - 1.0) * sh[6, c]
            value += 0.5462742152960396 * (x * x - y * y) * sh[8, c]
        if bands > 9:
            value -= 0.5900435899266435 * y * (3.0 * x * x - y * y) * sh[9, c]
            value += 2.890611442640554 * x * y * z * sh[10, c]
            value -= 0.4570457994644658 * (5.0 * z * z - 1.0) * (y * sh[11, c] + x * sh[13, c])
            value += 0.3731763325901154 * z * (5.0 * z * z - 3.0) * sh[12, c]
            value += 1.445305721320277 * z * (x * x - y * y) * sh[14, c]
            value -= 0.5900435899266435 * x * (x * x - 3.0 * y * y) * sh[15, c]
        out[6 + c] = max(value + 0.5, 0.0)
