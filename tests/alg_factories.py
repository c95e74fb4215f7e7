"""Synthetic recordings: a car drives arcs past nothing, its cameras see noise that depends on its motion."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from simengine.datatypes.observation import Observation
from simengine.datatypes.observation_log import ObservationLog
from simengine.geometry.se2 import to_local
from simengine.render.rig import nuplan_rig

STATE_DT = 0.1
CAMERAS = ("CAM_F0", "CAM_B0")
"""Cameras of the tiny planner."""


def make_states(speed: float, curvature: float, count: int = 81) -> np.ndarray:
    """Return states (count, 11) of constant speed on an arc that starts at the origin along +x."""
    t = np.arange(count) * STATE_DT
    yaw = speed * curvature * t
    states = np.zeros((count, 11))
    if abs(curvature) > 1e-9:
        states[:, 0], states[:, 1] = np.sin(yaw) / curvature, (1 - np.cos(yaw)) / curvature
    else:
        states[:, 0] = speed * t
    states[:, 2], states[:, 3], states[:, 9] = yaw, speed, speed * curvature
    return states


def make_log(
    token: str,
    speed: float = 8.0,
    curvature: float = 0.0,
    size_px: tuple[int, int] = (64, 36),
    decisions: int = 16,
) -> ObservationLog:
    """Return a log of `decisions` observations every 0.5 s."""
    states = make_states(speed, curvature, 5 * decisions + 1)
    frames = 5 * np.arange(decisions)
    pose = states[frames, :3]
    rng = np.random.default_rng(int(1000 * (speed + 50 * curvature)) % 2**31)
    noise = rng.integers(0, 255, (8, size_px[1], size_px[0], 3), dtype=np.uint8)
    rig = tuple(_jpeg(image) for image in noise)
    history = np.zeros((decisions, 4, 3))
    valid = np.ones((decisions, 4), bool)
    for d in range(decisions):
        rows = np.clip(np.arange(d - 3, d + 1), 0, None)
        history[d] = to_local(pose[d], pose[rows])
        valid[d] = np.arange(d - 3, d + 1) >= 0
    velocity = np.zeros((decisions, 4, 2))
    velocity[..., 0] = speed
    return ObservationLog(
        token=token,
        cameras=nuplan_rig(*size_px),
        jpegs=(rig,) * decisions,
        timestamps_us=np.arange(decisions, dtype=np.int64) * 500_000,
        ego_pose=pose,
        ego_history=history,
        velocity_history=velocity,
        acceleration_history=np.zeros((decisions, 4, 2)),
        command_history=np.full((decisions, 4), 1, np.int8),
        history_valid=valid,
        history_dt=0.5,
        ego_states=states,
        state_dt=STATE_DT,
        decision_frames=frames,
    )


def write_recordings(
    folder: Path, count: int = 16, size_px: tuple[int, int] = (64, 36), decisions: int = 12
) -> list[ObservationLog]:
    """Write `count` logs of different speed and curvature into `folder` and return them."""
    logs = []
    for i in range(count):
        log = make_log(f"log_{i:03d}", 2.0 + 0.7 * i, 0.02 * ((i % 5) - 2), size_px, decisions)
        log.save(folder / f"{log.token}.npz")
        logs.append(log)
    return logs


def _jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG")
    return buffer.getvalue()


def tiny_model_config(vocabulary_size: int = 12, image_size: tuple[int, int] = (64, 36)) -> dict:
    """Return the config of a planner small enough to train in seconds on one core."""
    area = {"x_range": (-12.8, 51.2), "y_range": (-25.6, 25.6), "cell": 6.4}
    return {
        "type": "VADv2",
        "image_size": image_size,
        "data_preprocessor": {"type": "PlanningDataPreprocessor"},
        "backbone": {
            "type": "mmdet.ResNet",
            "depth": 18,
            "base_channels": 4,
            "stem_channels": 4,
            "out_indices": (1, 2, 3),
            "norm_eval": False,
        },
        "neck": {"type": "mmdet.FPN", "in_channels": [8, 16, 32], "out_channels": 16, "num_outs": 3},
        "bev_encoder": {
            "type": "BEVEncoder",
            "dims": 16,
            "heads": 2,
            "levels": 3,
            "num_layers": 1,
            "dropout": 0.0,
            "num_cameras": len(CAMERAS),
            **area,
        },
        "head": {
            "type": "TrajectoryScoringHead",
            "vocabulary_size": vocabulary_size,
            "dims": 16,
            "heads": 2,
            "num_layers": 1,
            "dropout": 0.0,
            **area,
        },
    }


def make_observation(log: ObservationLog, decision: int, images: dict | None = None) -> Observation:
    """Return the observation that `log` was recorded from, with noise for images unless given."""
    rng = np.random.default_rng(decision)
    shape = (log.cameras[0].height_px, log.cameras[0].width_px, 3)
    noise = {c.name: rng.integers(0, 255, shape, dtype=np.uint8) for c in log.cameras}
    return Observation(
        token=log.token,
        step=decision,
        timestamp_us=int(log.timestamps_us[decision]),
        images=images or noise,
        cameras=log.cameras,
        ego_pose=log.ego_pose[decision],
        ego_history=log.ego_history[decision],
        velocity_history=log.velocity_history[decision],
        acceleration_history=log.acceleration_history[decision],
        command_history=log.command_history[decision],
        history_valid=log.history_valid[decision],
        history_dt=log.history_dt,
    )


def make_vocabulary(count: int = 12) -> np.ndarray:
    """Return plans (count, 40, 3): arcs of different speed and curvature."""
    speeds = np.linspace(0.0, 12.0, count)
    curvatures = 0.02 * (np.arange(count) % 5 - 2)
    plans = [make_states(v, c, 41)[1:, :3] for v, c in zip(speeds, curvatures, strict=True)]
    return np.stack(plans).astype(np.float32)
