"""The frozen part of a planner on a whole recording: maps as they are made at the wheel, one frame after another.

D decisions, N cameras, H history steps, T poses, K plans.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from algengine.datasets.frames import camera_inputs, decode_jpeg, future_in_ego, motion_between
from algengine.datasets.futures import POSE_DT
from algengine.errors import RecordingError
from algengine.planners.vadv2 import VADv2
from simengine.datatypes.observation_log import ObservationLog

STATUS = ("history", "velocity", "acceleration", "command", "history_valid")


def log_status(log: ObservationLog) -> dict[str, np.ndarray]:
    """Return the ego status (D, H, ...) of every decision, as the planner's head takes it."""
    return {
        "history": log.ego_history.astype(np.float32),
        "velocity": log.velocity_history.astype(np.float32),
        "acceleration": log.acceleration_history.astype(np.float32),
        "command": log.command_history.astype(np.int64),
        "history_valid": np.asarray(log.history_valid, bool),
    }


def log_futures(log: ObservationLog, poses: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what was driven (D, T, 3) in each ego frame, and which poses were recorded (D, T)."""
    stride = round(POSE_DT / log.state_dt)
    pairs = [
        future_in_ego(log.ego_states, int(frame), log.ego_pose[d], poses, stride)
        for d, frame in enumerate(log.decision_frames)
    ]
    return np.stack([future for future, _ in pairs]), np.stack([valid for _, valid in pairs])


@torch.no_grad()
def encode_log(
    planner: VADv2, log: ObservationLog, cameras: tuple[str, ...], device: torch.device | str = "cpu"
) -> Tensor:
    """Return the maps (D, C, rows, cols) that the planner's head sees at each decision, float32 on the CPU.

    Each frame is encoded once with the map of the frame before, as when the planner drives.

    Args:
        planner: in evaluation mode, on `device`.
        log: all decisions of one rollout.
        cameras: channels in the planner's order; empty for those of the log.
        device: where to compute.

    Raises:
        RecordingError: the log lacks a camera.
    """
    names = [camera.name for camera in log.cameras]
    missing = [name for name in cameras if name not in names]
    if missing:
        raise RecordingError(
            f"{log.token} has cameras {names}, the planner needs also {missing}: record that rig"
        )
    order = [names.index(name) for name in cameras] or list(range(len(names)))
    calibrations = {
        key: torch.from_numpy(value)[None].to(device)
        for key, value in camera_inputs([log.cameras[i] for i in order], planner.image_size).items()
    }
    status = {key: torch.from_numpy(value).to(device) for key, value in log_status(log).items()}
    maps, views, previous = [], None, None
    for d in range(log.num_decisions):
        rig = np.stack([decode_jpeg(log.jpegs[d][i], planner.image_size) for i in order])
        images = planner.data_preprocessor.normalize(torch.from_numpy(rig)[None].to(device))
        if views is None:
            views = planner.view(calibrations, (images.shape[-1], images.shape[-2]))
        moved = motion_between(log.ego_pose[max(d - 1, 0)], log.ego_pose[d])
        motion = torch.from_numpy(moved)[None].to(device) if d else None
        now = {key: value[d : d + 1] for key, value in status.items()}
        previous = planner.encode_frame(planner.extract_feat(images), views, previous, motion, now)
        maps.append(previous.float().cpu())
    return torch.cat(maps)
