"""Trying out one candidate path of the ego: how fast it can be driven, and what it would hit.

Compiled; used by the expert driver. Paths here are those of the ego's box centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.agents.idm import IdmParams
from simengine.agents.lead import contact, path_pose
from simengine.geometry.overlap import box_overlap

LOOK_AHEADS = (0.3, 0.6, 0.9)
CLEARANCE = 0.3
# Cosines of the angles within which somebody goes the same or the opposite way.
ALONGSIDE, ONCOMING = 0.9, -0.85


@dataclass(frozen=True)
class Surroundings:
    """What the ego meets over the next H frames, in world.

    Attributes:
        pose: (K, H, 3) predicted box centres.
        velocity: (K, H, 2) predicted velocities [m/s].
        present: (K, H) bool.
        half: (K, 2) half length and half width [m].
    """

    pose: np.ndarray
    velocity: np.ndarray
    present: np.ndarray
    half: np.ndarray


@dataclass(frozen=True)
class Trial:
    """What comes of driving one candidate.

    Attributes:
        s: (H,) travelled distance [m], 0 first.
        speed: (H,) [m/s].
        hit: first frame with an overlap that is not a rear-end hit, H if none.
        close: first frame with an overlap of the inflated box, H if none.
        ttc: first frame from which constant speed leads to an overlap within a second, H if none.
        lead_speed: speed of what ends the free path at the first frame [m/s], infinity if nothing does.
    """

    s: np.ndarray
    speed: np.ndarray
    hit: int
    close: int
    ttc: int
    lead_speed: float

    @property
    def first_trouble(self) -> int:
        """First frame of any of the three, H if none."""
        return min(self.hit, self.close, self.ttc)


@njit(cache=True)
def _idm(v, wanted, gap, closing, p):  # type: ignore[no-untyped-def]
    free = max(p[0] * (1.0 - (v / max(wanted, 0.1)) ** p[4]), -p[1])
    star = p[3] + max(0.0, v * p[2] + v * closing / (2.0 * np.sqrt(p[0] * p[1])))
    return min(max(free - p[0] * (star / max(gap, 0.1)) ** 2, -p[5]), p[0])


@njit(cache=True)
def _touches(x, y, yaw, hl, hw, o, half):  # type: ignore[no-untyped-def]
    return box_overlap(
        x, y, np.cos(yaw), np.sin(yaw), hl, hw, o[0], o[1], np.cos(o[2]), np.sin(o[2]), half[0], half[1]
    )


@njit(cache=True)
def _standing_contacts(points, step, pose, velocity, present, half, own, margin):  # type: ignore[no-untyped-def]
    """Free distance from the start of the path until each obstacle that stands all the time; infinity for others."""
    free = np.full(len(pose), np.inf)
    row = np.zeros(9)
    none, no_times = np.zeros((0, 5)), np.zeros(0)
    row[7], row[8] = margin, 1.0
    for j in range(len(pose)):
        moved = abs(pose[j, -1, 0] - pose[j, 0, 0]) + abs(pose[j, -1, 1] - pose[j, 0, 1])
        if present[j].all() and moved == 0.0 and not velocity[j].any():
            row[0:3], row[3:5] = pose[j, 0], half[j]
            free[j] = contact(
                points, 0, len(points), step, 0.0, 0.0, own[0], own[1], row, np.inf, none, no_times
            )
    return free


@njit(cache=True)
def _unroll(points, step, v0, fraction, brake, stop, pose, velocity, present, half, own, idm, dt, margin):  # type: ignore[no-untyped-def]
    """Speed profile behind whatever is on the path at each frame."""
    count, frames = len(points), pose.shape[1]
    s, v = np.zeros(frames), np.zeros(frames)
    v[0] = v0
    first_lead = np.inf
    row = np.zeros(9)
    none, no_times = np.zeros((0, 5)), np.zeros(0)
    row[8] = 1.0
    standing = _standing_contacts(points, step, pose, velocity, present, half, own, margin)
    for t in range(frames - 1):
        x, y, _, limit = path_pose(points, 0, count, step, s[t])
        ahead = 12.0 + 4.0 * v[t]
        gap, lead = stop - s[t], 0.0
        if gap < -1.0:
            gap = np.inf
        for j in range(len(pose)):
            if not present[j, t]:
                continue
            reach = ahead + own[0] + half[j, 0] + half[j, 1] + 3.0
            if (pose[j, t, 0] - x) ** 2 + (pose[j, t, 1] - y) ** 2 > reach * reach:
                continue
            if s[t] < standing[j] < np.inf:
                # What stands is met where it was met before.
                found = standing[j] - s[t]
                if found > ahead:
                    continue
            else:
                row[0:3], row[3:5], row[5:7], row[7] = pose[j, t], half[j], velocity[j, t], margin
                found = contact(
                    points, 0, count, step, s[t], v[t], own[0], own[1], row, ahead, none, no_times
                )
            if found < gap:
                _, _, yaw, _ = path_pose(points, 0, count, step, s[t] + found)
                gap = found
                lead = max(velocity[j, t, 0] * np.cos(yaw) + velocity[j, t, 1] * np.sin(yaw), 0.0)
                if t == 0:
                    first_lead = lead
        a = _idm(v[t], limit * fraction, gap, v[t] - lead, idm)
        if brake > 0.0:
            a = min(a, -brake)
        after = v[t] + a * dt
        if after < 0.0:
            s[t + 1], v[t + 1] = s[t] + v[t] * v[t] / (2.0 * max(-a, 1e-9)), 0.0
        else:
            s[t + 1], v[t + 1] = s[t] + (v[t] + 0.5 * a * dt) * dt, after
    return s, v, first_lead


@njit(cache=True)
def _judge(points, step, s, v, pose, velocity, present, half, own, dt, inflate, look):  # type: ignore[no-untyped-def]
    """First frames of a hit, of too little clearance, and of too short a time to collision."""
    count, frames = len(points), pose.shape[1]
    hit, close, ttc = frames, frames, frames
    # Whoever comes near from behind in the same lane is forecast without brakes; he has some.
    follows, near = np.zeros(len(pose), np.bool_), np.zeros(len(pose), np.bool_)
    for t in range(frames):
        x, y, yaw, _ = path_pose(points, 0, count, step, s[t])
        c, sn = np.cos(yaw), np.sin(yaw)
        for j in range(len(pose)):
            if not present[j, t] or follows[j]:
                continue
            dx, dy = pose[j, t, 0] - x, pose[j, t, 1] - y
            reach = (
                2.0 * own[0] + half[j, 0] + half[j, 1] + v[t] + np.hypot(velocity[j, t, 0], velocity[j, t, 1])
            )
            if dx * dx + dy * dy > reach * reach:
                continue
            forward = dx * c + dy * sn
            along = velocity[j, t, 0] * c + velocity[j, t, 1] * sn
            # Whoever comes up from behind has to brake, unless the ego swerves in front of him.
            if forward < -own[0] and along > 0.0 and abs(dx * sn - dy * c) < own[1] + half[j, 1]:
                follows[j] = not near[j]
                continue
            near[j] = True
            if t < close and _touches(x, y, yaw, own[0] + inflate, own[1] + inflate, pose[j, t], half[j]):
                close = t
            if t < hit and _touches(x, y, yaw, own[0], own[1], pose[j, t], half[j]):
                hit = t
            for f in range(len(look)):
                later = t + int(look[f] / dt + 0.5)
                if t < ttc and later < frames and v[t] > 0.1 and present[j, later]:
                    ex, ey = x + c * v[t] * look[f], y + sn * v[t] * look[f]
                    ahead = (pose[j, later, 0] - x) * c + (pose[j, later, 1] - y) * sn
                    if ahead > 0.0 and _touches(ex, ey, yaw, own[0], own[1], pose[j, later], half[j]):
                        ttc = t
    return hit, close, ttc


@njit(cache=True)
def _crossed_at(points, step, pose, velocity, present, half, own, inflate):  # type: ignore[no-untyped-def]
    """Distance along the path up to which nobody who crosses it will be at any time."""
    for k in range(0, len(points), 2):
        x, y, c, sn = points[k, 0], points[k, 1], points[k, 4], points[k, 5]
        for j in range(len(pose)):
            for t in range(0, pose.shape[1], 2):
                vx, vy = velocity[j, t, 0], velocity[j, t, 1]
                v = np.hypot(vx, vy)
                along = vx * c + vy * sn
                if not present[j, t] or v < 0.3 or along > ALONGSIDE * v or along < ONCOMING * v:
                    continue
                dx, dy = pose[j, t, 0] - x, pose[j, t, 1] - y
                reach = own[0] + own[1] + half[j, 0] + half[j, 1] + 2.0 * inflate
                if dx * dx + dy * dy > reach * reach:
                    continue
                if _touches(x, y, points[k, 2], own[0] + inflate, own[1] + inflate, pose[j, t], half[j]):
                    return max(k - 2, 0) * step
    return np.inf


def crossed_at(points: np.ndarray, step: float, around: Surroundings, half_size: np.ndarray) -> float:
    """Return the free distance [m] along a path until others will cross it, infinity if nobody will.

    Those who go in about the same or the opposite direction do not count. Arguments as for `try_candidate`.
    """
    arrays = around.pose, around.velocity, around.present, around.half
    return _crossed_at(points, step, *arrays, half_size, CLEARANCE)


def try_candidate(
    points: np.ndarray,
    step: float,
    speed: float,
    profile: tuple[float, float],
    stop: float,
    around: Surroundings,
    half_size: np.ndarray,
    idm: IdmParams,
    dt: float,
) -> Trial:
    """Return what comes of driving along a path.

    Args:
        points: (N, 6) rows as in `PathSet.points` of the box centre, from the present on.
        step: arc length between them [m].
        speed: present speed [m/s].
        profile: fraction of the limit to aim for, and least deceleration (0 to leave it to the model).
        stop: distance to a place to stop at [m], infinity without one.
        around: predicted surroundings; its frames are `dt` apart.
        half_size: (2,) half length and half width of the ego [m].
        idm: how the ego accelerates and brakes.
        dt: [s].
    """
    p = np.array(
        [
            idm.max_acceleration,
            idm.comfortable_deceleration,
            idm.headway,
            idm.min_gap,
            idm.exponent,
            idm.max_deceleration,
        ]
    )
    arrays = around.pose, around.velocity, around.present, around.half
    s, v, lead = _unroll(points, step, speed, *profile, stop, *arrays, half_size, p, dt, 0.15)
    hit, close, ttc = _judge(points, step, s, v, *arrays, half_size, dt, CLEARANCE, np.array(LOOK_AHEADS))
    return Trial(s, v, hit, close, ttc, lead)
