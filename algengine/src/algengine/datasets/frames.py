"""One observation as network inputs; shared by training and serving so that both see the same numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from algengine.errors import RecordingError
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.observation import Observation
from simengine.datatypes.observation_log import ObservationLog
from simengine.geometry.se2 import to_local
from simengine.geometry.se3 import invert, transform_from_pose

CALIBRATION = ("intrinsic", "cam_from_ego", "distortion")
"""What `camera_inputs` returns."""

STATUS = ("history", "velocity", "acceleration", "command", "history_valid")
"""What `ego_status` returns, and planners know of the ego."""


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


def camera_order(present: Sequence[str], wanted: Sequence[str], source: object) -> list[int]:
    """Return where each of the `wanted` channels is among those `present`; all in their order if none is asked for.

    Args:
        present: channels of a rig.
        wanted: channels in the planner's order.
        source: named in the error.

    Raises:
        RecordingError: one is missing, or there are none at all.
    """
    missing = [name for name in wanted if name not in present]
    if missing or not present:
        raise RecordingError(
            f"{source} has cameras {list(present)}, expected also {missing or 'some'}: use data of the planner's "
            "rig, or set cameras"
        )
    return [present.index(name) for name in wanted] or list(range(len(present)))


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


def ego_status(seen: Observation | ObservationLog) -> dict[str, np.ndarray]:
    """Return the ego status as planners take it: of one observation, or with a first axis for the decisions of a log.

    Returns:
        `history` (..., H, 3), `velocity` (..., H, 2), `acceleration` (..., H, 2) float32, `command` (..., H) int64,
        `history_valid` (..., H) bool; see `EgoStatusEmbedding.forward`.
    """
    return {
        "history": seen.ego_history.astype(np.float32),
        "velocity": seen.velocity_history.astype(np.float32),
        "acceleration": seen.acceleration_history.astype(np.float32),
        "command": seen.command_history.astype(np.int64),
        "history_valid": np.asarray(seen.history_valid, bool),
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
