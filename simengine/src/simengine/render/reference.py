"""A slow, obvious rasteriser in double precision: the oracle of the fast ones.

It draws each camera by looping over all Gaussians from front to back and blending whole images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.geometry.se3 import invert, rotation_from_quaternion
from simengine.render import sh
from simengine.render.backend import (
    EPS_2D,
    EXTENT_SIGMAS,
    FAR_PLANE,
    MAX_ALPHA,
    MIN_ALPHA,
    MIN_TRANSMITTANCE,
    NEAR_PLANE,
    RenderedRig,
    RigRequest,
    check_rig,
)
from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.lens_plan import LensPlanner
from simengine.render.projected import Projected
from simengine.render.reference_lens import project_through_lens


def project(gaussians: FlatGaussians, camera: CameraCalibration, world_from_cam: np.ndarray) -> Projected:
    """Return what of `gaussians` one camera at `world_from_cam` (4, 4) may see."""
    cam_from_world = invert(world_from_cam)
    rotation = cam_from_world[:3, :3]
    means = gaussians.means.astype(np.float64) @ rotation.T + cam_from_world[:3, 3]
    index = np.flatnonzero((means[:, 2] >= NEAR_PLANE) & (means[:, 2] <= FAR_PLANE))
    x, y, z = means[index].T
    fx, fy = camera.intrinsic[0, 0], camera.intrinsic[1, 1]
    cx, cy = camera.intrinsic[0, 2], camera.intrinsic[1, 2]

    spread = rotation @ rotation_from_quaternion(gaussians.quats[index]) * gaussians.scales[index, None, :]
    margin_x, margin_y = 0.15 * camera.width_px / fx, 0.15 * camera.height_px / fy
    slope_x = np.clip(x / z, -(cx / fx + margin_x), (camera.width_px - cx) / fx + margin_x)
    slope_y = np.clip(y / z, -(cy / fy + margin_y), (camera.height_px - cy) / fy + margin_y)
    jacobian = np.zeros((len(index), 2, 3))
    jacobian[:, 0, 0], jacobian[:, 0, 2] = fx / z, -fx * slope_x / z
    jacobian[:, 1, 1], jacobian[:, 1, 2] = fy / z, -fy * slope_y / z
    flat = jacobian @ spread
    sharp = flat @ np.swapaxes(flat, 1, 2)
    blurred = sharp + EPS_2D * np.eye(2)
    compensation = np.sqrt(np.maximum(np.linalg.det(sharp) / np.linalg.det(blurred), 0.0))
    opacity = gaussians.opacities[index] * compensation

    center = np.stack([fx * x / z + cx, fy * y / z + cy], axis=1)
    extent = np.minimum(EXTENT_SIGMAS, np.sqrt(2.0 * np.log(np.maximum(opacity / MIN_ALPHA, 1.0))))
    radius = np.ceil(extent[:, None] * np.sqrt(np.stack([blurred[:, 0, 0], blurred[:, 1, 1]], axis=1)))
    size = np.array([camera.width_px, camera.height_px])
    seen = (opacity >= MIN_ALPHA) & ((center + radius > 0) & (center - radius < size)).all(axis=1)

    kept = np.flatnonzero(seen)[np.argsort(z[seen].astype(np.float32), kind="stable")]
    rows = index[kept]
    direction = gaussians.means[rows] - world_from_cam[:3, 3]
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    color = sh.colors(gaussians.sh[rows].astype(np.float64), direction)
    return Projected(rows, center[kept], blurred[kept], opacity[kept], z[kept], color)


def blend(projected: Projected, width_px: int, height_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return colour (H, W, 3), opacity (H, W) and expected depth (H, W) of one camera."""
    columns, rows = np.meshgrid(np.arange(width_px) + 0.5, np.arange(height_px) + 0.5)
    color = np.zeros((height_px, width_px, 3))
    depth = np.zeros((height_px, width_px))
    transmittance = np.ones((height_px, width_px))
    alive = np.ones((height_px, width_px), bool)
    inverse = np.linalg.inv(projected.covariance_px)
    for k in range(len(projected.index)):
        dx, dy = projected.center_px[k, 0] - columns, projected.center_px[k, 1] - rows
        a, b, c = inverse[k, 0, 0], inverse[k, 0, 1], inverse[k, 1, 1]
        power = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
        alpha = np.minimum(MAX_ALPHA, projected.opacity[k] * np.exp(-power))
        touched = alive & (power >= 0.0) & (alpha >= MIN_ALPHA)
        remaining = transmittance * (1.0 - alpha)
        ended = touched & (remaining <= MIN_TRANSMITTANCE)
        alive &= ~ended
        touched &= ~ended
        weight = np.where(touched, alpha * transmittance, 0.0)
        color += weight[..., None] * projected.color[k]
        depth += weight * projected.depth[k]
        transmittance = np.where(touched, remaining, transmittance)
    opacity = 1.0 - transmittance
    return color, opacity, depth / np.maximum(opacity, 1e-10)


def to_uint8(color: np.ndarray) -> np.ndarray:
    """Return colours in [0, 1], clipped, as rounded bytes."""
    return np.floor(np.clip(color, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


class ReferenceBackend:
    """The oracle as a backend, for tests with few Gaussians and small images."""

    name = "reference"

    def __init__(self) -> None:
        self._planner = LensPlanner()

    def render(
        self,
        gaussians: FlatGaussians | Sequence[FlatGaussians],
        cameras: Sequence[CameraCalibration],
        world_from_cam: np.ndarray,
        want_depth: bool = False,
    ) -> RenderedRig:
        """Return one image per camera; see `RenderBackend.render`."""
        return self.render_many([RigRequest(gaussians, cameras, world_from_cam, want_depth=want_depth)])[0]

    def render_many(self, requests: Sequence[RigRequest]) -> list[RenderedRig]:
        """Return the images of several rigs; see `RenderBackend.render_many`."""
        return [self._rig(request) for request in requests]

    def _rig(self, request: RigRequest) -> RenderedRig:
        check_rig(request)
        flat = concatenate(request.parts)
        rgb, depths = [], []
        for k, drawn in enumerate(self._planner.plan(request.cameras, request.lens, request.is_rolling)):
            pose = request.world_from_cam[k]
            if drawn.native:
                seen = project_through_lens(flat, drawn.camera, pose, request.end_pose(k))
            else:
                seen = project(flat, drawn.camera, pose)
            color, _, depth = blend(seen, drawn.camera.width_px, drawn.camera.height_px)
            image, depth = to_uint8(color), depth.astype(np.float32)
            rgb.append(drawn.warp.apply(image) if drawn.warp else image)
            depths.append(drawn.warp.apply_depth(depth) if drawn.warp else depth)
        return RenderedRig(tuple(rgb), tuple(depths) if request.want_depth else None)
