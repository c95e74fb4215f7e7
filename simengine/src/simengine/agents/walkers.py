"""Pedestrians and cyclists: they follow their log, stop for a vehicle in their way, and go on later.

Where they are in their log is read off their place: the latest moment, not after now, at which the log was there.
So nothing has to be remembered; and time that the log spends standing makes up for a delay.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from simengine.geometry.overlap import box_overlap

COMFORTABLE_DECELERATION = 2.0
MAX_DECELERATION = 6.0
ACCELERATION = 1.5
KEPT_DISTANCE = 0.4
SAME_PLACE = 1e-9
SAME_YAW_WEIGHT = 0.25
STANDING = 0.05
VEHICLE_STANDS = 0.3
LOOK_AHEAD_FRAMES = 60
# A vehicle this close to where its log has it is no obstacle to who is where the log has him.
AS_LOGGED = 0.5


class Vehicles(NamedTuple):
    """K vehicles that may be in the way, the ego among them.

    Attributes:
        box: (K, 5) x, y [m], yaw [rad], half length, half width [m].
        velocity: (K, 2) in world [m/s].
        owner: (K,) agents; the number of agents for the ego.
        as_logged: (K,) bool, whether they are where their log has them.
    """

    box: np.ndarray
    velocity: np.ndarray
    owner: np.ndarray
    as_logged: np.ndarray


@njit(cache=True, nogil=True, error_model="numpy")
def moments(pose, valid, frame, who, here):  # type: ignore[no-untyped-def]
    """Return the moments (W,) of the log, in frames, at which agents `who` (W,) were at `here` (W, 3).

    Args:
        pose: (A, T, 3) of the log.
        valid: (A, T) bool.
        frame: the present frame.
        who: (W,) agents.
        here: (W, 3) their poses.
    """
    found = np.empty(len(who))
    for w in range(len(who)):
        a = who[w]
        best, found[w] = np.inf, 0.0
        for k in range(min(frame, pose.shape[1] - 1), -1, -1):
            if best <= SAME_PLACE:
                break
            if not valid[a, k]:
                continue
            x0, y0 = pose[a, k, 0], pose[a, k, 1]
            f, dx, dy = 0.0, 0.0, 0.0
            if k < frame and k + 1 < pose.shape[1] and valid[a, k + 1]:
                dx, dy = pose[a, k + 1, 0] - x0, pose[a, k + 1, 1] - y0
                squared = dx * dx + dy * dy
                turn = (pose[a, k + 1, 2] - pose[a, k, 2] + np.pi) % (2.0 * np.pi) - np.pi
                if squared > 0.0:
                    f = ((here[w, 0] - x0) * dx + (here[w, 1] - y0) * dy) / squared
                elif abs(turn) > SAME_PLACE:
                    f = ((here[w, 2] - pose[a, k, 2] + np.pi) % (2.0 * np.pi) - np.pi) / turn
                else:
                    f = 1.0
                f = min(max(f, 0.0), 1.0)
            ex, ey = here[w, 0] - x0 - f * dx, here[w, 1] - y0 - f * dy
            cost = ex * ex + ey * ey
            if cost >= best:
                continue
            yaw = pose[a, k, 2]
            if f > 0.0:
                yaw += f * ((pose[a, k + 1, 2] - yaw + np.pi) % (2.0 * np.pi) - np.pi)
            # Who comes back the same way is told apart by where he looks.
            cost += SAME_YAW_WEIGHT * (2.0 - 2.0 * np.cos(here[w, 2] - yaw))
            if cost < best - SAME_PLACE:
                best, found[w] = cost, k + f
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def at_moment(pose, valid, a, moment):  # type: ignore[no-untyped-def]
    """Return x, y, yaw of agent `a` at a moment of its log [frames], and whether it is there."""
    k = int(np.floor(moment))
    if k >= pose.shape[1] or not valid[a, k]:
        return 0.0, 0.0, 0.0, False
    f = moment - k
    if f == 0.0:
        return pose[a, k, 0], pose[a, k, 1], pose[a, k, 2], True
    if k + 1 >= pose.shape[1] or not valid[a, k + 1]:
        return 0.0, 0.0, 0.0, False
    turn = (pose[a, k + 1, 2] - pose[a, k, 2] + np.pi) % (2.0 * np.pi) - np.pi
    yaw = (pose[a, k, 2] + f * turn + np.pi) % (2.0 * np.pi) - np.pi
    x = pose[a, k, 0] + f * (pose[a, k + 1, 0] - pose[a, k, 0])
    return x, pose[a, k, 1] + f * (pose[a, k + 1, 1] - pose[a, k, 1]), yaw, True


@njit(cache=True, nogil=True, error_model="numpy")
def pace(pose, valid, a, moment, dt):  # type: ignore[no-untyped-def]
    """Return the speed of agent `a` in its log at a moment [m/s]."""
    k = int(np.floor(moment))
    if k + 1 >= pose.shape[1] or not valid[a, k] or not valid[a, k + 1]:
        return 0.0
    return np.hypot(pose[a, k + 1, 0] - pose[a, k, 0], pose[a, k + 1, 1] - pose[a, k, 1]) / dt


@njit(cache=True, nogil=True, error_model="numpy")
def _way_free(pose, valid, a, moment, half, box, reach):  # type: ignore[no-untyped-def]
    """Return how far agent `a` can go along its log from a moment before it touches a box; infinity beyond `reach`."""
    bc, bs = np.cos(box[2]), np.sin(box[2])
    x, y, yaw, _ = at_moment(pose, valid, a, moment)
    if box_overlap(x, y, np.cos(yaw), np.sin(yaw), half[0], half[1], box[0], box[1], bc, bs, box[3], box[4]):
        ahead = (box[0] - x) * np.cos(yaw) + (box[1] - y) * np.sin(yaw)
        return 0.0 if ahead > 0.0 else np.inf
    gone, k = 0.0, int(np.floor(moment)) + 1
    for _ in range(LOOK_AHEAD_FRAMES):
        if k >= pose.shape[1] or not valid[a, k]:
            return np.inf
        gone += np.hypot(pose[a, k, 0] - x, pose[a, k, 1] - y)
        x, y, yaw = pose[a, k, 0], pose[a, k, 1], pose[a, k, 2]
        if gone > reach:
            return np.inf
        if box_overlap(
            x, y, np.cos(yaw), np.sin(yaw), half[0], half[1], box[0], box[1], bc, bs, box[3], box[4]
        ):
            return gone
        k += 1
    return np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def walk(pose, valid, frame, dt, who, here, speed, half, bold, vehicles, ignore):  # type: ignore[no-untyped-def]
    """Return poses (W, 3), velocities (W, 2), presence (W,) and moments of the log (W,) of walkers one frame later.

    Args:
        pose: (A, T, 3) of the log.
        valid: (A, T) bool.
        frame: the present frame.
        dt: [s].
        who: (W,) agents that are present.
        here: (W, 3) their poses.
        speed: (W,) their speeds [m/s].
        half: (A, 2) half length and half width [m].
        bold: (A,) bool, who stops for standing vehicles only.
        vehicles: who may be in the way.
        ignore: (A, A + 1) bool, pairs that overlap in the log anyway.
    """
    now = moments(pose, valid, frame, who, here)
    after, velocity, present = np.zeros((len(who), 3)), np.zeros((len(who), 2)), np.zeros(len(who), np.bool_)
    later = np.empty(len(who))
    for w in range(len(who)):
        a = who[w]
        wanted = pace(pose, valid, a, now[w], dt)
        synchronous = now[w] == frame
        v = wanted if synchronous else min(speed[w], wanted)
        reach = v * v / (2.0 * COMFORTABLE_DECELERATION) + v * dt + 2.0 * KEPT_DISTANCE
        allowed = np.inf
        for k in range(len(vehicles.owner)):
            if ignore[a, vehicles.owner[k]] or (synchronous and vehicles.as_logged[k]):
                continue
            box, vx, vy = vehicles.box[k], vehicles.velocity[k, 0], vehicles.velocity[k, 1]
            if bold[a] and vx * vx + vy * vy > VEHICLE_STANDS**2:
                continue
            near = reach + half[a, 0] + half[a, 1] + box[3] + box[4]
            if (box[0] - here[w, 0]) ** 2 + (box[1] - here[w, 1]) ** 2 > near * near:
                continue
            free = _way_free(pose, valid, a, now[w], half[a], box, reach)
            if free == np.inf:
                continue
            c, s = np.cos(here[w, 2]), np.sin(here[w, 2])
            away = max(vx * c + vy * s, 0.0)
            room = max(free - KEPT_DISTANCE, 0.0)
            allowed = min(allowed, np.sqrt(away * away + 2.0 * COMFORTABLE_DECELERATION * room))
        rate = 1.0
        if wanted > STANDING:
            following = min(allowed, wanted, v + ACCELERATION * dt)
            rate = max(following, v - MAX_DECELERATION * dt) / wanted
        elif allowed < STANDING:
            rate = 0.0
        later[w] = now[w] + min(max(rate, 0.0), 1.0)
        x, y, yaw, present[w] = at_moment(pose, valid, a, later[w])
        after[w, 0], after[w, 1], after[w, 2] = x, y, yaw
        if present[w]:
            velocity[w, 0], velocity[w, 1] = (x - here[w, 0]) / dt, (y - here[w, 1]) / dt
    return after, velocity, present, later


@njit(cache=True, nogil=True, error_model="numpy")
def walk_on(pose, valid, frame, who, here, steps):  # type: ignore[no-untyped-def]
    """Return poses (W, steps + 1, 3) and presence (W, steps + 1) of walkers who go on without being stopped."""
    now = moments(pose, valid, frame, who, here)
    future, present = np.zeros((len(who), steps + 1, 3)), np.zeros((len(who), steps + 1), np.bool_)
    for w in range(len(who)):
        for n in range(steps + 1):
            x, y, yaw, present[w, n] = at_moment(pose, valid, who[w], now[w] + n)
            future[w, n, 0], future[w, n, 1], future[w, n, 2] = x, y, yaw
    return future, present
