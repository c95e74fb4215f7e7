"""From planned poses to the states a car would really go through."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy import cos, sin

from simengine.datatypes.ego import STATE_SIZE
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.bicycle import advance, initial_steering, read_car, write_car
from simengine.dynamics.reference import ReferenceProfile, reference_profile
from simengine.dynamics.rules import NAVSIM_V1, TrackerRules
from simengine.dynamics.tracker import HORIZON, command
from simengine.errors import PlanError
from simengine.rows import for_rows

WORLD = (0.0, 0.0, 0.0)


def simulate(
    initial_state: np.ndarray,
    poses: np.ndarray,
    vehicle: VehicleParams,
    dt: float,
    steps: int | None = None,
    *,
    frame: np.ndarray | tuple[float, float, float] = WORLD,
    rules: TrackerRules = NAVSIM_V1,
    profile: ReferenceProfile | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Return the states (B, steps + 1, 11) of a car that tracks `poses` from `initial_state`.

    Args:
        initial_state: (11,) state at time 0, kept unchanged as the first row.
        poses: (B, M + 1, 3) reference poses of the rear axle, `dt` apart, from time 0.
        vehicle: dimensions.
        dt: [s].
        steps: how many steps to simulate, at most and by default M.
        frame: the pose in the world of the frame that `poses` are given in, by default the world.
        rules: the published tracker or the corrected one.
        profile: `reference_profile` of the poses, for those who use them again; made here if None.
        threads: at most this many, by default one per core; the result is the same.

    Raises:
        PlanError: `poses`, `steps` and `profile` do not fit each other.
    """
    poses = np.require(poses, np.float64, ["C", "W"])
    steps = poses.shape[1] - 1 if steps is None else steps
    check_plans(poses.shape, steps)
    profile = reference_profile(poses, dt, rules, threads) if profile is None else profile
    check_profile(poses.shape, profile.speeds.shape)

    states = np.empty((len(poses), steps + 1, STATE_SIZE))
    states[:, 0] = initial_state
    start = read_car(np.array(initial_state, dtype=np.float64))
    if rules.steering_from_yaw_rate:
        start = initial_steering(start, vehicle.wheel_base)
    origin = tuple(float(value) for value in frame)
    speeds, curvatures, wheel_base = profile.speeds, profile.curvatures, vehicle.wheel_base
    for_rows(
        lambda *rows: _drive(*rows, start, poses, origin, speeds, curvatures, wheel_base, dt, states),
        len(poses),
        threads,
    )
    return states


def check_plans(shape: tuple[int, ...], steps: int) -> None:
    """Raise `PlanError` unless poses of `shape` (B, M + 1, 3) reach `steps` steps far."""
    if len(shape) != 3 or shape[1] < 2 or shape[2] != 3 or not 0 <= steps < shape[1]:
        raise PlanError(
            f"poses have shape {shape} for {steps} steps, expected (plans, poses, 3) with at least two poses and "
            "one more than steps"
        )


def check_profile(shape: tuple[int, ...], profile: tuple[int, ...]) -> None:
    """Raise `PlanError` unless a profile with speeds of shape `profile` belongs to poses of `shape`."""
    if profile != (shape[0], shape[1] - 1):
        raise PlanError(
            f"the profile has speeds of shape {profile} for poses of shape {shape}, expected one speed per interval: "
            "make it with reference_profile from the same poses"
        )


@njit(cache=True, nogil=True, error_model="numpy")
def to_world(origin, x, y, yaw):  # type: ignore[no-untyped-def]
    """Return x, y and unwrapped yaw in the parent of the frame with pose `origin`."""
    c, s = cos(origin[2]), sin(origin[2])
    return origin[0] + c * x - s * y, origin[1] + s * x + c * y, origin[2] + yaw


@njit(cache=True, nogil=True, error_model="numpy")
def _drive(first, last, start, poses, origin, speeds, curvatures, wheel_base, dt, states):  # type: ignore[no-untyped-def]
    final = speeds.shape[1] - 1
    for b in range(first, last):
        car, row = start, curvatures[b]
        for t in range(states.shape[1] - 1):
            pose = to_world(origin, poses[b, t, 0], poses[b, t, 1], poses[b, t, 2])
            acceleration, steering_rate = command(car, pose, speeds[b, min(t + HORIZON, final)], row, t, dt)
            car = advance(car, acceleration, steering_rate, wheel_base, dt)
            write_car(car, states[b, t + 1])
