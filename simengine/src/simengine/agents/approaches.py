"""How a path comes to a conflict area: from where, turning how, past which signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.agents.junctions import Junctions
from simengine.agents.lanes import LaneGraph
from simengine.agents.paths import Path
from simengine.geometry import polyline

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
        ring=lane in junctions.rings or along.at(max(enter - 2.0, 0.0)) in junctions.rings,
        stops=signed(stops),
        gives_way=signed(yields),
        signalled=junctions.is_signalled(lane) or junctions.is_signalled(before),
        through=junctions.goes_through(before),
    )
