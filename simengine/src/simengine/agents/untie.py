"""Who goes when all wait for each other."""

from __future__ import annotations

import numpy as np
from numba import njit

# Why somebody waits: precedence; somebody in the area or sure to be; a leader that stands.
SOFT, HARD, QUEUE = 1, 2, 3
STANDING = 0.5


@njit(cache=True, nogil=True, error_model="numpy")
def untie(who, whom, kind, speed, rank):  # type: ignore[no-untyped-def]
    """Where all wait for each other in a circle, let one go.

    Preferred is who waits for nothing but precedence, then who waits for precedence among other things, then anybody
    who does not stand in a queue; of equals the lowest rank. Once all of a circle stand, who may go is not held up
    by others who are in a conflict area either, only by what really is in the way.

    Args:
        who: (E,) who waits.
        whom: (E,) for whom, -1 for somebody who waits for nobody.
        kind: (E,) why; changed in place, what need not be minded becomes negative.
        speed: (N,) speeds of all [m/s].
        rank: (N,) their fixed order.
    """
    count = len(speed)
    reach = np.zeros((count, count), np.bool_)
    for i in range(count):
        _follow(who, whom, i, reach[i])
    for i in range(count):
        if not reach[i, i]:
            continue
        best, best_level, stand = -1, 0, True
        for k in range(count):
            if not (reach[i, k] and reach[k, i]):
                continue
            stand = stand and speed[k] < STANDING
            soft, hard = False, False
            for e in range(len(who)):
                if who[e] == k and whom[e] >= 0 and reach[i, whom[e]] and reach[whom[e], i]:
                    soft = soft or kind[e] == SOFT or kind[e] == -SOFT
                    hard = hard or not (kind[e] == SOFT or kind[e] == -SOFT)
            level = 3 if soft and not hard else 2 if soft else 1
            if level > best_level or (level == best_level and rank[k] < rank[best]):
                best, best_level = k, level
        if best != i:
            continue
        for e in range(len(who)):
            if who[e] != i or whom[e] < 0 or not (reach[i, whom[e]] and reach[whom[e], i]):
                continue
            if kind[e] == SOFT or (kind[e] == HARD and stand and best_level < 3):
                # Still an entry of its kind for the others of the circle.
                kind[e] = -kind[e]


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(who, whom, start, met):  # type: ignore[no-untyped-def]
    """Mark everybody that `start` waits for, directly or not."""
    grown = False
    for e in range(len(who)):
        if who[e] == start and whom[e] >= 0 and not met[whom[e]]:
            met[whom[e]] = True
            grown = True
    while grown:
        grown = False
        for e in range(len(who)):
            if met[who[e]] and whom[e] >= 0 and not met[whom[e]]:
                met[whom[e]] = True
                grown = True
