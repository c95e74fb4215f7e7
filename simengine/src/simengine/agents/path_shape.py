"""Where a track goes, its speed, and a path through knots with speed limits. Compiled, used by `paths.py`."""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.agents.lane_lines import arc_lengths, even_steps, interpolate


@njit(cache=True, nogil=True, error_model="numpy")
def unwrap(angle):  # type: ignore[no-untyped-def]
    """Return angles (N,) [rad] without jumps, as `np.unwrap` does."""
    out, shift = angle.copy(), 0.0
    for k in range(1, len(angle)):
        step = angle[k] - angle[k - 1]
        inside = (step + np.pi) % (2.0 * np.pi) - np.pi
        if inside == -np.pi and step > 0.0:
            inside = np.pi
        if abs(step) >= np.pi:
            shift += inside - step
        out[k] = angle[k] + shift
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def shape(knots, wanted, floor, spacing, lowest, lateral_acceleration, deceleration):  # type: ignore[no-untyped-def]
    """Return poses (N, 3), speed limits (N,) and the step of `paths.make_path`; arguments as there, one per knot."""
    s = arc_lengths(knots, np.array([0, len(knots)]))
    at = even_steps(s[-1], spacing)
    count, step = len(at), at[1]
    poses, values = np.empty((count, 3)), np.empty((3, count))
    yaw, limit, known = values[0], values[1], values[2]
    interpolate(at, s, unwrap(knots[:, 2]), yaw)
    interpolate(at, s, wanted, limit)
    interpolate(at, s, floor, known)
    interpolate(at, s, knots[:, 0], poses[:, 0])
    interpolate(at, s, knots[:, 1], poses[:, 1])
    poses[:, 2] = yaw
    half = max(round(2.0 / step), 1)
    for k in range(count):
        after, before = min(k + half, count - 1), max(k - half, 0)
        curvature = abs(yaw[after] - yaw[before]) / max((after - before) * step, 1e-6)
        bent = np.sqrt(lateral_acceleration / max(curvature, 1e-4))
        limit[k] = max(min(limit[k], bent), known[k], lowest)
    lowest_yet = np.inf
    for k in range(count - 1, -1, -1):
        position = 2.0 * deceleration * step * k
        lowest_yet = min(lowest_yet, limit[k] * limit[k] + position)
        limit[k] = np.sqrt(lowest_yet - position)
    return poses, limit, step


@njit(cache=True, nogil=True, error_model="numpy")
def goes_far(pose, distance):  # type: ignore[no-untyped-def]
    """Return whether any of the poses (T, 3) is `distance` [m] or more away from the first."""
    for k in range(1, len(pose)):
        dx, dy = pose[k, 0] - pose[0, 0], pose[k, 1] - pose[0, 1]
        if np.sqrt(dx * dx + dy * dy) >= distance:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def moves_on(pose, step):  # type: ignore[no-untyped-def]
    """Return which poses (T, 3) lie more than `step` [m] ahead of the last one that did; the first does."""
    keep = np.zeros(len(pose), np.bool_)
    keep[0] = True
    last = pose[0]
    for k in range(1, len(pose)):
        dx, dy = pose[k, 0] - last[0], pose[k, 1] - last[1]
        forward = dx * np.cos(last[2]) + dy * np.sin(last[2])
        if forward > step and forward > 0.5 * np.hypot(dx, dy):
            keep[k] = True
            last = pose[k]
    return keep


@njit(cache=True, nogil=True, error_model="numpy")
def track_speed(pose, frames, dt):  # type: ignore[no-untyped-def]
    """Return the speed (T,) [m/s] of poses (T, 3) seen at `frames` (T,), averaged over up to five steps."""
    count = len(frames)
    speed = np.zeros(count)
    if count < 2:
        return speed
    window = min(5, count - 1)
    middle, mean = np.empty(count - window), np.empty(count - window)
    for k in range(count - window):
        dx, dy = pose[k + window, 0] - pose[k, 0], pose[k + window, 1] - pose[k, 1]
        mean[k] = np.sqrt(dx * dx + dy * dy) / ((frames[k + window] - frames[k]) * dt)
        middle[k] = k + 0.5 * window
    interpolate(np.arange(count).astype(np.float64), middle, mean, speed)
    return speed
