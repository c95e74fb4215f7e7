"""Giving way at run time: who has to wait before which conflict area, and how hard to brake for it.

Compiled and a pure function of where everybody is and how fast. `tests/oracles/yielding.py` is the same in plain
Python. A road user here is a driver or, last and if it is on its route, the ego.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from simengine.agents.conflicts import STANDING_GAP, STOP_BEFORE
from simengine.agents.idm import idm_acceleration
from simengine.agents.right_of_way import RightOfWay
from simengine.agents.untie import HARD, QUEUE, SOFT, STANDING, untie

# Whoever would have to brake harder than this, or is past its stopping place and moves, goes.
COMMITTED_DECELERATION = 4.0
ROLLING = 1.0
GAP_BEFORE = 0.8
GAP_AFTER = 0.3
MERGE_HEADWAY = 1.0
MERGE_DECELERATION = 2.0
MERGE_GAP_SHARE = 0.75
CLEAR_ROOM = 0.5
CLEAR_TIME = 8.0
CLEAR_DISTANCE = 40.0
QUEUE_GAP = 6.0
QUEUE_SPEED = 3.0


class Rules(NamedTuple):
    """`RightOfWay` as flat arrays, see there and `Conflicts`.

    `visits[start[p]:start[p + 1]]` are the areas on path p with its side, as 2 * area + side.
    """

    row: np.ndarray
    enter: np.ndarray
    leave: np.ndarray
    stop: np.ndarray
    merges: np.ndarray
    shift: np.ndarray
    first: np.ndarray
    together: np.ndarray
    limit: np.ndarray
    rank: np.ndarray
    start: np.ndarray
    visits: np.ndarray


class Users(NamedTuple):
    """N road users at one instant.

    Attributes:
        row: (N,) their paths.
        s: (N,) arc length of the box centre [m].
        speed: (N,) [m/s].
        half_length: (N,) [m].
        wanted: (N,) speed on a free road [m/s].
        hold: (N,) arc length beyond which the front bumper will not get for now: a light, a standing leader [m].
        gap: (N,) free distance to the leader [m], infinity without one.
        lead: (N,) which road user the leader is, -1 for nobody or somebody else.
        lead_speed: (N,) [m/s].
        claims: (N,) bool, whether others have to wait for it while it is outside an area.
    """

    row: np.ndarray
    s: np.ndarray
    speed: np.ndarray
    half_length: np.ndarray
    wanted: np.ndarray
    hold: np.ndarray
    gap: np.ndarray
    lead: np.ndarray
    lead_speed: np.ndarray
    claims: np.ndarray


def flat_rules(right_of_way: RightOfWay) -> Rules:
    """Return the arrays that the kernel works on."""
    areas = right_of_way.conflicts
    row = areas.row.ravel()
    return Rules(
        areas.row,
        areas.enter,
        areas.leave,
        areas.stop,
        areas.merges,
        areas.shift,
        right_of_way.first,
        right_of_way.together,
        right_of_way.limit,
        right_of_way.rank,
        np.searchsorted(np.sort(row), np.arange(len(right_of_way.rank) + 1)),
        np.argsort(row, kind="stable"),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def travel_time(distance, speed, acceleration, limit):  # type: ignore[no-untyped-def]
    """Return how long it takes to go `distance` while speeding up to `limit`; 0 for what lies behind."""
    if distance <= 0.0:
        return 0.0
    top = max(limit, speed)
    up = (top * top - speed * speed) / (2.0 * acceleration)
    if distance <= up:
        return (np.sqrt(speed * speed + 2.0 * acceleration * distance) - speed) / acceleration
    return (top - speed) / acceleration + (distance - up) / top


@njit(cache=True, nogil=True, error_model="numpy")
def horizon(speed):  # type: ignore[no-untyped-def]
    """Return the distance from which on a driver thinks of a stopping place [m]."""
    return 8.0 + 2.0 * speed + 0.25 * speed * speed


@njit(cache=True, nogil=True, error_model="numpy")
def _comes(rules, c, side, user_of_row, users, acceleration):  # type: ignore[no-untyped-def]
    """Return whether somebody on one side of area `c` is in it or will soon be."""
    i = user_of_row[rules.row[c, side]]
    if i < 0:
        return False
    front, rear = users.s[i] + users.half_length[i], users.s[i] - users.half_length[i]
    if rear >= rules.leave[c, side]:
        return False
    if front > rules.enter[c, side]:
        return True
    if users.hold[i] < rules.enter[c, side] or not users.claims[i]:
        return False
    limit = max(rules.limit[c, side], 1.0)
    return travel_time(rules.enter[c, side] - front, users.speed[i], acceleration, limit) < CLEAR_TIME


@njit(cache=True, nogil=True, error_model="numpy")
def _stands_in_the_way(rules, path, place, length, user_of_row, users, acceleration):  # type: ignore[no-untyped-def]
    """Return whether a vehicle of `length` that waits at arc length `place` of a path would block a crossing one."""
    for k in range(rules.start[path], rules.start[path + 1]):
        c, side = rules.visits[k] // 2, rules.visits[k] % 2
        if (
            rules.merges[c]
            or rules.enter[c, side] >= place
            or rules.leave[c, side] <= place - STANDING_GAP - length
        ):
            continue
        if _comes(rules, c, 1 - side, user_of_row, users, acceleration):
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _visit(rules, c, side, user_of_row, users, i, acceleration):  # type: ignore[no-untyped-def]
    """Return how user `i` stands to area `c`.

    Distance to it, inside?, committed?, times in and out, room to stop, speed when it leaves.
    """
    front = users.s[i] + users.half_length[i]
    to_enter = rules.enter[c, side] - front
    to_leave = rules.leave[c, side] - users.s[i] + users.half_length[i]
    v, limit = users.speed[i], max(rules.limit[c, side], 1.0)
    inside = to_enter <= 0.0
    room, near = rules.stop[c, side] - front, to_enter - STOP_BEFORE
    past = room < 0.0
    if near > room and not inside and near < horizon(v):
        length = 2.0 * users.half_length[i]
        at = rules.enter[c, side] - STOP_BEFORE
        free = not _stands_in_the_way(rules, users.row[i], at, length, user_of_row, users, acceleration)
        past = past and not free
        if past or free:
            room = near
    committed = v * v > 2.0 * COMMITTED_DECELERATION * max(room, 0.1) and v > STANDING
    committed = committed or (past and v > ROLLING)
    # Who could not leave the area again claims it no more than who does not get there.
    stuck = not rules.merges[c] and users.lead_speed[i] < STANDING and users.gap[i] < to_leave + CLEAR_ROOM
    if not inside and (stuck or users.hold[i] < rules.enter[c, side]):
        return to_enter, inside, False, np.inf, np.inf, room, v
    enters = travel_time(to_enter, v, acceleration, limit)
    leaves = travel_time(to_leave, v, acceleration, limit)
    last = min(max(limit, v), np.sqrt(v * v + 2.0 * acceleration * max(to_leave, 0.0)))
    return to_enter, inside, committed, enters, leaves, room, last


@njit(cache=True, nogil=True, error_model="numpy")
def _has_to_wait(own, other, goes_first, merges, other_speed):  # type: ignore[no-untyped-def]
    """Return 0, `SOFT` or `HARD`: whether the visitor `own` waits for `other`."""
    _, inside, committed, enters, leaves, _, last = own
    _, other_inside, other_committed, other_enters, other_leaves, _, _ = other
    if inside or np.isinf(enters) or np.isinf(other_enters):
        return 0
    margin = 0.0
    if goes_first:
        margin = MERGE_HEADWAY + max(other_speed - last, 0.0) / MERGE_DECELERATION if merges else GAP_BEFORE
    # Who stands may go on standing: that it will be gone in time is believed of movers only.
    gone = not merges and other_speed > ROLLING and other_leaves + GAP_AFTER < enters
    if leaves + margin < other_enters or gone:
        return 0
    if other_inside:
        return HARD
    if committed:
        return HARD if other_committed and goes_first else 0
    if other_committed:
        return HARD
    return SOFT if goes_first else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _goes_first(rules, c, side, own_enters, other_enters):  # type: ignore[no-untyped-def]
    """Return whether the other of two paths in area `c` goes before the one on `side`."""
    sign = rules.first[c] if side == 1 else -rules.first[c]
    later = own_enters - other_enters
    if abs(later) > rules.together[c]:
        return later > 0.0
    if sign != 0:
        return sign > 0
    return rules.rank[rules.row[c, 1 - side]] < rules.rank[rules.row[c, side]]


@njit(cache=True, nogil=True, error_model="numpy")
def _braking(rules, c, side, users, i, j, room, idm):  # type: ignore[no-untyped-def]
    """Return the acceleration of user `i` that waits at area `c` for user `j`, or falls in behind where they merge."""
    v = users.speed[i]
    stop = max(room, 0.0) + idm[3] - STANDING_GAP
    wait = idm_acceleration(v, users.wanted[i], stop, v, idm)
    if not rules.merges[c]:
        return wait
    shift = rules.shift[c] if side == 0 else -rules.shift[c]
    gap = users.s[j] + shift - users.half_length[j] - users.s[i] - users.half_length[i]
    if gap < 0.0:
        # Side by side: the other has to get ahead first.
        return wait
    gap = max(gap, MERGE_GAP_SHARE * (idm[3] + idm[2] * v))
    return max(wait, idm_acceleration(v, users.wanted[i], gap, v - users.speed[j], idm))


@njit(cache=True, nogil=True, error_model="numpy")
def yielding(rules, user_of_row, users, drivers, idm):  # type: ignore[no-untyped-def]
    """Return the acceleration (N,) to which giving way limits each road user, infinity where it does not.

    Args:
        rules: the conflict areas.
        user_of_row: (P,) the road user on each path, -1 for nobody.
        users: the road users.
        drivers: how many of them, the first ones, are driven here.
        idm: numbers of the driver model, see `idm.as_array`.
    """
    count = len(users.s)
    result = np.full(count, np.inf)
    size = 3 * len(rules.row) + count
    who, whom, kind, limit = (
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(size),
    )
    used = 0
    for c in range(len(rules.row)):
        a, b = user_of_row[rules.row[c, 0]], user_of_row[rules.row[c, 1]]
        if a < 0 or b < 0:
            continue
        if rules.leave[c, 0] <= users.s[a] - users.half_length[a]:
            continue
        if rules.leave[c, 1] <= users.s[b] - users.half_length[b]:
            continue
        near_a = rules.stop[c, 0] - users.s[a] - users.half_length[a] < horizon(users.speed[a])
        near_b = rules.stop[c, 1] - users.s[b] - users.half_length[b] < horizon(users.speed[b])
        if not (near_a or near_b):
            continue
        first = _visit(rules, c, 0, user_of_row, users, a, idm[0])
        second = _visit(rules, c, 1, user_of_row, users, b, idm[0])
        for side in range(2):
            i, j = (a, b) if side == 0 else (b, a)
            own, other = (first, second) if side == 0 else (second, first)
            if i >= drivers or not (near_a if side == 0 else near_b) or not (users.claims[j] or other[1]):
                continue
            goes = _goes_first(rules, c, side, own[3], other[3])
            found = _has_to_wait(own, other, goes, rules.merges[c], users.speed[j])
            behind = j
            if found == 0 and not own[1] and not own[2] and not rules.merges[c] and other[0] < CLEAR_DISTANCE:
                # Whoever could not leave the area again for the queue behind it does not enter it.
                beyond = rules.leave[c, side] - users.s[i] + users.half_length[i] + CLEAR_ROOM
                if own[0] < users.gap[i] < beyond and users.lead_speed[i] < QUEUE_SPEED:
                    found, behind = SOFT, users.lead[i]
            if found:
                who[used], whom[used], kind[used] = i, behind, found
                limit[used] = _braking(rules, c, side, users, i, j, own[5], idm)
                used += 1
    if used > 0:
        for i in range(drivers):
            if users.lead[i] >= 0 and users.gap[i] < QUEUE_GAP and users.lead_speed[i] < STANDING:
                who[used], whom[used], kind[used], limit[used] = i, users.lead[i], QUEUE, np.inf
                used += 1
        untie(who[:used], whom[:used], kind[:used], users.speed, rules.rank[users.row])
    for e in range(used):
        if kind[e] > 0:
            result[who[e]] = min(result[who[e]], limit[e])
    return result
