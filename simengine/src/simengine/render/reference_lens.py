"""A slow, obvious projection of Gaussians through real lenses and rolling shutters: the oracle of the fast ones.

See `unscented` for the rules.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render import sh
from simengine.render.backend import EPS_2D, EXTENT_SIGMAS, FAR_PLANE, MIN_ALPHA, NEAR_PLANE
from simengine.render.gaussians import FlatGaussians
from simengine.render.lens import Lens
from simengine.render.projected import Projected
from simengine.render.shutter import between, pose_parts
from simengine.render.unscented import (
    CENTER_WEIGHT,
    MARGIN,
    MIN_DEPTH_SHARE,
    SHUTTER_ITERATIONS,
    SPREAD,
    WEIGHT,
)

Pose = tuple[np.ndarray, np.ndarray]


def project_through_lens(
    gaussians: FlatGaussians,
    camera: CameraCalibration,
    world_from_cam: np.ndarray,
    end_world_from_cam: np.ndarray | None = None,
) -> Projected:
    """Return what of `gaussians` one camera may see, lens distortion and rolling shutter included.

    Args:
        gaussians: N of them.
        camera: with its distortion.
        world_from_cam: (4, 4) pose, or the one of the first row.
        end_world_from_cam: (4, 4) pose of the last row; None for a global shutter.
    """
    lens, start = Lens.of(camera), pose_parts(world_from_cam)
    end = start if end_world_from_cam is None else pose_parts(end_world_from_cam)
    means = gaussians.means.astype(np.float64)
    rotation, center = between(start, end, 0.5)
    local = (means - center) @ rotation.T
    with np.errstate(all="ignore"):
        in_front = (local[:, 2] >= NEAR_PLANE) & (local[:, 2] <= FAR_PLANE)
        inside = np.hypot(local[:, 0], local[:, 1]) < lens.fold_radius * local[:, 2]
    index = np.flatnonzero(in_front & inside)

    axes = rotation_from_quaternion(gaussians.quats[index]) * gaussians.scales[index, None, :].astype(
        np.float64
    )
    offsets = SPREAD * np.moveaxis(axes, 2, 0)
    points = means[index] + np.concatenate([np.zeros((1, len(index), 3)), offsets, -offsets])
    landed = _image_points(points, MIN_DEPTH_SHARE * local[index, 2], camera, lens, start, end)
    away = landed[1:] - landed[0]
    shift = WEIGHT * away.sum(axis=0)
    mean = landed[0] + shift
    covariance = WEIGHT * np.einsum("snc,snd->ncd", away, away)
    covariance += CENTER_WEIGHT * shift[:, :, None] * shift[:, None, :]

    blurred = covariance + EPS_2D * np.eye(2)
    compensation = np.sqrt(np.maximum(np.linalg.det(covariance) / np.linalg.det(blurred), 0.0))
    opacity = gaussians.opacities[index] * compensation
    extent = np.minimum(EXTENT_SIGMAS, np.sqrt(2.0 * np.log(np.maximum(opacity / MIN_ALPHA, 1.0))))
    radius = np.ceil(extent[:, None] * np.sqrt(np.stack([blurred[:, 0, 0], blurred[:, 1, 1]], axis=1)))
    size = np.array([camera.width_px, camera.height_px])
    seen = (opacity >= MIN_ALPHA) & ((mean + radius > 0) & (mean - radius < size)).all(axis=1)
    seen &= ((landed[0] >= -MARGIN * size) & (landed[0] < (1.0 + MARGIN) * size)).all(axis=1)

    depth = local[index, 2]
    kept = np.flatnonzero(seen)[np.argsort(depth[seen].astype(np.float32), kind="stable")]
    rows = index[kept]
    direction = gaussians.means[rows] - center
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    color = sh.colors(gaussians.sh[rows].astype(np.float64), direction)
    return Projected(rows, mean[kept], blurred[kept], opacity[kept], depth[kept], color)


def _image_points(
    points: np.ndarray, min_depth: np.ndarray, camera: CameraCalibration, lens: Lens, start: Pose, end: Pose
) -> np.ndarray:
    """Return where points (7, N, 3) of Gaussians land (7, N, 2) [px], each seen at the time its row is read."""
    share = np.full(points.shape[:2], 0.5)
    for _ in range(1 + SHUTTER_ITERATIONS):
        rotation, centers = between(start, end, share)
        local = (rotation @ (points - centers)[..., None])[..., 0]
        local[..., 2] = np.maximum(local[..., 2], min_depth)
        landed = _through_lens(local, camera, lens)
        share = np.clip(landed[..., 1] / camera.height_px, -MARGIN, 1.0 + MARGIN)
    return landed


def _through_lens(local: np.ndarray, camera: CameraCalibration, lens: Lens) -> np.ndarray:
    """Return where points (..., 3) of the camera frame land (..., 2) [px]; those beyond the fold are pulled to it."""
    slopes = local[..., :2] / local[..., 2:]
    radius = np.hypot(slopes[..., 0], slopes[..., 1])
    slopes = slopes * np.minimum(1.0, lens.fold_radius / np.maximum(radius, 1e-12))[..., None]
    k = camera.intrinsic
    return lens.distort(slopes) * [k[0, 0], k[1, 1]] + [k[0, 2], k[1, 2]]
