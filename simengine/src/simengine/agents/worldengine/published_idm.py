"""The published driver model: the intelligent driver model in km/h with gaps in metres between centres.

Its quirks are kept, because published results were made with them: the desired gap mixes units, every agent wants
35 km/h, the speed that is stored is that of the interval after next, and a slow agent may move backwards.
"""

from __future__ import annotations

import numpy as np

KMH = 3.6
NORMAL_SPEED = 35.0
DISTANCE_WANTED = 10.0
TIME_WANTED = 1.5
DELTA = 4.0
ACCELERATION = 2.5
NO_LEAD_DISTANCE = 15.0
CREEPING_SPEED = 0.008
CREEPING_DISTANCE = 10.5
DT = 0.5
TIMES = DT * np.arange(5)


def acceleration(speed: float, distance: float | None, lead_speed: float = 0.0) -> float:
    """Return the acceleration of one agent [m/s^2].

    Args:
        speed: its own [m/s].
        distance: between its centre and that of the one ahead [m]; None without one.
        lead_speed: of the one ahead [m/s].
    """
    own, lead = KMH * speed, KMH * lead_speed
    value = ACCELERATION * (1.0 - min(own / NORMAL_SPEED, 1.0) ** DELTA)
    if distance is not None:
        wanted = DISTANCE_WANTED + max(0.0, TIME_WANTED * own + own * (own - lead) / (2.0 * ACCELERATION))
        value -= ACCELERATION * (wanted / distance) ** 2
    elif own >= NORMAL_SPEED:
        value -= ACCELERATION * (own - NORMAL_SPEED) / NORMAL_SPEED
    value = min(max(value, -ACCELERATION), ACCELERATION)
    gap = NO_LEAD_DISTANCE if distance is None else distance
    return 0.0 if own < CREEPING_SPEED and gap < CREEPING_DISTANCE else value


def travelled(speed: float, value: float) -> np.ndarray:
    """Return the distances (5,) [m] after 0, 0.5, ..., 2 s at constant acceleration `value`, backwards included."""
    return speed * TIMES + 0.5 * value * TIMES**2
