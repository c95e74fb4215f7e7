"""How a path comes to a conflict area: from where, turning how, past which signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simengine.agents.junctions import Junctions
from simengine.agents.lane_ahead import project
from simengine.agents.lanes import LaneGraph
from simengine.agents.paths import Path

# Without a known junction, this far before and behind a conflict area tells who turns [m].
APPROACH = 30.0
DEPARTURE = 10.0
SIGN_REACH = 20.0
LANE_TOLERANCE = 2.0
LANE_STRIDE = 4


@dataclass(frozen=True)
class Approach:
    """How a path comes to a conflict area.

    Attributes:
        heading: direction before the junction [rad].
        turn: how far it turns there, left positive [rad].
        lane: whether it comes along a lane of the map at all.
        ring: whether it is in a roundabout, or comes out of one.
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
    """The lanes under a path, looked up every two metres or so.

    Args:
        path: the path.
        graph: the lanes.
        under: (K,) index of the lane under each `LANE_STRIDE`-th pose, -1 for none; looked up by default.
    """

    def __init__(self, path: Path, graph: LaneGraph, under: np.ndarray | None = None) -> None:
        self._path, self._graph = path, graph
        under = graph.under(path.poses[::LANE_STRIDE]) if under is None else under
        self._ids = [graph.ids[k] if k >= 0 else None for k in under.tolist()]
        self._spacing = path.step * LANE_STRIDE
        connects = (under >= 0) & np.append(graph.connects, False)[under]
        # Of each row, the next one in a junction, and the rows at which the stay in that junction begins and ends.
        row, last = np.arange(len(under)), len(under) - 1
        self._next = np.minimum.accumulate(np.where(connects, row, last + 1)[::-1])[::-1].tolist()
        begins = np.maximum.accumulate(np.where(~connects, row, -1)) + 1
        ends = np.minimum.accumulate(np.where(~connects, row, last + 1)[::-1])[::-1] - 1
        self._begins, self._ends = begins.tolist(), ends.tolist()

    @property
    def lanes(self) -> set[str]:
        """Return all lanes under the path."""
        return {k for k in self._ids if k is not None}

    def at(self, s: float) -> str | None:
        """Return the lane at arc length `s` [m], None where there is none."""
        return self._ids[self._row(s)]

    def yaw(self, s: float) -> float:
        """Return the unwrapped heading at arc length `s` [m]."""
        return float(self._path.poses[min(max(round(s / self._path.step), 0), len(self._path.poses) - 1), 2])

    def junction(self, enter: float, leave: float) -> tuple[float, float] | None:
        """Return from where to where the path is in the junction of a conflict area, or None if that is in none."""
        inside = self._next[self._row(enter - 2.0)]
        if inside > self._row(leave):
            return None
        return self._begins[inside] * self._spacing, self._ends[inside] * self._spacing

    def passes(self, places: dict[str, np.ndarray]) -> np.ndarray:
        """Return the arc lengths (K,) [m] at which the path passes `places` (lane -> point on it)."""
        lanes = sorted(self.lanes & places.keys()) if places else ()
        if not lanes:
            return np.zeros(0)
        line = np.ascontiguousarray(self._path.poses[:, :2])
        s, offset = project(line, np.array([places[k] for k in lanes]))
        return np.sort(s[(np.abs(offset) < LANE_TOLERANCE) & (s > 0.0)])

    def _row(self, s: float) -> int:
        return min(max(round(s / self._spacing), 0), len(self._ids) - 1)


def lanes_along(paths: Sequence[Path], graph: LaneGraph) -> list[LanesAlong]:
    """Return the lanes under each of `paths`, all looked up at once."""
    if not paths:
        return []
    poses = [path.poses[::LANE_STRIDE] for path in paths]
    under = np.split(graph.under(np.concatenate(poses)), np.cumsum([len(one) for one in poses])[:-1])
    return [LanesAlong(path, graph, one) for path, one in zip(paths, under, strict=True)]


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
    before, heading = junctions.lane_before(lane), along.yaw(begin)
    signed = lambda places: any(begin - SIGN_REACH < at < enter + 1.0 for at in places)  # noqa: E731
    return Approach(
        heading=heading,
        turn=along.yaw(end) - heading,
        lane=lane is not None,
        ring=lane in junctions.rings or along.at(max(enter - 2.0, 0.0)) in junctions.rings,
        stops=signed(stops),
        gives_way=signed(yields),
        signalled=junctions.is_signalled(lane) or junctions.is_signalled(before),
        through=junctions.goes_through(before),
    )
