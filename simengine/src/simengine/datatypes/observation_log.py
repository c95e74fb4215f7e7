"""All observations of one rollout with compressed images: what planners are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.files.arrays import read_arrays, write_arrays
from simengine.files.mapped import map_arrays

_FORMAT = "simengine-observation-log"
_VERSION = 1
_CAMERA_FIELDS = ("intrinsic", "ego_from_cam", "distortion")
_IMAGES = ("jpeg_bytes", "jpeg_sizes")
_ARRAYS = (
    "timestamps_us",
    "ego_pose",
    "ego_history",
    "velocity_history",
    "acceleration_history",
    "command_history",
    "history_valid",
    "ego_states",
    "decision_frames",
)


@dataclass(frozen=True)
class ObservationLog:
    """D observations of one rollout, and the S ego states that were really driven.

    Attributes:
        token: scenario id.
        cameras: C calibrations, the order of the images.
        jpegs: D tuples of C JPEG files as bytes (RGB, 8 bit).
        timestamps_us: (D,) int64.
        ego_pose: (D, 3) rear axle in the world frame.
        ego_history: (D, H, 3), see `Observation`.
        velocity_history: (D, H, 2).
        acceleration_history: (D, H, 2).
        command_history: (D, H) int8.
        history_valid: (D, H) bool.
        history_dt: time between history entries [s].
        ego_states: (S, 11) executed ego states at `state_dt`, from the first decision to the end of the
            look-ahead, during which the ego stays on its last plan.
        state_dt: time between `ego_states` [s].
        decision_frames: (D,) row of `ego_states` at each decision.
    """

    token: str
    cameras: tuple[CameraCalibration, ...]
    jpegs: tuple[tuple[bytes, ...], ...]
    timestamps_us: np.ndarray
    ego_pose: np.ndarray
    ego_history: np.ndarray
    velocity_history: np.ndarray
    acceleration_history: np.ndarray
    command_history: np.ndarray
    history_valid: np.ndarray
    history_dt: float
    ego_states: np.ndarray
    state_dt: float
    decision_frames: np.ndarray

    @property
    def num_decisions(self) -> int:
        """Number of observations D."""
        return len(self.timestamps_us)

    def save(self, path: Path) -> None:
        """Write one .npz file, atomically."""
        header = {
            "format": _FORMAT,
            "version": _VERSION,
            "token": self.token,
            "history_dt": self.history_dt,
            "state_dt": self.state_dt,
            "cameras": [[c.name, c.width_px, c.height_px] for c in self.cameras],
        }
        sizes = [[len(jpeg) for jpeg in rig] for rig in self.jpegs]
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays["jpeg_bytes"] = np.frombuffer(b"".join(j for rig in self.jpegs for j in rig), np.uint8)
        arrays["jpeg_sizes"] = np.array(sizes, np.int64).reshape(len(self.jpegs), len(self.cameras))
        for field in _CAMERA_FIELDS:
            arrays[f"cameras.{field}"] = np.array([getattr(c, field) for c in self.cameras])
        write_arrays(path, header, arrays, compress=False)

    @classmethod
    def load(cls, path: Path, images: bool = True) -> ObservationLog:
        """Return the log stored at `path`.

        Args:
            path: of the file.
            images: False leaves `jpegs` empty, which takes nearly all of the memory; see `read_jpegs`.

        Raises:
            ScenarioFormatError: the file is missing, truncated or of another format.
        """
        header, arrays = read_arrays(path, _FORMAT, _VERSION, without=() if images else _IMAGES)
        cameras = tuple(
            CameraCalibration(name, width, height, *(arrays[f"cameras.{f}"][i] for f in _CAMERA_FIELDS))
            for i, (name, width, height) in enumerate(header["cameras"])
        )
        return cls(
            token=header["token"],
            cameras=cameras,
            jpegs=_cut(arrays, range(len(arrays["jpeg_sizes"]))) if images else (),
            history_dt=header["history_dt"],
            state_dt=header["state_dt"],
            **{name: arrays[name] for name in _ARRAYS},
        )


def read_jpegs(path: Path, decisions: range) -> tuple[tuple[bytes, ...], ...]:
    """Return the JPEG files of consecutive decisions of the log stored at `path`; nothing else is read.

    Raises:
        ScenarioFormatError: the file is missing, truncated or of another format.
    """
    return _cut(map_arrays(path, _FORMAT, _VERSION)[1], decisions)


def _cut(arrays: dict[str, np.ndarray], decisions: range) -> tuple[tuple[bytes, ...], ...]:
    """Return the JPEG files of consecutive decisions."""
    sizes, data = arrays["jpeg_sizes"], arrays["jpeg_bytes"]
    ends = np.cumsum(sizes.ravel()).reshape(sizes.shape)
    return tuple(
        tuple(data[end - size : end].tobytes() for end, size in zip(ends[d], sizes[d], strict=True))
        for d in decisions
    )
