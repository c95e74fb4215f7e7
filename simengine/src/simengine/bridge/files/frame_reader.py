"""From frame dicts of the protocol, ours or the original's, to what our planners are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from simengine.datatypes.observation import Observation
from simengine.datatypes.openscene_camera import openscene_camera
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import BridgeError, SimEngineError
from simengine.geometry.se2 import to_local

_MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OSError)


class FrameReader:
    """Turns the last frames of a scene into an observation.

    Args:
        images: what image paths in frames are relative to.
        decode_image: JPEG file -> RGB (H, W, 3) uint8.
        vehicle: dimensions of the ego.
    """

    def __init__(
        self,
        images: Path,
        decode_image: Callable[[bytes], np.ndarray],
        vehicle: VehicleParams | None = None,
    ) -> None:
        self._images = images
        self._decode = decode_image
        self._lever = (vehicle or VehicleParams()).rear_axle_to_center

    def observation(self, token: str, frames: Sequence[dict], step: int, origin: np.ndarray) -> Observation:
        """Return the observation at the last of `frames`.

        Args:
            token: names the rollout.
            frames: the history, oldest first; the number of frames is the planner's history length.
            step: decision step.
            origin: (2,) where the world frame of the rollout lies in the map datum [m].

        Raises:
            BridgeError: a key is missing or malformed, or an image cannot be read.
        """
        try:
            return self._observation(token, frames, step, origin)
        except SimEngineError as error:
            raise BridgeError(f"{_name(token, frames)}: {error}") from error
        except _MALFORMED as error:
            raise BridgeError(
                f"{_name(token, frames)} is malformed ({type(error).__name__}: {error}), expected a frame dict of "
                "the `files` protocol with its images: check the simulator"
            ) from error

    def _observation(self, token: str, frames: Sequence[dict], step: int, origin: np.ndarray) -> Observation:
        present = frames[-1]
        poses = np.stack([ego_pose(frame) for frame in frames])
        poses[:, :2] -= origin
        times = np.array([int(frame["timestamp"]) for frame in frames])
        images, cameras = {}, []
        for name, entry in present["cams"].items():
            image = self._decode((self._images / entry["data_path"]).read_bytes())
            images[name] = image
            cameras.append(openscene_camera(str(name), entry, image.shape[1], image.shape[0]))
        first_decision = int(present["frame_idx"]) - step
        return Observation(
            token=token,
            step=step,
            timestamp_us=int(times[-1]),
            images=images,
            cameras=tuple(cameras),
            ego_pose=poses[-1],
            ego_history=to_local(poses[-1], poses),
            velocity_history=np.stack([self._axle_velocity(frame, first_decision) for frame in frames]),
            acceleration_history=np.stack([np.asarray(f["can_bus"], np.float64)[7:9] for f in frames]),
            command_history=np.array([int(np.argmax(f["driving_command"])) for f in frames], np.int8),
            history_valid=np.ones(len(frames), bool),
            history_dt=round(float(np.median(np.diff(times))) * 1e-6, 3) if len(times) > 1 else 0.5,
        )

    def _axle_velocity(self, frame: dict, first_decision: int) -> np.ndarray:
        """Return the velocity (2,) of the rear axle; logged frames give just that, simulated ones the box centre's."""
        bus = np.asarray(frame["can_bus"], np.float64)
        simulated = int(frame["frame_idx"]) > first_decision
        return bus[10:12] - np.array([0.0, bus[15] * self._lever if simulated else 0.0])


def ego_pose(frame: dict) -> np.ndarray:
    """Return the pose (3,) of the ego's rear axle in the map datum."""
    matrix = np.asarray(frame["ego2global"], np.float64)
    return np.array([matrix[0, 3], matrix[1, 3], np.arctan2(matrix[1, 0], matrix[0, 0])])


def _name(token: str, frames: Sequence[dict]) -> str:
    return f"frame {token}_{frames[-1].get('frame_idx')}"
