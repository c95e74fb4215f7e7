"""How much of an image is covered by Gaussians that one may be confident about.

The scene is drawn as always, but in three colours that say what a Gaussian is: red for confident, green for sky, blue
for all. No backend needs to know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.render import sh
from simengine.render.backend import RenderBackend
from simengine.render.gaussians import FlatGaussians
from simengine.render.posed import PosedScene

MIN_OPACITY = 0.3
"""Fainter Gaussians are haze that fills gaps rather than surface."""
MAX_SIGMA_DEG = 4.0
"""Gaussians whose largest deviation is seen under a larger angle are blobs that stand for what was never seen."""
WIDTH_PX = 160


def confident(gaussians: FlatGaussians, center: np.ndarray) -> np.ndarray:
    """Return (N,) bool: opaque enough, and small enough from where the camera `center` (3,) is."""
    away = np.linalg.norm(gaussians.means - center.astype(np.float32), axis=1)
    small = gaussians.scales.max(axis=1, initial=0.0) <= np.tan(np.radians(MAX_SIGMA_DEG)) * away
    return small & (gaussians.opacities >= MIN_OPACITY)


def coverage(
    backend: RenderBackend, posed: PosedScene, cameras: Sequence[CameraCalibration]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the covered share of what is not sky, and the share of sky, each (C,) in [0, 1].

    An image of nothing but sky counts as covered. Lenses are left out, which matters at the corners only.

    Args:
        backend: what draws.
        posed: the scene.
        cameras: rig on the ego.
    """
    small = [_small(camera) for camera in cameras]
    poses = np.array([posed.scene_from_ego @ camera.ego_from_cam for camera in cameras]).reshape(-1, 4, 4)
    center = poses[:, :3, 3].mean(axis=0)
    parts = [
        _painted(posed.solid, confident(posed.solid, center)),
        _painted(posed.moving, confident(posed.moving, center)),
        _painted(posed.sky, np.zeros(len(posed.sky), bool), is_sky=True),
    ]
    images = backend.render(parts, small, poses).rgb
    red, green = (np.array([image[..., k].mean() / 255.0 for image in images]) for k in (0, 1))
    below = 1.0 - green
    covered = np.divide(red, below, out=np.ones_like(red), where=below > 1e-3)
    return np.minimum(covered, 1.0), green


def _small(camera: CameraCalibration) -> CameraCalibration:
    """Return the camera for a small image without a lens."""
    height = max(round(WIDTH_PX * camera.height_px / camera.width_px), 1)
    return CameraCalibration(
        camera.name,
        WIDTH_PX,
        height,
        camera.resized(WIDTH_PX, height).intrinsic,
        camera.ego_from_cam,
        np.zeros(5),
    )


def _painted(gaussians: FlatGaussians, is_confident: np.ndarray, is_sky: bool = False) -> FlatGaussians:
    """Return the same Gaussians in the colours of what they are."""
    rgb = np.zeros((len(gaussians), 3))
    rgb[:, 0], rgb[:, 1], rgb[:, 2] = is_confident, is_sky, 1.0
    return FlatGaussians(
        gaussians.means, gaussians.quats, gaussians.scales, gaussians.opacities, sh.from_rgb(rgb)
    )
