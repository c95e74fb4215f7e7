"""The encoder of a model on a whole recording: maps as they are made at the wheel, one frame after another.

D decisions, V displaced ego frames.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from algengine.datasets.frames import camera_inputs, camera_order, decode_jpeg, ego_status, motion_between
from algengine.datasets.perturb import displaced_motion
from algengine.models.bev.projection import CameraViews
from algengine.planners.bev_model import BEVModel
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.observation_log import ObservationLog


def encode_log(
    model: BEVModel, log: ObservationLog, cameras: tuple[str, ...], device: torch.device | str = "cpu"
) -> Tensor:
    """Return the maps (D, C, rows, cols) that the model's heads see at each decision, float32 on the CPU.

    Each frame is encoded once with the map of the frame before, as when the planner drives.

    Args:
        model: in evaluation mode, on `device`.
        log: all decisions of one rollout.
        cameras: channels in the planner's order; empty for those of the log.
        device: where to compute.

    Raises:
        RecordingError: the log lacks a camera.
    """
    return encode_displaced(model, log, cameras, np.zeros((1, 3)), device)[0]


@torch.no_grad()
def encode_displaced(
    model: BEVModel,
    log: ObservationLog,
    cameras: tuple[str, ...],
    shifts: np.ndarray,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return the maps (V, D, C, rows, cols) of V pretended drives beside the real one, which share its images.

    Args:
        model: see `encode_log`.
        log: see `encode_log`.
        cameras: see `encode_log`.
        shifts: (V, 3) poses of the pretended ego frames in the real one, see `perturb`.
        device: where to compute.

    Raises:
        RecordingError: the log lacks a camera.
    """
    order = camera_order([camera.name for camera in log.cameras], cameras, log.token)
    rig = [log.cameras[i] for i in order]
    status = {key: torch.from_numpy(value).to(device) for key, value in ego_status(log).items()}
    views: list[CameraViews] = []
    maps: list[list[Tensor]] = [[] for _ in shifts]
    for d in range(log.num_decisions):
        pictures = np.stack([decode_jpeg(log.jpegs[d][i], model.image_size) for i in order])
        images = model.data_preprocessor.normalize(torch.from_numpy(pictures)[None].to(device))
        if not views:
            padded = (images.shape[-1], images.shape[-2])
            views = [model.view(_calibrations(rig, model, shift, device), padded) for shift in shifts]
        features = model.extract_feat(images)
        moved = motion_between(log.ego_pose[max(d - 1, 0)], log.ego_pose[d])
        now = {key: value[d : d + 1] for key, value in status.items()}
        for view, shift, done in zip(views, shifts, maps, strict=True):
            motion = displaced_motion(moved[None], shift) if shift.any() else moved[None]
            motion = torch.from_numpy(motion.astype(np.float32)).to(device)
            done.append(
                model.encode_frame(features, view, done[-1] if d else None, motion if d else None, now)
            )
    return torch.stack([torch.cat(done).float().cpu() for done in maps])


def _calibrations(
    rig: list[CameraCalibration], model: BEVModel, shift: np.ndarray, device: torch.device | str
) -> dict[str, Tensor]:
    arrays = camera_inputs(rig, model.image_size, shift)
    return {key: torch.from_numpy(value)[None].to(device) for key, value in arrays.items()}
