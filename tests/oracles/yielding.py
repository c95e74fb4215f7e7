"""Giving way in plain Python: the slow twin of `simengine.agents.yielding`, written from the rules.

Every road user looks at every conflict area on its path. `waits` lists who has to wait for whom and why.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from simengine.agents.idm import IdmParams, acceleration
from simengine.agents.right_of_way import RightOfWay

STANDING_GAP, STOP_BEFORE = 1.0, 0.3
COMMITTED, ROLLING, STANDING = 4.0, 1.0, 0.5
GAP_BEFORE, GAP_AFTER, MERGE_HEADWAY, MERGE_DECELERATION, MERGE_SHARE = 0.8, 0.3, 1.0, 2.0, 0.75
CLEAR_ROOM, CLEAR_TIME, CLEAR_DISTANCE = 0.5, 8.0, 40.0
QUEUE_GAP, QUEUE_SPEED = 6.0, 3.0


@dataclass
class User:
    """One road user; see `simengine.agents.yielding.Users`."""

    row: int
    s: float
    speed: float
    half_length: float
    wanted: float
    hold: float = math.inf
    gap: float = math.inf
    lead: int = -1
    lead_speed: float = 0.0
    claims: bool = True
    driven: bool = True

    @property
    def front(self) -> float:
        return self.s + self.half_length

    @property
    def rear(self) -> float:
        return self.s - self.half_length


@dataclass
class Wait:
    """`who` waits for `whom` (-1: somebody without a path) and accelerates by at most `limit`."""

    who: int
    whom: int
    kind: str
    limit: float
    area: int


@dataclass
class Visit:
    """How a road user stands to an area."""

    distance: float
    inside: bool
    committed: bool
    enters: float
    leaves: float
    room: float
    last_speed: float


def travel_time(distance: float, speed: float, a: float, limit: float) -> float:
    """Return the time for `distance`, found by small steps."""
    if distance <= 0:
        return 0.0
    top = max(limit, speed)
    time_up = (top - speed) / a
    way_up = speed * time_up + 0.5 * a * time_up**2
    if way_up >= distance:
        return (-speed + math.sqrt(speed**2 + 2 * a * distance)) / a
    return time_up + (distance - way_up) / top


class Giving:
    """All road users at one instant."""

    def __init__(self, rules: RightOfWay, users: list[User], params: IdmParams) -> None:
        self.rules, self.areas, self.users, self.params = rules, rules.conflicts, users, params
        self.on = {user.row: k for k, user in enumerate(users)}

    def limits(self) -> np.ndarray:
        """Return the acceleration (N,) each user is limited to, infinity where it is not."""
        result = np.full(len(self.users), np.inf)
        for wait in self.waits():
            result[wait.who] = min(result[wait.who], wait.limit)
        return result

    def waits(self) -> list[Wait]:
        """Return everything that makes somebody wait, circles untied."""
        found = [
            wait
            for area in range(len(self.areas.row))
            for side in (0, 1)
            if (wait := self.wait(area, side)) is not None
        ]
        if found:
            queues = [
                Wait(k, user.lead, "queue", math.inf, -1)
                for k, user in enumerate(self.users)
                if user.driven and user.lead >= 0 and user.gap < QUEUE_GAP and user.lead_speed < STANDING
            ]
            free = self.released([*found, *queues])
            found = [
                w
                for w in found
                if not (w.who in free and w.whom in free[w.who][0] and w.kind in free[w.who][1])
            ]
        return found

    def released(self, waits: list[Wait]) -> dict[int, tuple[set[int], tuple[str, ...]]]:
        """Return who may go, and for whom and what it need not wait: one of each circle."""
        after: dict[int, set[int]] = {}
        for wait in waits:
            if wait.whom >= 0:
                after.setdefault(wait.who, set()).add(wait.whom)

        def reached(start: int) -> set[int]:
            met: set[int] = set()
            open_ = [start]
            while open_:
                for k in after.get(open_.pop(), ()):
                    if k not in met:
                        met.add(k)
                        open_.append(k)
            return met

        reach = {k: reached(k) for k in range(len(self.users))}
        free: dict[int, tuple[set[int], tuple[str, ...]]] = {}
        for circle in {frozenset(k for k in reach[i] if i in reach[k]) for i in reach if i in reach[i]}:
            inner = {k: [w.kind for w in waits if w.who == k and w.whom in circle] for k in circle}
            level = {
                k: 3 if set(kinds) == {"soft"} else 2 if "soft" in kinds else 1 for k, kinds in inner.items()
            }
            best = min(circle, key=lambda k: (-level[k], self.rules.rank[self.users[k].row]))
            stand = all(self.users[k].speed < STANDING for k in circle)
            free[best] = (set(circle), ("soft", "hard") if stand and level[best] < 3 else ("soft",))
        return free

    def wait(self, area: int, side: int) -> Wait | None:
        """Return whether the user on one side of an area has to wait for the other."""
        rows = self.areas.row[area]
        if rows[0] not in self.on or rows[1] not in self.on:
            return None
        i, j = self.on[rows[side]], self.on[rows[1 - side]]
        me, you = self.users[i], self.users[j]
        if any(self.areas.leave[area, k] <= self.users[self.on[rows[k]]].rear for k in (0, 1)):
            return None
        if not me.driven or self.areas.stop[area, side] - me.front >= self.horizon(me.speed):
            return None
        own, other = self.visit(area, side), self.visit(area, 1 - side)
        if not (you.claims or other.inside):
            return None
        limit = self.braking(area, side, own.room)
        reason = self.reason(area, own, other, self.goes_first(area, side, own, other), you.speed)
        if reason is not None:
            return Wait(i, j, "soft" if reason == "precedence" else "hard", limit, area)
        if self.queue_behind(area, side, own, other):
            return Wait(i, me.lead, "soft", limit, area)
        return None

    def reason(self, area: int, own: Visit, other: Visit, goes_first: bool, speed: float) -> str | None:
        if own.inside or math.isinf(own.enters) or math.isinf(other.enters):
            return None
        merges = bool(self.areas.merges[area])
        gap = 0.0
        if goes_first:
            gap = GAP_BEFORE
            if merges:
                gap = MERGE_HEADWAY + max(speed - own.last_speed, 0) / MERGE_DECELERATION
        if own.leaves + gap < other.enters:
            return None
        if not merges and speed > ROLLING and other.leaves + GAP_AFTER < own.enters:
            return None
        if other.inside:
            return "occupied"
        if own.committed:
            return "collision" if other.committed and goes_first else None
        if other.committed:
            return "committed"
        return "precedence" if goes_first else None

    def queue_behind(self, area: int, side: int, own: Visit, other: Visit) -> bool:
        me = self.users[self.on[self.areas.row[area, side]]]
        if own.inside or own.committed or self.areas.merges[area] or other.distance >= CLEAR_DISTANCE:
            return False
        needed = self.areas.leave[area, side] - me.rear + CLEAR_ROOM
        return own.distance < me.gap < needed and me.lead_speed < QUEUE_SPEED

    def goes_first(self, area: int, side: int, own: Visit, other: Visit) -> bool:
        sign = self.rules.first[area] * (1 if side == 1 else -1)
        with np.errstate(invalid="ignore"):
            later = np.float64(own.enters) - other.enters
        if abs(later) > self.rules.together[area]:
            return bool(later > 0)
        if sign:
            return bool(sign > 0)
        rank = self.rules.rank[self.areas.row[area]]
        return bool(rank[1 - side] < rank[side])

    def visit(self, area: int, side: int) -> Visit:
        row = self.areas.row[area, side]
        me, a = self.users[self.on[row]], self.params.max_acceleration
        enter, leave = self.areas.enter[area, side], self.areas.leave[area, side]
        distance, limit = enter - me.front, max(self.rules.limit[area, side], 1.0)
        place, past = self.areas.stop[area, side], self.areas.stop[area, side] < me.front
        near = enter - STOP_BEFORE
        if near > place and distance > 0 and near - me.front < self.horizon(me.speed):
            if not self.in_the_way(row, near, 2 * me.half_length):
                place, past = near, False
            elif past:
                place = near
        room = place - me.front
        committed = me.speed > STANDING and me.speed**2 / (2 * max(room, 0.1)) > COMMITTED
        committed = committed or (past and me.speed > ROLLING)
        last = min(max(limit, me.speed), math.sqrt(me.speed**2 + 2 * a * max(leave - me.rear, 0)))
        stuck = (
            not self.areas.merges[area] and me.lead_speed < STANDING and me.gap < leave - me.rear + CLEAR_ROOM
        )
        if distance > 0 and (stuck or me.hold < enter):
            return Visit(distance, False, False, math.inf, math.inf, room, me.speed)
        return Visit(
            distance,
            distance <= 0,
            committed,
            travel_time(distance, me.speed, a, limit),
            travel_time(leave - me.rear, me.speed, a, limit),
            room,
            last,
        )

    def in_the_way(self, row: int, place: float, length: float) -> bool:
        """Whether who waits at `place` of a path stands in an area where somebody crosses soon."""
        for area, side in itertools.product(range(len(self.areas.row)), (0, 1)):
            if self.areas.row[area, side] != row or self.areas.merges[area]:
                continue
            rear = place - STANDING_GAP - length
            if (
                self.areas.enter[area, side] < place
                and self.areas.leave[area, side] > rear
                and self.comes(area, 1 - side)
            ):
                return True
        return False

    def comes(self, area: int, side: int) -> bool:
        row = self.areas.row[area, side]
        if row not in self.on:
            return False
        you = self.users[self.on[row]]
        enter, leave = self.areas.enter[area, side], self.areas.leave[area, side]
        if you.rear >= leave:
            return False
        if you.front > enter:
            return True
        if you.hold < enter or not you.claims:
            return False
        limit = max(self.rules.limit[area, side], 1.0)
        return travel_time(enter - you.front, you.speed, self.params.max_acceleration, limit) < CLEAR_TIME

    def horizon(self, speed: float) -> float:
        return 8 + 2 * speed + speed**2 / 4

    def braking(self, area: int, side: int, room: float) -> float:
        p = self.params
        rows = self.areas.row[area]
        me, you = self.users[self.on[rows[side]]], self.users[self.on[rows[1 - side]]]
        stop = max(room, 0) + p.min_gap - STANDING_GAP
        wait = float(acceleration(me.speed, me.wanted, stop, me.speed, p))
        if not self.areas.merges[area]:
            return wait
        shift = self.areas.shift[area] * (1 if side == 0 else -1)
        gap = you.s + shift - you.half_length - me.front
        if gap < 0:
            return wait
        gap = max(gap, MERGE_SHARE * (p.min_gap + p.headway * me.speed))
        return max(wait, float(acceleration(me.speed, me.wanted, gap, me.speed - you.speed, p)))
