"""One step of all drivers: where they are on their paths, what is ahead, what they do about it.

Compiled; nothing depends on the order in which agents are listed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from simengine.agents.idm import advance_one, idm_acceleration
from simengine.agents.lead import leads, path_pose, project_one
from simengine.agents.signals import DILEMMA_DECELERATION, STOP_BEFORE_LINE, has_stopped
from simengine.agents.yielding import STANDING, Users, yielding

# Deviations from the path smaller than this are none; larger ones fade over the settling distance.
ON_PATH = 0.01
SETTLE_DISTANCE = 15.0
ROUTE_TOLERANCE = 2.0
ROUTE_TURN = np.pi / 4
EGO_CLAIM_SPEED = 0.5


class Scene(NamedTuple):
    """Everybody at one instant.

    Attributes:
        obstacles: (K, 9) of all present agents and, last, the ego; see `lead.OBSTACLE_COLUMNS`.
        later: (K, M, 5) their predicted x, y, yaw, cosine and sine.
        times: (M,) of the predictions [s].
        owner: (K,) the agent behind each row; the number of agents for the ego.
        driver: (D,) rows of those who drive.
        row: (D,) their paths.
        ignore: (A, A + 1) bool, whom drivers do not mind.
        ego_row: path of the ego's route, -1 without one.
        closed_row: (L,) paths of lights that must not be passed now.
        closed_s: (L,) arc lengths of their stopping places [m].
        sign_row: (S,) paths of stop signs.
        sign_s: (S,) arc lengths of their lines [m].
    """

    obstacles: np.ndarray
    later: np.ndarray
    times: np.ndarray
    owner: np.ndarray
    driver: np.ndarray
    row: np.ndarray
    ignore: np.ndarray
    ego_row: int
    closed_row: np.ndarray
    closed_s: np.ndarray
    sign_row: np.ndarray
    sign_s: np.ndarray


@njit(cache=True, nogil=True, error_model="numpy")
def locate(paths, rows, poses):  # type: ignore[no-untyped-def]
    """Return arc length and offset to the left, each (M,) [m], of `poses` (M, 3) on paths `rows` (M,)."""
    points, starts, counts, steps = paths
    s, offset = np.empty(len(rows)), np.empty(len(rows))
    for i in range(len(rows)):
        p = rows[i]
        s[i] = project_one(points, starts[p], counts[p], steps[p], poses[i, 0], poses[i, 1], poses[i, 2])
        x, y, yaw, _ = path_pose(points, starts[p], counts[p], steps[p], s[i])
        offset[i] = (poses[i, 1] - y) * np.cos(yaw) - (poses[i, 0] - x) * np.sin(yaw)
    return s, offset


@njit(cache=True, nogil=True, error_model="numpy")
def room_to_stop(scene, rows, s, front, speed):  # type: ignore[no-untyped-def]
    """Return how far the front bumpers (M,) are from the next light or sign they respect, infinity without one [m]."""
    room, lights = np.full(len(rows), np.inf), len(scene.closed_row)
    for i in range(len(rows)):
        for k in range(lights + len(scene.sign_row)):
            sign = k >= lights
            if (scene.sign_row[k - lights] if sign else scene.closed_row[k]) != rows[i]:
                continue
            distance = (scene.sign_s[k - lights] if sign else scene.closed_s[k]) - s[i] - front[i]
            stoppable = speed[i] * speed[i] < 2.0 * max(distance, 0.5) * DILEMMA_DECELERATION
            if distance > -0.5 and stoppable and not (sign and has_stopped(distance, speed[i])):
                room[i] = min(room[i], max(distance, 0.1))
    return room


@njit(cache=True, nogil=True, error_model="numpy")
def _users(paths, scene, s, speed, wanted, gap, lead_speed, lead, room):  # type: ignore[no-untyped-def]
    """Return the road users: the drivers and, if it is on its route, the ego."""
    points, starts, counts, steps = paths
    drivers, last = len(scene.driver), len(scene.obstacles) - 1
    ego = scene.obstacles[last]
    count, ego_s = drivers, 0.0
    if scene.ego_row >= 0:
        p = scene.ego_row
        ego_s = project_one(points, starts[p], counts[p], steps[p], ego[0], ego[1], ego[2])
        x, y, yaw, _ = path_pose(points, starts[p], counts[p], steps[p], ego_s)
        if (ego[0] - x) ** 2 + (ego[1] - y) ** 2 < ROUTE_TOLERANCE**2 and np.cos(ego[2] - yaw) > np.cos(
            ROUTE_TURN
        ):
            count += 1
    user_of = np.full(len(scene.obstacles), -1)
    for i in range(drivers):
        user_of[scene.driver[i]] = i
    users = Users(
        np.empty(count, np.int64),
        np.empty(count),
        np.empty(count),
        np.empty(count),
        np.empty(count),
        np.full(count, np.inf),
        np.full(count, np.inf),
        np.full(count, -1),
        np.zeros(count),
        np.ones(count, np.bool_),
    )
    for i in range(drivers):
        front = s[i] + scene.obstacles[scene.driver[i], 3]
        users.row[i], users.s[i], users.speed[i] = scene.row[i], s[i], speed[i]
        users.half_length[i], users.wanted[i] = scene.obstacles[scene.driver[i], 3], wanted[i]
        users.gap[i], users.lead_speed[i] = gap[i], lead_speed[i]
        if lead[i] >= 0:
            users.lead[i] = user_of[lead[i]]
        users.hold[i] = front + room[i]
        if lead_speed[i] < STANDING:
            users.hold[i] = min(users.hold[i], front + gap[i])
    if count > drivers:
        v = np.hypot(ego[5], ego[6])
        users.row[drivers], users.s[drivers], users.speed[drivers] = scene.ego_row, ego_s, v
        users.half_length[drivers], users.wanted[drivers] = ego[3], v
        users.claims[drivers] = v > EGO_CLAIM_SPEED
        rows, at = np.array([scene.ego_row]), np.array([ego_s])
        users.hold[drivers] = ego_s + ego[3] + room_to_stop(scene, rows, at, ego[3:4], np.array([v]))[0]
    return users


@njit(cache=True, nogil=True, error_model="numpy")
def decide(paths, scene, rules, ruled, idm, s, speed):  # type: ignore[no-untyped-def]
    """Return the accelerations (D,) [m/s^2] of the drivers at arc lengths `s` (D,) with `speed` (D,)."""
    points, starts, counts, steps = paths
    drivers, others = len(scene.driver), len(scene.obstacles)
    half, wanted = np.empty((drivers, 2)), np.empty(drivers)
    ignore, foresee = np.empty((drivers, others), np.bool_), np.ones((drivers, others), np.bool_)
    for i in range(drivers):
        p = scene.row[i]
        half[i] = scene.obstacles[scene.driver[i], 3:5]
        _, _, _, wanted[i] = path_pose(points, starts[p], counts[p], steps[p], s[i])
        for k in range(others):
            ignore[i, k] = scene.ignore[scene.owner[scene.driver[i]], scene.owner[k]] or k == scene.driver[i]
        if ruled:
            # Conflicts between drivers are settled by who goes first, not by who is foreseen where.
            for k in range(drivers):
                foresee[i, scene.driver[k]] = False
    ahead = 12.0 + 4.0 * speed
    gap, lead_speed, lead = leads(
        paths, scene.row, s, speed, half, scene.obstacles, ignore, ahead, scene.later, scene.times, foresee
    )
    room = room_to_stop(scene, scene.row, s, half[:, 0], speed)
    accel = np.empty(drivers)
    for i in range(drivers):
        behind = idm_acceleration(speed[i], wanted[i], gap[i], speed[i] - lead_speed[i], idm)
        # The model halts its gap before an obstacle; a stop line wants to be approached closer than that.
        stop = idm_acceleration(speed[i], wanted[i], room[i] + idm[3] - STOP_BEFORE_LINE, speed[i], idm)
        accel[i] = min(behind, stop)
    if ruled and len(rules.row):
        users = _users(paths, scene, s, speed, wanted, gap, lead_speed, lead, room)
        user_of_row = np.full(len(counts), -1)
        for i in range(len(users.s)):
            user_of_row[users.row[i]] = i
        limits = yielding(rules, user_of_row, users, drivers, idm)
        for i in range(drivers):
            accel[i] = min(accel[i], limits[i])
    return accel


@njit(cache=True, nogil=True, error_model="numpy")
def move(paths, rows, s, offset, speed, accel, dt):  # type: ignore[no-untyped-def]
    """Return poses (M, 3) and velocities (M, 2) `dt` later on paths `rows` (M,); deviations from the path fade."""
    points, starts, counts, steps = paths
    pose, velocity = np.empty((len(rows), 3)), np.empty((len(rows), 2))
    for i in range(len(rows)):
        p = rows[i]
        distance, after = advance_one(speed[i], accel[i], dt)
        x, y, yaw, _ = path_pose(points, starts[p], counts[p], steps[p], s[i] + distance)
        if abs(offset[i]) > ON_PATH:
            left = offset[i] * max(1.0 - distance / SETTLE_DISTANCE, 0.0)
            x, y = x - left * np.sin(yaw), y + left * np.cos(yaw)
            yaw -= np.arctan2(offset[i] - left, max(distance, 1e-9)) if distance > 0.0 else 0.0
        yaw = (yaw + np.pi) % (2.0 * np.pi) - np.pi
        pose[i, 0], pose[i, 1], pose[i, 2] = x, y, yaw
        velocity[i, 0], velocity[i, 1] = after * np.cos(yaw), after * np.sin(yaw)
    return pose, velocity
