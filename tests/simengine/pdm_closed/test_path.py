"""Poses along a path and the corridor around it."""

import numpy as np
import pytest
import shapely
from scipy.interpolate import interp1d

from simengine.pdm_closed.path import drive_path


def winding(rng, count=12):
    yaw = np.cumsum(rng.normal(0.0, 0.4, count))
    step = rng.uniform(0.5, 4.0, count)[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    line = np.column_stack([np.cumsum(step, axis=0), (yaw + np.pi) % (2 * np.pi) - np.pi])
    return np.insert(line, count // 2, line[count // 2], axis=0)  # lanes join in a repeated vertex


def test_interpolation_is_scipys():
    rng = np.random.default_rng(0)
    for _ in range(20):
        path = drive_path(winding(rng))
        assert (np.diff(path.along) == 0.0).any()
        at = rng.uniform(-3.0, path.length + 3.0, 50)
        at[:4] = [0.0, path.length, path.along[4], path.along[6]]
        expected = interp1d(path.along, path.poses, axis=0)(np.clip(at, 1e-5, path.length))
        expected[:, 2] = np.arctan2(np.sin(expected[:, 2]), np.cos(expected[:, 2]))
        np.testing.assert_allclose(path.interpolate(at), expected, rtol=0, atol=1e-12)


def test_offsets_are_to_the_left():
    line = np.array([[0.0, 0.0, np.pi / 2], [0.0, 10.0, np.pi / 2]])
    np.testing.assert_allclose(drive_path(line, 1.0).poses[:, :2], [[-1.0, 0.0], [-1.0, 10.0]], atol=1e-12)
    np.testing.assert_allclose(drive_path(line, -1.0).poses[:, :2], [[1.0, 0.0], [1.0, 10.0]], atol=1e-12)


def test_projection_and_interpolation_are_inverse_on_the_path():
    path = drive_path(np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [20.0, 0.0, 0.0]]))
    at = np.linspace(0.1, 19.9, 30)
    np.testing.assert_allclose(path.project(path.interpolate(at)[:, :2]), at, atol=1e-12)


@pytest.mark.parametrize(("start", "end", "area"), [(4.0, 36.0, 60.0), (11.0, 13.0, 8.0)])
def test_the_corridor_has_square_ends(start, end, area):
    """Whole vertices inside the interval make it, 10..30 m; only without two of them it is cut exactly."""
    x = np.arange(0.0, 60.0, 10.0)
    path = drive_path(np.column_stack([x, 0 * x, 0 * x]))
    corridor = path.corridor(start, end, 1.0)
    # (20 + 2 * 1) x 2 and (2 + 2 * 1) x 2
    assert corridor.area == pytest.approx({60.0: 44.0, 8.0: 8.0}[area])
    assert shapely.is_valid(corridor)
