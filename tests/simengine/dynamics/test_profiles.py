"""Speed and curvature fits: the recursions against dense least squares."""

from fractions import Fraction

import numpy as np
import pytest

from oracles import tracker as oracle
from simengine.dynamics.profiles import fit_curvatures, speed_factor
from simengine.dynamics.reference import reference_profile
from simengine.dynamics.rules import TrackerRules
from tracker_factories import KINDS, make_paths


@pytest.mark.parametrize("jerk_penalty", [False, True])
@pytest.mark.parametrize("intervals", [1, 2, 3, 4, 5, 8, 40])
def test_the_factors_are_those_of_the_dense_matrix(intervals, jerk_penalty):
    pivot, first, second = speed_factor(intervals, 0.1, jerk_penalty)
    lower = np.eye(intervals)
    for i in range(1, intervals):
        lower[i, i - 1] = first[i]
        lower[i, max(i - 2, 0)] += second[i]
    # Rows of the penalty in terms of speeds: (v[r+2] - 2 v[r+1] + v[r]) / dt is a jerk times dt, (v[r+1] - v[r]) / dt
    # an acceleration; the data term dt^2 |v - s|^2 has been divided by dt^2.
    rows = np.zeros((max(intervals - 2, 0), intervals))
    for r in range(intervals - 2):
        jerk = jerk_penalty or r == intervals - 3
        rows[r, r : r + 3] = [1.0, -2.0, 1.0] if jerk else [-1.0, 1.0, 0.0]
    expected = np.eye(intervals) + 1e-4 / 0.1**4 * rows.T @ rows
    np.testing.assert_allclose(lower @ np.diag(pivot) @ lower.T, expected, atol=1e-12)


@pytest.mark.parametrize("jerk_penalty", [False, True])
@pytest.mark.parametrize("intervals", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_profiles_are_those_of_dense_least_squares(kind, intervals, jerk_penalty):
    paths = make_paths(kind, 12, intervals)
    profile = reference_profile(paths, 0.1, TrackerRules(jerk_penalty=jerk_penalty))
    for path, speeds, curvatures in zip(paths, profile.speeds, profile.curvatures, strict=True):
        np.testing.assert_allclose(speeds, oracle.speed_profile(path, 0.1, jerk_penalty), atol=1e-11)
        dense = oracle.curvature_profile(path, speeds, 0.1)
        np.testing.assert_allclose(curvatures[:intervals], dense, rtol=1e-6, atol=1e-9 * np.abs(dense).max())
        assert (curvatures[intervals:] == curvatures[intervals - 1]).all()


def test_another_spacing_of_poses():
    paths = make_paths("ordinary", 4, 8, dt=0.5)
    profile = reference_profile(paths, 0.5)
    for path, speeds in zip(paths, profile.speeds, strict=True):
        np.testing.assert_allclose(speeds, oracle.speed_profile(path, 0.5), atol=1e-11)


def exact_curvatures(speeds, turns, dt):
    """Solve the tridiagonal system of `fit_curvatures` in fractions."""
    link = Fraction(1e-2) / Fraction(dt * dt)
    distance = [Fraction(v * dt) for v in speeds]
    diagonal = [d * d + 2 * link for d in distance]
    diagonal[0] += Fraction(1e-10) - link
    diagonal[-1] -= link
    right = [d * Fraction(t) for d, t in zip(distance, turns, strict=True)]
    for i in range(1, len(right)):
        diagonal[i] -= link * link / diagonal[i - 1]
        right[i] += link / diagonal[i - 1] * right[i - 1]
    solution = [right[-1] / diagonal[-1]]
    for i in range(len(right) - 2, -1, -1):
        solution.insert(0, (right[i] + link * solution[0]) / diagonal[i])
    return np.array([float(k) for k in solution])


@pytest.mark.parametrize("speed", [0.0, 1e-12, 1e-6, 1e-5, 1e-3, 10.0])
def test_curvatures_of_slow_cars_lose_no_digits(speed):
    # Elimination that forms differences of nearly equal pivots keeps about six digits here.
    rng = np.random.default_rng(0)
    speeds = speed * rng.uniform(0.5, 1.5, 20)
    poses = np.cumsum(rng.uniform(0.0, 0.1, (21, 3)), axis=0)
    pivots, curvatures = np.empty(20), np.empty(20)
    fit_curvatures(poses, speeds, 0.1, pivots, curvatures)
    exact = exact_curvatures(speeds, np.diff(poses[:, 2]), 0.1)
    np.testing.assert_allclose(curvatures, exact, rtol=1e-13)


def test_profiles_do_not_depend_on_the_frame():
    paths = make_paths("ordinary", 8)
    c, s = np.cos(2.0), np.sin(2.0)
    moved = np.stack(
        [
            100.0 + c * paths[..., 0] - s * paths[..., 1],
            s * paths[..., 0] + c * paths[..., 1],
            paths[..., 2] + 2.0,
        ],
        axis=-1,
    )
    here, there = reference_profile(paths, 0.1), reference_profile(moved, 0.1)
    np.testing.assert_allclose(there.speeds, here.speeds, atol=1e-11)
    np.testing.assert_allclose(there.curvatures, here.curvatures, atol=1e-10)
