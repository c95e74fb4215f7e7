"""Junctions: what connects the arms of a crossing, and where one stops before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simengine.geometry import polyline
from simengine.geometry.angles import wrap
from simengine.world.map_builder import MapBuilder
from simengine.world.roads import Road

ARM_NAMES = ("east", "north", "west", "south")
CROSSWALK_OFFSET = 3.0
STOP_OFFSET = 6.0
TURNING_SPEED = 6.7


@dataclass(frozen=True)
class Arm:
    """A road where it meets a junction.

    Attributes:
        road: the road.
        outward: whether its line leads away from the junction.
        stop: name of its stop lines, see `MapBuilder.add_stop_line`; "" for none.
        stop_offset: from the stop lines to the end of the lanes [m].
    """

    road: Road
    outward: bool = True
    stop: str = "stop_line"
    stop_offset: float = STOP_OFFSET

    @property
    def inbound(self) -> tuple[str, ...]:
        """Lanes that lead to the junction, leftmost first."""
        return self.road.lane_ids("b" if self.outward else "f")

    @property
    def outbound(self) -> tuple[str, ...]:
        """Lanes that lead away from it, leftmost first."""
        return self.road.lane_ids("f" if self.outward else "b")

    @property
    def heading(self) -> float:
        """Direction away from the junction [rad]."""
        yaw = polyline.headings(self.road.line)
        return float(yaw[0]) if self.outward else float(yaw[-1]) + np.pi


@dataclass(frozen=True)
class Junction:
    """What was made of the arms.

    Attributes:
        entries: for each arm the ids of its connectors with their stop points; (NaN, NaN) without a stop line.
        signed: lanes that end at a stop sign or give-way line.
    """

    entries: tuple[tuple[tuple[str, np.ndarray], ...], ...]
    signed: tuple[str, ...]


def join(builder: MapBuilder, arms: list[Arm], limit: float, margin: float = 1.5) -> Junction:
    """Connect every arm with every other one and return how.

    Args:
        builder: holds the roads of the arms.
        arms: counter-clockwise.
        limit: speed limit straight on [m/s]; turns are slower.
        margin: of the intersection area around all connectors [m].
    """
    entries, signed = [], []
    for arm in arms:
        stops = [_stop_line(builder, arm, lane) for lane in arm.inbound]
        signed += [lane for lane in arm.inbound if arm.stop in ("stop_sign", "yield")]
        made = []
        for target, pairs, speed in _ways(arms, arm, limit):
            for a, b in pairs:
                made.append((builder.connect(arm.inbound[a], target.outbound[b], speed), stops[a]))
        entries.append(tuple(made))
    builder.add_intersection([name for made in entries for name, _ in made], margin)
    return Junction(tuple(entries), tuple(signed))


def _stop_line(builder: MapBuilder, arm: Arm, lane: str) -> np.ndarray:
    if not arm.stop:
        return np.full(2, np.nan)
    return builder.add_stop_line(lane, builder.lane_length(lane) - arm.stop_offset, arm.stop)


def _ways(arms: list[Arm], arm: Arm, limit: float) -> Iterator[tuple[Arm, list[tuple[int, int]], float]]:
    """The arms one may go to, counter-clockwise from `arm`, with pairs of lanes and speeds."""
    at = arms.index(arm)
    for other in (*arms[at + 1 :], *arms[:at]):
        count = min(len(arm.inbound), len(other.outbound))
        if not count:
            continue
        turn = float(wrap(other.heading - arm.heading - np.pi))
        if abs(turn) < 0.5:
            yield other, [(k, k) for k in range(count)], limit
        elif turn < 0.0:
            yield other, [(len(arm.inbound) - 1, len(other.outbound) - 1)], min(limit, TURNING_SPEED)
        else:
            yield other, [(0, 0)], min(limit, TURNING_SPEED)
