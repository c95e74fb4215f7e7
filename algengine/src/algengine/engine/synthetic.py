"""Inputs of the right shape without any data: noise for images, a car that drives arcs.

For speed measurements and for trying a config before its data is there; nothing can be learned from them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from algengine.datasets.frames import camera_inputs
from algengine.heads.sub_score_heads import SUB_SCORES
from algengine.models.bev.grid import BEVGrid
from algengine.structures.planning_sample import PlanningDataSample
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.observation import Observation

_STEPS, _FRAME_DT, _POSE_DT = 4, 0.5, 0.1
_FOCAL, _HEIGHT = 0.8, 1.6
"""Focal length in image widths, as nuPlan's cameras have it, and height above the road [m]."""


def synthetic_vocabulary(size: int, poses: int = 40, seed: int = 0) -> np.ndarray:
    """Return plans (size, poses, 3) x, y, yaw in the ego frame [m, m, rad]: arcs of random speed and curvature."""
    rng = np.random.default_rng(seed)
    speed, rate = rng.uniform(0.0, 14.0, size), rng.uniform(-0.2, 0.2, size)
    yaw = rate[:, None] * _POSE_DT * np.arange(1, poses + 1)
    step = _POSE_DT * speed[:, None, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
    return np.concatenate([step.cumsum(1), yaw[..., None]], axis=-1).astype(np.float32)


def synthetic_rig(count: int, size: tuple[int, int]) -> tuple[CameraCalibration, ...]:
    """Return `count` cameras that look around evenly, for images of `size` (width, height) [px]."""
    width, height = size
    focal = _FOCAL * width
    intrinsic = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    rig = []
    for i in range(count):
        yaw = 2 * np.pi * i / count
        pose = np.eye(4)
        # Columns: right, down and forward of the camera in the ego frame.
        pose[:3, 0] = np.sin(yaw), -np.cos(yaw), 0.0
        pose[:3, 1] = 0.0, 0.0, -1.0
        pose[:3, 2] = np.cos(yaw), np.sin(yaw), 0.0
        pose[:3, 3] = np.cos(yaw), np.sin(yaw), _HEIGHT
        rig.append(CameraCalibration(f"CAM_{i}", width, height, intrinsic, pose, np.zeros(5)))
    return tuple(rig)


def synthetic_sample(model: Mapping, frames: int, seed: int = 0) -> dict:
    """Return `inputs` and `data_samples` of one clip, as datasets do.

    Args:
        model: config of the planner.
        frames: frames of the clip Q.
        seed: of everything random.
    """
    rng = np.random.default_rng(seed)
    size, cameras = tuple(model["image_size"]), model["bev_encoder"]["num_cameras"]
    head = model["head"]
    poses = head.get("num_poses", 40)
    [future] = synthetic_vocabulary(1, poses, seed)
    arrays = camera_inputs(synthetic_rig(cameras, size), size) | {
        "images": rng.integers(0, 256, (frames, cameras, size[1], size[0], 3), dtype=np.uint8),
        "motion": np.tile(np.float32([3.0, 0.0, 0.05]), (frames, 1)),
        "history": rng.normal(size=(frames, _STEPS, 3)).astype(np.float32),
        "velocity": rng.normal(size=(frames, _STEPS, 2)).astype(np.float32),
        "acceleration": rng.normal(size=(frames, _STEPS, 2)).astype(np.float32),
        "command": np.ones((frames, _STEPS), np.int64),
        "history_valid": np.ones((frames, _STEPS), bool),
    }
    if model.get("bev_head"):
        encoder, labels = model["bev_encoder"], model["bev_head"]
        grid = BEVGrid(tuple(encoder["x_range"]), tuple(encoder["y_range"]), encoder["cell"])
        fine = labels.get("upsample", 2)
        shape = (frames, len(labels["layers"]), fine * grid.rows, fine * grid.cols)
        arrays["bev_labels"] = rng.integers(0, 2, shape, dtype=np.uint8)
    sample = PlanningDataSample(metainfo={"token": f"synthetic_{seed}", "first_frame": 0})
    sample.gt_trajectory = torch.from_numpy(np.tile(future, (frames, 1, 1)))
    sample.gt_valid = torch.ones(frames, poses, dtype=torch.bool)
    if head.get("sub_scores"):
        truth = rng.integers(0, 2, (frames, len(SUB_SCORES), head["vocabulary_size"])).astype(np.float32)
        sample.gt_sub_scores = torch.from_numpy(truth)
    return {"inputs": {k: torch.from_numpy(v) for k, v in arrays.items()}, "data_samples": sample}


def synthetic_observation(model: Mapping, token: str, step: int, seed: int = 0) -> Observation:
    """Return an observation for a planner of config `model`: step `step` of a rollout that drives straight on."""
    rng = np.random.default_rng([seed, step])
    size, count = tuple(model["image_size"]), model["bev_encoder"]["num_cameras"]
    cameras = synthetic_rig(count, size)
    past = np.arange(1 - _STEPS, 1) * _FRAME_DT
    return Observation(
        token=token,
        step=step,
        timestamp_us=step * 500_000,
        images={c.name: rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for c in cameras},
        cameras=cameras,
        ego_pose=np.array([6.0 * _FRAME_DT * step, 0.0, 0.0]),
        ego_history=np.stack([6.0 * past, 0 * past, 0 * past], axis=-1),
        velocity_history=np.tile([6.0, 0.0], (_STEPS, 1)),
        acceleration_history=np.zeros((_STEPS, 2)),
        command_history=np.ones(_STEPS, np.int8),
        history_valid=np.ones(_STEPS, bool),
        history_dt=_FRAME_DT,
    )
