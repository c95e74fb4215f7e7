"""What a render backend is asked for and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
class RigRequest:
    """One rig to draw.

    Attributes:
        gaussians: one set, or several that together are the scene. A backend may keep what it derived from a set it
            has already seen, so pass the same object for what does not change.
        cameras: C calibrations; sizes may differ.
        world_from_cam: (C, 4, 4) poses in the frame of the Gaussians; of the first row with a rolling shutter.
        end_world_from_cam: (C, 4, 4) poses while the last row is read; None for a global shutter.
        lens: how distortion is drawn, see `lens_plan.LENS_MODES`.
        want_depth: whether to return depth too.
        on_device: whether images may stay where the backend made them.
    """

    gaussians: FlatGaussians | Sequence[FlatGaussians]
    cameras: Sequence[CameraCalibration]
    world_from_cam: np.ndarray
    end_world_from_cam: np.ndarray | None = None
    lens: str = "ignore"
    want_depth: bool = False
    on_device: bool = False

    @property
    def parts(self) -> tuple[FlatGaussians, ...]:
        """The Gaussians as a tuple of sets."""
        return as_parts(self.gaussians)

    @property
    def is_rolling(self) -> bool:
        """Whether the camera moves while its rows are read."""
        return self.end_world_from_cam is not None

    def end_pose(self, camera: int) -> np.ndarray | None:
        """Return the pose (4, 4) of one camera at its last row, None for a global shutter."""
        return None if self.end_world_from_cam is None else self.end_world_from_cam[camera]


@dataclass(frozen=True)
class RenderedRig:
    """Images of C cameras.

    Attributes:
        rgb: C arrays (H, W, 3) uint8; sizes may differ between cameras. Asked to stay on the device, they are
            tensors of the backend where it has a device.
        depth: C arrays (H, W) float32 of the expected distance along the optical axis [m], 0 where nothing
            was hit; None unless asked for.
    """

    rgb: tuple[Any, ...]
    depth: tuple[Any, ...] | None = None


class RenderBackend(Protocol):
    """Draws Gaussians over black."""

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
        """Return one image per camera, drawn as pinholes: lens distortion of the cameras is ignored.

        Arguments are those of `RigRequest`.
        """
        ...

    def render_many(self, requests: Sequence[RigRequest]) -> list[RenderedRig]:
        """Return the images of several rigs, of one scene or of several, drawn together where that is faster."""
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


def check_rig(request: RigRequest) -> None:
    """Raise `RenderBackendError` unless there are finite poses for every camera of `request`."""
    check_request(request.cameras, request.world_from_cam)
    if request.end_world_from_cam is not None:
        check_request(request.cameras, request.end_world_from_cam)


def as_parts(gaussians: FlatGaussians | Sequence[FlatGaussians]) -> tuple[FlatGaussians, ...]:
    """Return `gaussians` as a tuple of sets."""
    return (gaussians,) if isinstance(gaussians, FlatGaussians) else tuple(gaussians)
