"""All fully recorded futures of a folder of observation logs; numpy only, images are not touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from algengine.datasets.frames import future_in_ego
from algengine.errors import RecordingError
from simengine.datatypes.observation_log import ObservationLog

NUM_POSES = 40
POSE_DT = 0.1


def find_recordings(root: str | Path) -> list[Path]:
    """Return all observation logs in the folder `root`, sorted by name.

    Raises:
        RecordingError: there are none.
    """
    paths = sorted(Path(root).glob("*.npz"))
    if not paths:
        raise RecordingError(
            f"no observation logs (*.npz) in {root}, expected recordings: record a split first"
        )
    return paths


def recorded_futures(root: str | Path) -> np.ndarray:
    """Return futures (M, NUM_POSES, 3) in their ego frames, one from every state that has one.

    States between decisions count too: their poses are known although no camera looked.
    """
    found = []
    for path in find_recordings(root):
        log = ObservationLog.load(path, images=False)
        stride = round(POSE_DT / log.state_dt)
        for row in range(0, len(log.ego_states) - NUM_POSES * stride, 2):
            future, exists = future_in_ego(log.ego_states, row, log.ego_states[row, :3], NUM_POSES, stride)
            if exists.all():
                found.append(future)
    if not found:
        raise RecordingError(f"no log in {root} has {NUM_POSES * POSE_DT:.1f} s of future: record longer")
    return np.stack(found)


def log_futures(log: ObservationLog, poses: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what was driven (D, T, 3) in each ego frame, and which poses were recorded (D, T)."""
    stride = round(POSE_DT / log.state_dt)
    pairs = [
        future_in_ego(log.ego_states, int(frame), log.ego_pose[d], poses, stride)
        for d, frame in enumerate(log.decision_frames)
    ]
    return np.stack([future for future, _ in pairs]), np.stack([valid for _, valid in pairs])
