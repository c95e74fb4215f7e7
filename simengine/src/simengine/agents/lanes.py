"""The lanes under and ahead of a vehicle: nearest lane, speed limits, and which way to go at forks."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from scipy.spatial import cKDTree

from simengine.datatypes.map import Lane, VectorMap
from simengine.geometry import polyline
from simengine.geometry.angles import wrap

VERTEX_SPACING = 2.0
CANDIDATES = 32
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
        lines = [polyline.resample(self.lanes[k].centerline, VERTEX_SPACING) for k in self.ids]
        self._heading = np.concatenate([polyline.headings(p) for p in lines]) if lines else np.zeros(0)
        self._owner = np.repeat(np.arange(len(lines)), [len(p) for p in lines])
        self._tree = cKDTree(np.concatenate(lines)) if lines else None
        self._limits = np.array([self.lanes[k].speed_limit for k in self.ids] + [np.nan])

    def nearest(self, pose: np.ndarray, max_distance: float = 3.0) -> str | None:
        """Return the lane whose direction and place fit `pose` (3,) best, or None."""
        found = int(self.under(np.asarray(pose)[None], max_distance)[0])
        return self.ids[found] if found >= 0 else None

    def under(self, poses: np.ndarray, max_distance: float = 3.0) -> np.ndarray:
        """Return the index into `ids` of the lane that fits each of `poses` (N, 3) best, -1 where none does."""
        if self._tree is None or not len(poses):
            return np.full(len(poses), -1)
        count = min(CANDIDATES, len(self._owner))
        distance, vertex = self._tree.query(
            poses[:, :2], k=np.arange(1, count + 1), distance_upper_bound=max_distance
        )
        known = np.minimum(vertex, len(self._owner) - 1)
        turn = np.abs(wrap(self._heading[known] - poses[:, 2:3]))
        cost = np.where(np.isfinite(distance) & (turn < np.pi / 4), distance + 2.0 * turn, np.inf)
        best = np.argmin(cost, axis=1)
        row = np.arange(len(poses))
        return np.where(np.isfinite(cost[row, best]), self._owner[known[row, best]], -1)

    def speed_limits(self, poses: np.ndarray) -> np.ndarray:
        """Return the speed limit (N,) [m/s] under each of `poses` (N, 3), NaN where it or the lane is unknown."""
        return self._limits[self.under(poses)]

    def chain(self, lane_id: str, distance: float, choose: ForkRule | None = None) -> list[Lane]:
        """Return `lane_id` and the lanes that continue it for `distance` [m], or to where the map ends.

        No lane is taken twice, so that nobody circles for ever. At forks `choose` decides, by default the
        straightest lane goes on.
        """
        choose = choose or straightest
        lane = self.lanes[lane_id]
        found, remaining = [lane], distance - _length(lane)
        while remaining > 0.0:
            taken = {one.id for one in found}
            following = [self.lanes[k] for k in lane.successors if k in self.lanes and k not in taken]
            if not following:
                break
            lane = choose(lane, following)
            found.append(lane)
            remaining -= _length(lane)
        return found

    def extend(
        self, pose: np.ndarray, distance: float, choose: ForkRule | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return poses (N, 3) that continue `pose` (3,) along the lanes for `distance` [m], and speed limits (N,).

        The lateral offset to the lane fades. Where no lane fits, and beyond the end of the map, it goes straight on.
        """
        ahead = np.arange(1.0, max(distance, 2.0), 1.0)
        lane_id = self.nearest(pose)
        if lane_id is None:
            straight = pose[:2] + ahead[:, None] * [np.cos(pose[2]), np.sin(pose[2])]
            return np.column_stack([straight, np.full(len(ahead), pose[2])]), np.full(len(ahead), np.nan)
        lanes = self.chain(lane_id, distance + 200.0, choose)
        line = polyline.drop_repeated(np.concatenate([lane.centerline[:, :2] for lane in lanes]), 0.05)
        s0, offset = polyline.project(line, pose[:2])
        from_here = np.concatenate([[0.0], ahead])
        on_lane = polyline.sample(line, s0 + from_here)
        fade = offset * np.clip(1.0 - from_here / SETTLE_DISTANCE, 0.0, 1.0) ** 2
        left = np.column_stack([-np.sin(on_lane[:, 2]), np.cos(on_lane[:, 2])])
        xy = on_lane[:, :2] + fade[:, None] * left
        ends = np.cumsum([_length(lane) for lane in lanes])
        lane_at = np.minimum(np.searchsorted(ends, s0 + ahead), len(lanes) - 1)
        limits = np.array([lane.speed_limit for lane in lanes])[lane_at]
        return np.column_stack([xy[1:], polyline.headings(xy)[1:]]), limits


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
    heading = polyline.headings(lane.centerline)
    return float(wrap(heading[-1] - heading[0]))


def _length(lane: Lane) -> float:
    return float(polyline.arc_length(lane.centerline)[-1])
