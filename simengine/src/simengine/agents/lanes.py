"""The lanes under and ahead of a vehicle: nearest lane, speed limits, and which way to go at forks."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from simengine.agents.lane_ahead import directions, join, settle
from simengine.agents.lane_lines import STANDING, LaneLines
from simengine.agents.nearest_lane import NearestLane
from simengine.datatypes.map import Lane, VectorMap
from simengine.geometry import polyline
from simengine.geometry.angles import wrap

VERTEX_SPACING = 2.0
# Vertices this close are one where lanes join.
SEAM = 0.05
U_TURN = 2.0 * np.pi / 3.0
SETTLE_DISTANCE = 15.0


class ForkRule(Protocol):
    """Says which lane to take where several continue one."""

    def __call__(self, lane: Lane, following: Sequence[Lane]) -> Lane:
        """Return one of `following`, at least one."""
        ...


class LaneGraph:
    """Nearest-lane lookup and forward continuation on a vector map."""

    def __init__(self, vector_map: VectorMap) -> None:
        self.lanes = {k: lane for k, lane in vector_map.lanes.items() if len(lane.centerline) >= 2}
        self.ids = tuple(sorted(self.lanes))
        self.row = {k: row for row, k in enumerate(self.ids)}
        self.lines = LaneLines.pack([self.lanes[k].centerline for k in self.ids])
        self.length, self.bend = self.lines.length, self.lines.bend
        self._length = self.length.tolist()
        self.connects = np.array([self.lanes[k].is_connector for k in self.ids], bool)
        self._nearest = NearestLane(self.lines.resampled(VERTEX_SPACING))
        self._limits = np.array([self.lanes[k].speed_limit for k in self.ids] + [np.nan])

    def nearest(self, pose: np.ndarray, max_distance: float = 3.0) -> str | None:
        """Return the lane whose direction and place fit `pose` (3,) best, or None."""
        found = int(self.under(np.asarray(pose)[None], max_distance)[0])
        return self.ids[found] if found >= 0 else None

    def under(self, poses: np.ndarray, max_distance: float = 3.0) -> np.ndarray:
        """Return the index into `ids` of the lane that fits each of `poses` (N, 3) best, -1 where none does."""
        return self._nearest.lanes(np.asarray(poses, np.float64), max_distance)

    def speed_limits(self, under: np.ndarray) -> np.ndarray:
        """Return the speed limits (N,) [m/s] of lanes `under` (N,), NaN where it is unknown or there is no lane."""
        return self._limits[under]

    def chain(self, lane_id: str, distance: float, choose: ForkRule | None = None) -> list[Lane]:
        """Return `lane_id` and the lanes that continue it for `distance` [m], or to where the map ends.

        No lane is taken twice, so that nobody circles for ever. At forks `choose` decides, by default the
        straightest lane goes on.
        """
        choose = choose or straightest
        lane = self.lanes[lane_id]
        found, taken, remaining = [lane], {lane_id}, distance - self._length[self.row[lane_id]]
        while remaining > 0.0:
            following = [self.lanes[k] for k in lane.successors if k in self.lanes and k not in taken]
            if not following:
                break
            lane = choose(lane, following)
            found.append(lane)
            taken.add(lane.id)
            remaining -= self._length[self.row[lane.id]]
        return found

    def extend(
        self, pose: np.ndarray, distance: float, choose: ForkRule | None = None, under: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return poses (N, 3) that continue `pose` (3,) along the lanes for `distance` [m], and speed limits (N,).

        The lateral offset to the lane fades. Where no lane fits, and beyond the end of the map, it goes straight on.

        Args:
            pose: where it begins.
            distance: how far it goes.
            choose: which way to go at forks.
            under: index of the lane under `pose`, -1 for none; looked up by default.
        """
        ahead = np.arange(1.0, max(distance, 2.0), 1.0)
        under = int(self.under(np.asarray(pose)[None])[0]) if under is None else under
        if under < 0:
            straight = pose[:2] + ahead[:, None] * [np.cos(pose[2]), np.sin(pose[2])]
            return np.column_stack([straight, np.full(len(ahead), pose[2])]), np.full(len(ahead), np.nan)
        rows = np.array([self.row[lane.id] for lane in self.chain(self.ids[under], distance + 200.0, choose)])
        line = join(self.lines.points, self.lines.start, rows, SEAM)
        yaw = directions(line)
        facing = wrap(yaw)
        s0, xy = settle(
            line,
            np.cos(yaw),
            np.sin(yaw),
            np.cos(facing),
            np.sin(facing),
            pose[0],
            pose[1],
            ahead,
            SETTLE_DISTANCE,
        )
        ends = np.cumsum(self.length[rows])
        limits = self._limits[rows[np.minimum(np.searchsorted(ends, s0 + ahead), len(rows) - 1)]]
        return np.column_stack([xy[1:], directions(xy)[1:]]), limits


def straightest(lane: Lane, following: Sequence[Lane]) -> Lane:
    """Return the lane that bends least; among equals the one with the smallest id."""
    return min(following, key=lambda one: (round(abs(bend(one)), 6), one.id))


def hashed_fork(*names: object) -> ForkRule:
    """Return a rule that decides by a hash of `names` and the lane before the fork.

    It depends on nothing else, so a vehicle goes the same way in whatever order agents or lanes are listed, and
    another seed among the names sends it another way. It does not turn round where there is another way.
    """

    def choose(lane: Lane, following: Sequence[Lane]) -> Lane:
        ways = [one for one in following if abs(bend(one)) < U_TURN] or list(following)
        ways.sort(key=lambda one: one.id)
        return ways[hashed(*names, lane.id) % len(ways)]

    return choose


def on_route(route: Collection[str]) -> ForkRule:
    """Return a rule that stays on a route of roadblock or lane ids, and goes straight on where it says nothing."""
    wanted = frozenset(route)

    def choose(lane: Lane, following: Sequence[Lane]) -> Lane:
        ways = [one for one in following if one.id in wanted or one.roadblock_id in wanted]
        return straightest(lane, ways or following)

    return choose


def hashed(*names: object) -> int:
    """Return a 64-bit number that follows from `names` alone, the same in every process."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def bend(lane: Lane) -> float:
    """Return by how much a lane turns from start to end, left positive, in [-pi, pi) [rad]."""
    line = lane.centerline[:, :2]
    ends = np.array([line[1] - line[0], line[-1] - line[-2]])
    if (np.hypot(ends[:, 0], ends[:, 1]) > STANDING).all():
        heading = np.arctan2(ends[:, 1], ends[:, 0])
    else:
        heading = polyline.headings(line)
    return float(wrap(heading[-1] - heading[0]))
