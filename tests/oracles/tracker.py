"""NAVSIM v1.1's tracker and bicycle written down as its formulas read: one car, dense matrices, plain loops."""

from __future__ import annotations

import numpy as np

HORIZON = 10
WHEEL_BASE = 3.089  # the tracker's own


def wrap(angle):
    return np.arctan2(np.sin(angle), np.cos(angle))


def least_squares(matrix, right, penalty):
    """Return the minimiser of |matrix z - right|^2 + |penalty z|^2, by QR: the normal equations lose digits."""
    stacked = np.vstack([matrix, penalty])
    q, r = np.linalg.qr(stacked)
    return np.linalg.solve(r, q.T @ np.concatenate([right, np.zeros(len(penalty))]))


def sums(first, rates, dt):
    """Return first, first + rates[0] dt, first + (rates[0] + rates[1]) dt, ..."""
    return first + np.concatenate([[0.0], np.cumsum(rates) * dt])


def speed_profile(poses, dt, jerk_penalty=False):
    m = len(poses) - 1
    matrix, right = np.zeros((2 * m, m)), np.zeros(2 * m)
    for i in range(m):
        right[2 * i : 2 * i + 2] = poses[i + 1, :2] - poses[i, :2]
        for row, along in ((2 * i, np.cos(poses[i, 2])), (2 * i + 1, np.sin(poses[i, 2]))):
            matrix[row, 0] = along * dt
            matrix[row, 1 : i + 1] = along * dt * dt
    penalty = np.zeros((max(m - 2, 0), m))
    for r in range(m - 2):
        penalty[r, 1 + r] = -1.0
        if (
            jerk_penalty or r == m - 3
        ):  # published: the entries beside the diagonal are overwritten, all but one
            penalty[r, 2 + r] = 1.0
    z = least_squares(matrix, right, np.sqrt(1e-4) * penalty)
    return sums(z[0], z[1:], dt)


def curvature_profile(poses, speeds, dt):
    m = len(speeds)
    matrix = np.zeros((m, m))
    for i in range(m):
        matrix[i, 0] = speeds[i] * dt
        matrix[i, 1 : i + 1] = speeds[i] * dt * dt
    penalty = np.diag(np.sqrt([1e-10] + [1e-2] * (m - 1)))
    z = least_squares(matrix, wrap(np.diff(poses[:, 2])), penalty)
    return sums(z[0], z[1:], dt)


def command(state, poses, speeds, curvatures, t, dt):
    """Return acceleration and steering rate."""
    x, y, yaw, v, steering = state[0], state[1], state[2], state[3], state[7]
    j = min(t + HORIZON, len(speeds) - 1)
    target = speeds[j]
    if target <= 0.2 and v <= 0.2:
        return -0.5 * (v - target), 0.0
    gain, weight, cost = HORIZON * dt, 10.0, 1.0
    acceleration = -gain * weight * (v - target) / (gain**2 * weight + cost)

    xr, yr, yaw_r = poses[t]
    error = np.array([-(x - xr) * np.sin(yaw_r) + (y - yr) * np.cos(yaw_r), wrap(yaw - yaw_r), steering])
    a, b, g = np.eye(3), np.zeros(3), np.zeros(3)
    for q in range(HORIZON):
        v_q = v + acceleration * q * dt
        f = np.array([[1.0, v_q * dt, 0.0], [0.0, 1.0, v_q * dt / WHEEL_BASE], [0.0, 0.0, 1.0]])
        a = f @ a
        b = f @ b + np.array([0.0, 0.0, dt])
        g = f @ g + np.array([0.0, -v_q * curvatures[min(t + q, j)] * dt, 0.0])
    z = a @ error + g
    z[1:] = wrap(z[1:])
    weights = np.diag([1.0, 10.0, 0.0])
    return acceleration, -(b @ weights @ z) / (b @ weights @ b + 1.0)


def bicycle(state, acceleration, steering_rate, wheel_base, dt):
    x, y, yaw, v, _, a, _, steering, _, yaw_rate, _ = state
    a = a + dt / (dt + 0.2) * (acceleration - a)
    rate = ((steering + dt / (dt + 0.05) * (dt * steering_rate)) - steering) / dt
    after = np.zeros(11)
    after[0] = x + v * np.cos(yaw) * dt
    after[1] = y + v * np.sin(yaw) * dt
    after[2] = (yaw + v * np.tan(steering) / wheel_base * dt + np.pi) % (2 * np.pi) - np.pi
    after[3] = v + a * dt
    after[5] = a
    after[7] = np.clip(steering + rate * dt, -np.pi / 3, np.pi / 3)
    after[8] = rate
    after[9] = after[3] * np.tan(after[7]) / wheel_base
    after[10] = (after[9] - yaw_rate) / dt
    return after


def simulate(state, poses, dt=0.1, wheel_base=3.089, jerk_penalty=False, first_steering=None):
    """Return the states (M + 1, 11) of one car that follows `poses` (M + 1, 3)."""
    speeds = speed_profile(poses, dt, jerk_penalty)
    curvatures = curvature_profile(poses, speeds, dt)
    states = [np.array(state, float)]
    car = states[0].copy()
    if first_steering is not None:
        car[7] = first_steering
    for t in range(len(poses) - 1):
        acceleration, rate = command(car, poses, speeds, curvatures, t, dt)
        car = bicycle(car, acceleration, rate, wheel_base, dt)
        states.append(car)
    return np.stack(states)
