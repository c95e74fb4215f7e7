"""The intelligent driver model: how hard a driver accelerates behind a leader.

Owns the formula and its time step, in SI units. Who the leader is, is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True)
class IdmParams:
    """Parameters of the intelligent driver model (Treiber, Hennecke and Helbing 2000).

    The paper's values (a = 0.73, b = 1.67, T = 1.6, s0 = 2, delta = 4) describe motorways; the defaults
    here keep its gap and exponent and take the brisker acceleration usual for city streets.

    Attributes:
        max_acceleration: a, acceleration from standstill on a free road [m/s^2].
        comfortable_deceleration: b, braking chosen when there is time to choose [m/s^2].
        headway: T, time gap to a leader [s].
        min_gap: s0, bumper distance at standstill [m].
        exponent: delta, how late the acceleration fades towards the desired speed.
        max_deceleration: physical limit of braking [m/s^2].
    """

    max_acceleration: float = 1.5
    comfortable_deceleration: float = 2.0
    headway: float = 1.4
    min_gap: float = 2.0
    exponent: float = 4.0
    max_deceleration: float = 8.0

    def as_array(self) -> np.ndarray:
        """Return the numbers (6,) in the order of the attributes, as compiled code takes them."""
        return np.array(astuple(self))


@njit(cache=True, nogil=True, error_model="numpy")
def idm_acceleration(speed, desired_speed, gap, closing_speed, idm):  # type: ignore[no-untyped-def]
    """Return what `acceleration` does for one driver; `idm` is `IdmParams.as_array`."""
    free = max(idm[0] * (1.0 - (speed / max(desired_speed, 0.1)) ** idm[4]), -idm[1])
    root = 2.0 * np.sqrt(idm[0] * idm[1])
    wanted = idm[3] + max(0.0, speed * idm[2] + speed * closing_speed / root)
    interaction = idm[0] * (wanted / max(gap, 0.1)) ** 2
    return min(max(free - interaction, -idm[5]), idm[0])


@njit(cache=True, nogil=True, error_model="numpy")
def advance_one(speed, accel, dt):  # type: ignore[no-untyped-def]
    """Return what `advance` does for one driver."""
    after = speed + accel * dt
    if after < 0.0:
        return speed * speed / (2.0 * max(-accel, 1e-9)), 0.0
    return (speed + 0.5 * accel * dt) * dt, after


def acceleration(
    speed: np.ndarray | float,
    desired_speed: np.ndarray | float,
    gap: np.ndarray | float,
    closing_speed: np.ndarray | float,
    params: IdmParams,
) -> np.ndarray:
    """Return the acceleration (...) [m/s^2] of drivers behind leaders; all arguments broadcast.

    Args:
        speed: own speed, >= 0 [m/s].
        desired_speed: speed on a free road, > 0 [m/s].
        gap: bumper-to-bumper distance [m]; infinity on a free road.
        closing_speed: own speed minus speed of the leader [m/s].
        params: the driver.
    """
    speed = np.asarray(speed, dtype=np.float64)
    ratio = speed / np.maximum(desired_speed, 0.1)
    # Far above the desired speed the power law asks for absurd braking; a comfortable one is enough.
    free = np.maximum(
        params.max_acceleration * (1.0 - ratio**params.exponent), -params.comfortable_deceleration
    )
    root = 2.0 * np.sqrt(params.max_acceleration * params.comfortable_deceleration)
    wanted = params.min_gap + np.maximum(0.0, speed * params.headway + speed * closing_speed / root)
    interaction = params.max_acceleration * (wanted / np.maximum(gap, 0.1)) ** 2
    return np.clip(free - interaction, -params.max_deceleration, params.max_acceleration)


def advance(speed: np.ndarray, accel: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return travelled distance (...) [m] and new speed (...) [m/s] after `dt` [s] of constant `accel`.

    A driver that brakes to a halt within the step stays where it halts; speed is never negative.
    """
    speed, accel = np.asarray(speed, dtype=np.float64), np.asarray(accel, dtype=np.float64)
    after = speed + accel * dt
    halts = after < 0.0
    halting = speed**2 / (2.0 * np.maximum(-accel, 1e-9))
    distance = np.where(halts, halting, (speed + 0.5 * accel * dt) * dt)
    return distance, np.where(halts, 0.0, after)
