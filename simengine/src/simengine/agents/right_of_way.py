"""Who goes first where two paths conflict: the log, signs, roundabouts, through traffic, turns, the near side.

What is decided here holds for a whole scenario. Lights, distances and speeds decide at run time whether anybody has
to wait at all, see `yielding.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simengine.agents.approaches import Approach, LanesAlong, approach
from simengine.agents.conflicts import Conflicts, find_conflicts
from simengine.agents.junctions import Junctions
from simengine.agents.log_order import LogOrder
from simengine.agents.paths import Path, PathSet
from simengine.geometry.angles import wrap

# Of two that have to stop anyway, whoever is there first goes first; this much counts as together [s].
TOGETHER = 0.5
TURNING = np.pi / 6
TURNING_ROUND = 5.0 * np.pi / 6
SWAY = 0.05


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


def make_right_of_way(
    paths: Sequence[Path],
    size: np.ndarray,
    rank: np.ndarray,
    lanes: Sequence[LanesAlong],
    junctions: Junctions,
) -> RightOfWay:
    """Return who goes first wherever two of `paths` conflict.

    Args:
        paths: P paths.
        size: (P, 2) length and width of their vehicles [m].
        rank: (P,) a fixed order of the vehicles that does not depend on how they are listed.
        lanes: the lanes under each path.
        junctions: facts about them.
    """
    packed = PathSet.pack(paths)
    stops = [one.passes(junctions.stop_signs) for one in lanes]
    yields = [one.passes(junctions.give_way_signs).tolist() for one in lanes]
    conflicts = find_conflicts(packed, 0.5 * size[:, 1], size[:, 0], stops, np.argsort(rank))
    log = LogOrder(paths, conflicts.row, conflicts.enter, conflicts.leave)
    kept = conflicts.merges | ~log.side_by_side
    conflicts, first = conflicts.select(kept), log.order[kept]
    together = np.where(first != 0, np.inf, 0.0)
    signs = [one.tolist() for one in stops]
    row, enter, leave = (values.tolist() for values in (conflicts.row, conflicts.enter, conflicts.leave))
    for c in np.flatnonzero(first == 0):
        a, b = (
            approach(lanes[p], junctions, signs[p], yields[p], enter[c][k], leave[c][k])
            for k, p in enumerate(row[c])
        )
        first[c], together[c] = precedence(a, b, bool(conflicts.merges[c]), junctions.drives_left)
    limit = packed.limit(conflicts.row.ravel(), conflicts.enter.ravel()).reshape(-1, 2)
    return RightOfWay(conflicts, first, together, limit, np.asarray(rank))
