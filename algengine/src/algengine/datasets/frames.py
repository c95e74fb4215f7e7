"""One observation as network inputs; shared by training and serving so that both see the same numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from algengine.errors import RecordingError
from simengine.datatypes.camera import CameraCalibration
from simengine.geometry.se2 import to_local
from simengine.geometry.se3 import invert, transform_from_pose


def decode_jpeg(data: bytes, size_px: tuple[int, int]) -> np.ndarray:
    """Return a JPEG file as (H, W, 3) uint8 RGB, resized to `size_px` (width, height) if it has another size."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return resize(np.asarray(image.convert("RGB")), size_px)
    except OSError as error:
        raise RecordingError(f"a recorded image cannot be decoded ({error}): record it again") from error


def resize(image: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Return an image (H, W, 3) uint8 at `size_px` (width, height), itself if it already fits."""
    if (image.shape[1], image.shape[0]) == tuple(size_px):
        return image
    return np.asarray(Image.fromarray(image).resize(size_px, Image.Resampling.BOX))


def camera_inputs(
    cameras: Sequence[CameraCalibration], size_px: tuple[int, int], shift: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return calibrations as float32 arrays for images of `size_px`.

    Args:
        cameras: N calibrations, in the order of the images.
        size_px: width and height of the network's images.
        shift: (3,) pose of a pretended ego frame in the real one, see `perturb`.

    Returns:
        `intrinsic` (N, 3, 3), `cam_from_ego` (N, 4, 4), `distortion` (N, 12).
    """
    fitted = [camera.resized(*size_px) for camera in cameras]
    cam_from_ego = invert(np.stack([camera.ego_from_cam for camera in fitted]))
    if shift is not None:
        cam_from_ego = cam_from_ego @ transform_from_pose(shift)
    return {
        "intrinsic": np.stack([camera.intrinsic for camera in fitted]).astype(np.float32),
        "cam_from_ego": cam_from_ego.astype(np.float32),
        "distortion": np.stack([camera.lens for camera in fitted]).astype(np.float32),
    }


def motion_between(previous_pose: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Return `pose` (3,) in the frame of `previous_pose` (3,) as float32 [m, m, rad]."""
    return to_local(previous_pose, np.asarray(pose)[None])[0].astype(np.float32)


def future_in_ego(
    states: np.ndarray, frame: int, pose: np.ndarray, num_poses: int, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return the driven future (num_poses, 3) in the ego frame `pose` and which poses exist (num_poses,).

    Args:
        states: (S, 11) executed ego states in the world frame.
        frame: row of the present state.
        pose: (3,) present ego pose in the world frame.
        num_poses: poses wanted.
        stride: rows between poses.
    """
    rows = frame + stride * np.arange(1, num_poses + 1)
    exists = rows < len(states)
    future = to_local(pose, states[np.minimum(rows, len(states) - 1), :3])
    return future.astype(np.float32), exists
