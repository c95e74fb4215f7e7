"""Mistakes planted into correct planners, and what the doctor must call them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from doctor_planners import (
    Delayed,
    MixedBatch,
    Noisy,
    PoseKeeper,
    SharedMemory,
    TurnKeeper,
    Wrapped,
    poses_changed,
)

CENTRE = 1.461


def _swapped(poses):
    return poses[:, [1, 0, 2]]


def _y_right(poses):
    return poses * [1, -1, 1]


def _clockwise_frame(poses):
    return poses * [1, -1, -1]


def _heading_sign(poses):
    return poses * [1, 1, -1]


def _degrees(poses):
    return poses * [1, 1, 180 / np.pi]


def _quarter(poses):
    return poses + [0, 0, np.pi / 2]


def _box_centre(poses):
    return poses + CENTRE * np.stack([np.cos(poses[:, 2]), np.sin(poses[:, 2]), np.zeros(len(poses))], 1)


def _box_frame(poses):
    return _box_centre(poses) - [CENTRE, 0, 0]


def _into_world(poses, seen):
    x, y, yaw = seen.ego_pose
    c, s = np.cos(yaw), np.sin(yaw)
    return np.stack(
        [x + c * poses[:, 0] - s * poses[:, 1], y + s * poses[:, 0] + c * poses[:, 1], poses[:, 2] + yaw], 1
    )


def _world_axes(poses, seen):
    return _into_world(poses, replace(seen, ego_pose=np.array([0, 0, seen.ego_pose[2]])))


def _into_previous(poses, seen):
    """The present ego pose in the frame before is the inverse of the pose before in the present frame."""
    x, y, yaw = seen.ego_history[-2]
    c, s = np.cos(-yaw), np.sin(-yaw)
    now = np.array([-(c * x - s * y), -(s * x + c * y), -yaw])
    return _into_world(poses, replace(seen, ego_pose=now))


def _present_first(poses):
    return np.concatenate([np.zeros((1, 3)), poses[:-1]])


def _increments(poses):
    before = np.concatenate([np.zeros((1, 3)), poses[:-1]])
    gap = poses - before
    c, s = np.cos(before[:, 2]), np.sin(before[:, 2])
    return np.stack([c * gap[:, 0] + s * gap[:, 1], -s * gap[:, 0] + c * gap[:, 1], gap[:, 2]], 1)


def _summed_twice(poses):
    return np.cumsum(poses, axis=0)


def _rate(planner, dt):
    return Wrapped(planner, lambda plan, seen: replace(plan, dt=dt))


def _speeds(factor):
    return lambda seen: replace(seen, velocity_history=seen.velocity_history * factor)


def _newest_first(seen):
    return replace(
        seen,
        ego_history=seen.ego_history[::-1],
        velocity_history=seen.velocity_history[::-1],
        acceleration_history=seen.acceleration_history[::-1],
        command_history=seen.command_history[::-1],
        history_valid=seen.history_valid[::-1],
    )


def _not_finite(poses):
    with np.errstate(divide="ignore", invalid="ignore"):
        return poses * (poses[-1, 0] / poses[-1, 0])  # 0 / 0 when standing


def _seen(change, planner=None):
    return lambda: Wrapped(planner or TurnKeeper(), poses_changed(change, with_observation=True))


def _made(change, planner=None):
    return lambda: Wrapped(planner or TurnKeeper(), poses_changed(change))


PLANTED = {
    "x and y swapped": (_made(_swapped), "axes-swapped"),
    "y to the right": (_made(_y_right), "y-right"),
    "y to the right, clockwise": (_made(_clockwise_frame), "clockwise-frame"),
    "x backward": (_made(lambda poses: poses * [-1, 1, 1]), "x-backward"),
    "heading clockwise": (_made(_heading_sign), "heading-sign"),
    "heading in degrees": (_made(_degrees), "heading-degrees"),
    "heading 90 degrees off": (_made(_quarter), "heading-quarter-left"),
    "heading zero": (_made(lambda poses: poses * [1, 1, 0]), "heading-zero"),
    "heading of the world": (_seen(lambda p, seen: p + [0, 0, seen.ego_pose[2]]), "heading-world"),
    "box centre": (_made(_box_centre), "box-centre"),
    "frame at the box centre": (_made(_box_frame), "box-centre-frame"),
    "world frame": (_seen(_into_world), "world-frame"),
    "axes of the world": (_seen(_world_axes), "world-axes"),
    "frame of the step before": (_seen(_into_previous), "previous-frame"),
    "frame of the step before, 2 Hz": (_seen(_into_previous, TurnKeeper(0.5, 8)), "previous-frame"),
    "one step late": (lambda: Delayed(TurnKeeper()), "one-step-late"),
    "one step late, 2 Hz": (lambda: Delayed(TurnKeeper(0.5, 8)), "one-step-late"),
    "2 Hz called 10 Hz": (lambda: _rate(TurnKeeper(0.5, 8), 0.1), "rate-5-slow"),
    "10 Hz called 2 Hz": (lambda: _rate(TurnKeeper(0.1, 40), 0.5), "rate-5-fast"),
    "speed in km/h": (lambda: Wrapped(TurnKeeper(), told=_speeds(3.6)), "speed-kmh"),
    "speed divided by 3.6": (lambda: Wrapped(TurnKeeper(), told=_speeds(1 / 3.6)), "speed-divided"),
    "centimetres": (_made(lambda poses: poses * [100, 100, 1]), "centimetres"),
    "millimetres": (_made(lambda poses: poses * [1000, 1000, 1]), "millimetres"),
    "present first": (_made(_present_first), "present-first"),
    "present first, 2 Hz": (_made(_present_first, TurnKeeper(0.5, 8)), "present-first"),
    "reversed in time": (_made(lambda poses: poses[::-1]), "reversed"),
    "increments": (_made(_increments), "increments"),
    "summed twice": (_made(_summed_twice), "summed-twice"),
    "y doubled": (_made(lambda poses: poses * [1, 2, 1]), "y-scaled"),
    "y halved": (_made(lambda poses: poses * [1, 0.5, 1]), "y-scaled"),
    "history newest first": (lambda: Wrapped(TurnKeeper(), told=_newest_first), "history-reversed"),
    "history newest first, poses": (lambda: Wrapped(PoseKeeper(), told=_newest_first), "history-reversed"),
    "not finite": (_made(_not_finite), "not-finite"),
    "horizon of 2 s": (_made(lambda poses: poses[:20]), "horizon-short"),
    "horizon that changes": (
        _made(lambda poses: poses[: 40 if poses[-1, 0] > 25 else 30]),
        "horizon-changes",
    ),
    "chance": (lambda: Noisy(TurnKeeper()), "not-repeatable"),
    "batch in the wrong order": (lambda: MixedBatch(TurnKeeper()), "sessions-mixed"),
    "one memory for all": (lambda: SharedMemory(TurnKeeper()), "sessions-mixed"),
}
"""Name -> how to make the planner, and the id of the mistake."""


def renamed(images, pairs):
    names = dict(pairs) | {b: a for a, b in pairs}
    return {name: images[names.get(name, name)] for name in images}


PLANTED_IMAGES = {
    "left and right": (
        lambda images: renamed(images, [(f"CAM_L{k}", f"CAM_R{k}") for k in range(3)]),
        "cameras-left-right",
    ),
    "front and rear": (lambda images: renamed(images, [("CAM_F0", "CAM_B0")]), "cameras-front-rear"),
    "blue first": (lambda images: {n: i[..., [2, 1, 0]] for n, i in images.items()}, "images-bgr"),
    "upside down": (lambda images: {n: np.flipud(i) for n, i in images.items()}, "images-upside-down"),
    "mirrored": (lambda images: {n: np.fliplr(i) for n, i in images.items()}, "images-mirrored"),
    "turned": (lambda images: {n: np.rot90(i, 2) for n, i in images.items()}, "images-turned"),
}
