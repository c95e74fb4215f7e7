"""What passengers feel: accelerations, jerks and turning of a batch of ego states, filtered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.ego import StateIndex
from simengine.metrics.epdms.filters import smooth, unwrapped
from simengine.metrics.pdm.parameters import ComfortRules


@dataclass(frozen=True)
class Motion:
    """Columns (P, T) of states that the comfort checks look at, before any filter.

    Attributes:
        speed: along the heading, at the rear axle [m/s].
        longitudinal: acceleration along the heading, at the rear axle [m/s^2].
        lateral: acceleration across it [m/s^2].
        heading: without jumps [rad].
        yaw_rate: [rad/s].
        yaw_acceleration: [rad/s^2].
    """

    speed: np.ndarray
    longitudinal: np.ndarray
    lateral: np.ndarray
    heading: np.ndarray
    yaw_rate: np.ndarray
    yaw_acceleration: np.ndarray


def motion(states: np.ndarray, past: np.ndarray | None = None) -> Motion:
    """Return the motion of states (P, S, 11), led in by the same past (H, 11) where there is one."""

    def column(index: StateIndex) -> np.ndarray:
        if past is None or len(past) == 0:
            return np.ascontiguousarray(states[..., index])
        joined = np.empty((len(states), len(past) + states.shape[1]))
        joined[:, : len(past)] = past[:, index]
        joined[:, len(past) :] = states[..., index]
        return joined

    return Motion(
        column(StateIndex.VELOCITY_X),
        column(StateIndex.ACCELERATION_X),
        column(StateIndex.ACCELERATION_Y),
        unwrapped(column(StateIndex.HEADING)),
        column(StateIndex.ANGULAR_VELOCITY),
        column(StateIndex.ANGULAR_ACCELERATION),
    )


def acceleration_at_center(
    moved: Motion, rear_axle_to_center: float, rules: ComfortRules, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return longitudinal and lateral acceleration (P, T) [m/s^2] of the box centre.

    A point r ahead of the rear axle of a turning body is accelerated by -r * yaw_rate^2 along and by
    r * yaw_acceleration across the heading. NAVSIM v2.2 adds both to the longitudinal part and takes the lateral
    acceleration of the model, which is always 0; with `rules.centripetal` the lateral acceleration of the rear axle
    is speed * yaw_rate. Yaw terms come from the filtered heading then, because logged states have none.
    """
    if not rules.centripetal:
        turning = moved.yaw_rate**2 + moved.yaw_acceleration
        return moved.longitudinal + rear_axle_to_center * turning, moved.lateral
    yaw_rate = smooth(moved.heading, rules.yaw_window, 2, 1, dt)
    yaw_acceleration = smooth(moved.heading, rules.yaw_window, 3, 2, dt)
    return (
        moved.longitudinal - rear_axle_to_center * yaw_rate**2,
        moved.speed * yaw_rate + rear_axle_to_center * yaw_acceleration,
    )
