"""What a render backend is asked for and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.render.gaussians import FlatGaussians

NEAR_PLANE = 0.01
FAR_PLANE = 1e10
EPS_2D = 0.3
"""Variance added to each projected Gaussian [px^2]; antialiasing scales the opacity back."""
EXTENT_SIGMAS = 3.33
MIN_ALPHA = 1.0 / 255.0
MAX_ALPHA = 0.999
MIN_TRANSMITTANCE = 1e-4
TILE_PX = 16


@dataclass(frozen=True)
class RenderedRig:
    """Images of C cameras.

    Attributes:
        rgb: C arrays (H, W, 3) uint8; sizes may differ between cameras.
        depth: C arrays (H, W) float32 of the expected distance along the optical axis [m], 0 where nothing
            was hit; None unless asked for.
    """

    rgb: tuple[np.ndarray, ...]
    depth: tuple[np.ndarray, ...] | None = None


class RenderBackend(Protocol):
    """Draws Gaussians for pinhole cameras over black."""

    @property
    def name(self) -> str:
        """Short name for logs and errors."""
        ...

    def render(
        self,
        gaussians: FlatGaussians | Sequence[FlatGaussians],
        cameras: Sequence[CameraCalibration],
        world_from_cam: np.ndarray,
        want_depth: bool = False,
    ) -> RenderedRig:
        """Return one image per camera; lens distortion of the cameras is ignored.

        Args:
            gaussians: one set, or several that together are the scene. A backend may keep what it derived from
                a set it has already seen, so pass the same object for what does not change.
            cameras: sizes and intrinsics.
            world_from_cam: (C, 4, 4) poses in the frame of the Gaussians.
            want_depth: whether to return depth too.
        """
        ...


def check_request(cameras: Sequence[CameraCalibration], world_from_cam: np.ndarray) -> None:
    """Raise `RenderBackendError` unless there is one finite pose per camera."""
    if np.shape(world_from_cam) != (len(cameras), 4, 4):
        raise RenderBackendError(
            f"camera poses have shape {np.shape(world_from_cam)}, expected ({len(cameras)}, 4, 4): one per camera"
        )
    if not np.isfinite(world_from_cam).all():
        raise RenderBackendError(
            "camera poses hold NaN or infinity, expected finite metres: check the ego state"
        )


def as_parts(gaussians: FlatGaussians | Sequence[FlatGaussians]) -> tuple[FlatGaussians, ...]:
    """Return `gaussians` as a tuple of sets."""
    return (gaussians,) if isinstance(gaussians, FlatGaussians) else tuple(gaussians)
