"""The keys that the planner's half of the protocol adds to a frame: boxes, and the last frames seen from here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry.angles import wrap
from simengine.geometry.se3 import invert

PAST = 3
FUTURE = 8
BOX = 9  # x, y, z, length, width, height, yaw, vx, vy


def planner_keys(frame: dict, earlier: Sequence[dict], vehicle: VehicleParams) -> dict:
    """Return the keys to add to `frame`.

    Args:
        frame: OpenScene's keys of the present.
        earlier: complete frame dicts before it, oldest first.
        vehicle: dimensions of the ego.
    """
    boxes, velocity = frame["anns"]["gt_boxes"], frame["anns"]["gt_velocity_3d"][:, :2]
    count = len(boxes)
    ego_velocity = frame["lidar2ego"][:3, :3].T @ frame["can_bus"][10:13]
    ego_box = np.array([0.0, 0.0, 0.0, vehicle.length, vehicle.width, vehicle.height, 0.0, *ego_velocity[:2]])
    own = {
        "sweeps": [],
        "sdc_vel_global": frame["ego2global"][:3, :3] @ frame["can_bus"][10:13],
        "gt_sdc_bbox_lidar": ego_box,
        "command": int(np.argmax(frame["driving_command"])),
        "gt_velocity": velocity.copy(),
        "gt_boxes": boxes.copy(),
        "gt_bboxes_global": _moved(np.concatenate([boxes, velocity], axis=1), frame["lidar2global"]),
        "gt_names": frame["anns"]["gt_names"].copy(),
        "gt_inds": np.arange(1, count + 1, dtype=np.int64),
        "num_lidar_pts": np.zeros(count, dtype=np.int64),
        "valid_flag": np.ones(count, dtype=bool),
    }
    here = invert(frame["lidar2global"])
    recent = [None] * (PAST - len(earlier)) + list(earlier[-PAST:])
    return own | _agents_past(frame, recent, here) | _ego_past(recent, here) | _no_future(count)


def _moved(boxes: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """Return boxes (N, 9) in the destination frame of `transform` (4, 4)."""
    moved = np.array(boxes, dtype=np.float64)
    moved[:, :3] = boxes[:, :3] @ transform[:3, :3].T + transform[:3, 3]
    moved[:, 6] = wrap(boxes[:, 6] + np.arctan2(transform[1, 0], transform[0, 0]))
    moved[:, 7:] = boxes[:, 7:] @ transform[:2, :2].T
    return moved


def _agents_past(frame: dict, recent: Sequence[dict | None], here: np.ndarray) -> dict:
    """Link agents by their id, where the original links row by row; the same while nobody comes or goes."""
    tokens = frame["anns"]["track_tokens"]
    boxes = np.zeros((len(tokens), PAST, BOX), dtype=np.float32)
    mask = np.zeros((len(tokens), PAST, 1), dtype=bool)
    for k, past in enumerate(recent):
        row_of = {token: i for i, token in enumerate(past["anns"]["track_tokens"])} if past else {}
        now = [i for i, token in enumerate(tokens) if token in row_of]
        if past and now:
            then = [row_of[tokens[i]] for i in now]
            boxes[now, k] = _moved(past["gt_bboxes_global"][then], here)
            mask[now, k] = True
    return {"gt_pre_bbox_lidar": boxes, "gt_pre_bbox_mask": mask}


def _ego_past(recent: Sequence[dict | None], here: np.ndarray) -> dict:
    lidar = np.zeros((1, PAST, BOX), dtype=np.float32)
    globe = np.zeros((1, PAST, BOX))
    mask = np.zeros((1, PAST, 1), dtype=bool)
    command = np.zeros((1, PAST, 1), dtype=np.int64)
    for k, past in enumerate(recent):
        if past is None:
            continue
        globe[0, k] = _moved(past["gt_sdc_bbox_lidar"][None], past["lidar2global"])[0]
        lidar[0, k] = _moved(globe[:, k], here)[0]
        mask[0, k], command[0, k] = True, past["command"]
    return {
        "gt_pre_bbox_sdc_lidar": lidar,
        "gt_pre_bbox_sdc_global": globe,
        "gt_pre_bbox_sdc_mask": mask,
        "gt_pre_command_sdc": command,
    }


def _no_future(count: int) -> dict:
    """Return the future keys, empty in closed loop."""
    return {
        "gt_fut_bbox_lidar": np.zeros((count, FUTURE, BOX), dtype=np.float32),
        "gt_fut_bbox_mask": np.zeros((count, FUTURE, 1), dtype=bool),
        "gt_fut_bbox_sdc_lidar": np.zeros((1, FUTURE, BOX), dtype=np.float32),
        "gt_fut_bbox_sdc_global": np.zeros((1, FUTURE, BOX)),
        "gt_fut_bbox_sdc_mask": np.zeros((1, FUTURE, 1), dtype=bool),
        "gt_fut_command_sdc": np.zeros((1, FUTURE, 1), dtype=np.int64),
    }
