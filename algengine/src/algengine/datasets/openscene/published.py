"""The tensors of the published planner that ours has no use for, under their names (reference: algengine.md 1.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from algengine.datasets.openscene.frame import Frame, SdcTrack
from simengine.geometry.se3 import invert


def published_tensors(
    queue: Sequence[Frame],
    following: Sequence[Frame],
    order: Sequence[int],
    scale: np.ndarray,
    past_steps: int = 3,
    planning_steps: int = 8,
) -> dict[str, np.ndarray]:
    """Return what the published data set gives for the last frame of a queue, without its batch axis.

    Args:
        queue: frames of one clip, oldest first.
        following: the frames after the last one, as far as they exist.
        order: cameras of the frames to use.
        scale: (N, 2) width and height of the network's images over those of the files.
        past_steps: P.
        planning_steps: S.

    Returns:
        `lidar2img` (Q, N, 4, 4), `lidar2global_rotation` (Q, 3, 3), `sdc_planning_past` (1, P, 3),
        `sdc_planning_mask_past` (1, P, 4), `gt_pre_command_sdc` (1, P, 1), `sdc_status` (3,), always zero,
        `sdc_planning` (1, S, 3) and `sdc_planning_mask` (1, S, 2). Poses are x, y, yaw in the present lidar frame.
    """
    now, before = queue[-1], list(queue[:-1])[-past_steps:]
    past = now.past or _seen_from(now, [None] * (past_steps - len(before)) + before)
    future = now.future
    if future is None or not future.valid.any():
        future = _seen_from(now, (list(following) + [None] * planning_steps)[:planning_steps])
    commands = now.past_commands
    if commands is None:
        commands = np.array([0] * (past_steps - len(before)) + [frame.command for frame in before], np.int64)
    return {
        "lidar2img": np.stack([_projections(frame, order, scale) for frame in queue]).astype(np.float32),
        "lidar2global_rotation": np.stack([frame.lidar2global[:3, :3] for frame in queue]),
        "sdc_planning_past": past.poses[None].astype(np.float32),
        "sdc_planning_mask_past": np.repeat(past.valid[None, :, None], 4, axis=2),
        "gt_pre_command_sdc": commands.reshape(1, -1, 1),
        "sdc_status": np.zeros(3),
        "sdc_planning": future.poses[None].astype(np.float32),
        "sdc_planning_mask": np.repeat(future.valid[None, :, None], 2, axis=2),
    }


def _projections(frame: Frame, order: Sequence[int], scale: np.ndarray) -> np.ndarray:
    """Pinhole matrices (N, 4, 4); what the files call lidar is the vehicle at the height of its axle."""
    matrices = []
    for index, (sx, sy) in zip(order, scale, strict=True):
        camera = frame.cameras[index]
        intrinsic = np.eye(4)
        intrinsic[:3, :3] = np.diag([sx, sy, 1.0]) @ camera.intrinsic
        matrices.append(intrinsic @ invert(camera.axle_from_cam))
    return np.stack(matrices)


def _seen_from(now: Frame, frames: Sequence[Frame | None]) -> SdcTrack:
    poses, here = np.zeros((len(frames), 3)), invert(now.lidar2global)
    for row, frame in enumerate(frames):
        if frame is not None:
            moved = here @ frame.lidar2global
            poses[row] = moved[0, 3], moved[1, 3], np.arctan2(moved[1, 0], moved[0, 0])
    return SdcTrack(poses, np.array([frame is not None for frame in frames]))
