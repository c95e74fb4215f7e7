"""Who goes first where two paths conflict: the log, signs, roundabouts, through traffic, turns, the near side.

What is decided here holds for a whole scenario. Lights, distances and speeds decide at run time whether anybody has
to wait at all, see `yielding.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simengine.agents.conflicts import Conflicts, find_conflicts
from simengine.agents.junctions import Junctions
from simengine.agents.lanes import LaneGraph
from simengine.agents.paths import Path, PathSet
from simengine.geometry import polyline
from simengine.geometry.angles import wrap

LOG_ENCOUNTER = 8.0
# Of two that have to stop anyway, whoever is there first goes first; this much counts as together [s].
TOGETHER = 0.5
# Without a known junction, this far before and behind a conflict area tells who turns [m].
APPROACH = 30.0
DEPARTURE = 10.0
SIGN_REACH = 20.0
LANE_TOLERANCE = 2.0
TURNING = np.pi / 6
TURNING_ROUND = 5.0 * np.pi / 6
SWAY = 0.05
LANE_STRIDE = 4


@dataclass(frozen=True)
class RightOfWay:
    """Conflict areas with their rules; C areas between P paths.

    Attributes:
        conflicts: the areas.
        first: (C,) 1 if the first path goes first, -1 if the second does, 0 if whoever comes first.
        together: (C,) arrivals this close are decided by `first`, others by who comes first; infinite where `first`
            always decides [s].
        limit: (C, 2) speed limit of each path in the area [m/s].
        rank: (P,) a fixed order of all paths, used where nothing else tells two vehicles apart.
    """

    conflicts: Conflicts
    first: np.ndarray
    together: np.ndarray
    limit: np.ndarray
    rank: np.ndarray


NO_RIGHT_OF_WAY = RightOfWay(
    Conflicts(
        np.zeros((0, 2), np.int64), *(np.zeros((0, 2)) for _ in range(3)), np.zeros(0, bool), np.zeros(0)
    ),
    np.zeros(0, np.int64),
    np.zeros(0),
    np.zeros((0, 2)),
    np.zeros(0, np.int64),
)
"""Nothing conflicts."""


@dataclass(frozen=True)
class Approach:
    """How a path comes to a conflict area.

    Attributes:
        heading: direction before the junction [rad].
        turn: how far it turns there, left positive [rad].
        lane: whether it comes along a lane of the map at all.
        ring: whether it is in a roundabout.
        stops: whether it has a stop sign.
        gives_way: whether it has a yield sign.
        signalled: whether lights control it.
        through: whether its road goes straight on.
    """

    heading: float
    turn: float
    lane: bool = False
    ring: bool = False
    stops: bool = False
    gives_way: bool = False
    signalled: bool = False
    through: bool = False


class LanesAlong:
    """The lanes under a path, looked up every two metres or so."""

    def __init__(self, path: Path, graph: LaneGraph) -> None:
        self._path, self._graph = path, graph
        self._under = graph.under(path.poses[::LANE_STRIDE])
        self._spacing = path.step * LANE_STRIDE
        self._connects = np.array([k >= 0 and graph.lanes[graph.ids[k]].is_connector for k in self._under])

    def at(self, s: float) -> str | None:
        """Return the lane at arc length `s` [m], None where there is none."""
        k = self._under[self._row(s)]
        return self._graph.ids[k] if k >= 0 else None

    def yaw(self, s: float) -> float:
        """Return the unwrapped heading at arc length `s` [m]."""
        return float(self._path.poses[min(max(round(s / self._path.step), 0), len(self._path.poses) - 1), 2])

    def junction(self, enter: float, leave: float) -> tuple[float, float] | None:
        """Return from where to where the path is in the junction of a conflict area, or None if that is in none."""
        inside = np.flatnonzero(self._connects[self._row(enter - 2.0) : self._row(leave) + 1])
        if not len(inside):
            return None
        first = last = int(inside[0]) + self._row(enter - 2.0)
        while first > 0 and self._connects[first - 1]:
            first -= 1
        while last + 1 < len(self._connects) and self._connects[last + 1]:
            last += 1
        return first * self._spacing, last * self._spacing

    def passes(self, places: dict[str, np.ndarray]) -> np.ndarray:
        """Return the arc lengths (K,) [m] at which the path passes `places` (lane -> point on it)."""
        if not places:
            return np.zeros(0)
        lanes = sorted({self._graph.ids[k] for k in self._under if k >= 0} & places.keys())
        if not lanes:
            return np.zeros(0)
        s, offset = polyline.project(self._path.poses[:, :2], np.array([places[k] for k in lanes]))
        return np.sort(s[(np.abs(offset) < LANE_TOLERANCE) & (s > 0.0)])

    def _row(self, s: float) -> int:
        return min(max(round(s / self._spacing), 0), len(self._under) - 1)


def approach(
    along: LanesAlong, junctions: Junctions, stops: np.ndarray, yields: np.ndarray, enter: float, leave: float
) -> Approach:
    """Return how a path comes to the conflict area between arc lengths `enter` and `leave` [m].

    Args:
        along: the lanes under the path.
        junctions: facts about them.
        stops: (K,) arc lengths of stop signs on the path [m].
        yields: (K,) of yield signs.
        enter: where the area begins.
        leave: where it ends.
    """
    inside = along.junction(enter, leave)
    begin, end = inside or (max(enter - APPROACH, 0.0), leave + DEPARTURE)
    lane = along.at(max((begin if inside else enter) - 2.0, 0.0))
    before = junctions.lane_before(lane)
    signed = lambda places: bool(((places > begin - SIGN_REACH) & (places < enter + 1.0)).any())  # noqa: E731
    return Approach(
        heading=along.yaw(begin),
        turn=along.yaw(end) - along.yaw(begin),
        lane=lane is not None,
        ring=along.at(max(enter - 2.0, 0.0)) in junctions.rings,
        stops=signed(stops),
        gives_way=signed(yields),
        signalled=junctions.is_signalled(lane) or junctions.is_signalled(before),
        through=junctions.goes_through(before),
    )


def precedence(a: Approach, b: Approach, merges: bool, left_hand: bool) -> tuple[int, float]:
    """Return who of two goes first, 1 for `a`, -1 for `b`, 0 for nobody, and for arrivals how close that counts.

    In this order: who is in a roundabout; who has no sign or has a light, against who has to stop or to give way;
    straight on, against a turn from the same or the opposite side, and against every merging turn; a road that goes
    through, against one that ends; who comes from the near side. Two who both have to stop go as they come.
    """
    together = TOGETHER if a.stops and b.stops else np.inf
    rules = [
        (a.ring, b.ring),
        (not (a.stops or a.gives_way), not (b.stops or b.gives_way)),
        (a.signalled, b.signalled),
    ]
    for ours, theirs in rules:
        if ours != theirs:
            return (1 if ours else -1), together
    between = float(wrap(b.heading - a.heading))
    crosswise = np.pi / 4 <= abs(between) <= 3 * np.pi / 4
    if merges or not crosswise:
        ours, theirs = _order(a, left_hand), _order(b, left_hand)
        if ours != theirs:
            return (1 if ours < theirs else -1), together
        if merges and not crosswise and abs(abs(a.turn) - abs(b.turn)) > SWAY:
            return (1 if abs(a.turn) < abs(b.turn) else -1), together
        return 0, 0.0
    if a.lane and b.lane and not a.signalled:
        if a.through != b.through:
            return (1 if a.through else -1), together
        from_right = between > 0.0
        return (1 if from_right == left_hand else -1), together
    # Somebody unseen regulates this; who goes straight on rarely waits for who turns.
    straight = [abs(one.turn) < TURNING for one in (a, b)]
    return (0, 0.0) if straight[0] == straight[1] else ((1 if straight[0] else -1), together)


def _order(one: Approach, left_hand: bool) -> tuple[int, bool]:
    """Straight on before the near turn before the far turn before turning round."""
    size = abs(one.turn)
    kind = 0 if size < TURNING else 1 if size < TURNING_ROUND else 2
    return kind, kind == 1 and (one.turn > 0.0) != left_hand


def order_in_log(a: Path, b: Path, enter: Sequence[float]) -> int:
    """Return who entered a conflict area first in the log: 1 for path `a`, -1 for `b`.

    0 unless the log saw one of them enter, and either the other within 8 s of it or, at that time, the other before
    the area.
    """
    times = [_time_in_log(path, s) for path, s in zip((a, b), enter, strict=True)]
    if np.isfinite(times).all():
        early, late = times
        return 0 if abs(early - late) > LOG_ENCOUNTER else int(np.sign(late - early))
    for k, other in ((0, b), (1, a)):
        if np.isfinite(times[k]) and _is_before(other, enter[1 - k], times[k]):
            return 1 if k == 0 else -1
    return 0


def _time_in_log(path: Path, s: float) -> float:
    """Time at which a log passed arc length `s` [s], NaN if it did not."""
    if path.log is None or not path.log[0, 0] < s <= path.log[-1, 0]:
        return float("nan")
    return float(np.interp(s, path.log[:, 0], path.log[:, 1]))


def _is_before(path: Path, s: float, time: float) -> bool:
    """Whether a log that does not reach arc length `s` was on its way to it at `time`."""
    return (
        path.log is not None
        and path.log[-1, 0] < s
        and path.log[0, 1] <= time <= path.log[-1, 1] + LOG_ENCOUNTER
    )


def make_right_of_way(
    paths: Sequence[Path],
    size: np.ndarray,
    rank: np.ndarray,
    graph: LaneGraph,
    junctions: Junctions,
) -> RightOfWay:
    """Return who goes first wherever two of `paths` conflict.

    Args:
        paths: P paths.
        size: (P, 2) length and width of their vehicles [m].
        rank: (P,) a fixed order of the vehicles that does not depend on how they are listed.
        graph: the lanes.
        junctions: facts about them.
    """
    packed = PathSet.pack(paths)
    lanes = [LanesAlong(path, graph) for path in paths]
    stops = [one.passes(junctions.stop_signs) for one in lanes]
    yields = [one.passes(junctions.give_way_signs) for one in lanes]
    conflicts = find_conflicts(packed, 0.5 * size[:, 1], size[:, 0], stops, np.argsort(rank))
    first, together = np.zeros(len(conflicts.row), np.int64), np.zeros(len(conflicts.row))
    for c, pair in enumerate(conflicts.row):
        logged = order_in_log(paths[pair[0]], paths[pair[1]], conflicts.enter[c])
        if logged:
            first[c], together[c] = logged, np.inf
            continue
        a, b = (
            approach(lanes[p], junctions, stops[p], yields[p], conflicts.enter[c, k], conflicts.leave[c, k])
            for k, p in enumerate(pair)
        )
        first[c], together[c] = precedence(a, b, bool(conflicts.merges[c]), junctions.drives_left)
    limit = packed.limit(conflicts.row.ravel(), conflicts.enter.ravel()).reshape(-1, 2)
    return RightOfWay(conflicts, first, together, limit, np.asarray(rank))
