"""The compiled lead search against its slow twin and hand-computed gaps."""

import numpy as np
import pytest

from oracles.leads import find_leads_slow
from simengine.agents.lead import leads, project, with_direction
from simengine.agents.paths import PathSet, make_path


def straight_path(length=100.0):
    x = np.arange(0.0, length + 1.0)
    return make_path(np.column_stack([x, np.zeros_like(x), np.zeros_like(x)]), 12.0)


def arc_path(radius, length=80.0):
    angle = np.arange(0.0, length, 0.5) / radius
    xy = radius * np.column_stack([np.sin(angle), 1.0 - np.cos(angle)])
    return make_path(np.column_stack([xy, angle]), 12.0)


def obstacle(x, y, yaw=0.0, length=4.0, width=2.0, vx=0.0, vy=0.0, margin=0.0, yields=1.0):
    return [x, y, yaw, length / 2, width / 2, vx, vy, margin, yields]


TIMES = np.array([0.5, 1.0, 1.5, 2.0])


def find_leads(paths, rows, s, speed, half, obstacles, ignore, ahead, later=None, times=None):
    """Search with predictions of all obstacles, or none."""
    gap, lead_speed, _ = leads(
        paths.flat,
        rows,
        s,
        speed,
        half,
        obstacles,
        ignore,
        ahead,
        with_direction(np.zeros((len(obstacles), 0, 3)) if later is None else later),
        np.zeros(0) if times is None else times,
        np.ones((len(rows), len(obstacles)), bool),
    )
    return gap, lead_speed


def search(path, obstacles, s=0.0, speed=5.0, predict=False, half=(2.0, 1.0)):
    paths, rows = PathSet.pack([path]), np.array(obstacles, float).reshape(-1, 9)
    later = np.repeat(rows[:, None, :3], len(TIMES), axis=1)
    later[:, :, :2] += rows[:, None, 5:7] * TIMES[:, None]
    gap, lead = find_leads(
        paths,
        np.array([0]),
        np.array([s]),
        np.array([speed]),
        np.array([half]),
        rows,
        np.zeros((1, len(obstacles)), bool),
        np.array([60.0]),
        later if predict else None,
        TIMES if predict else None,
    )
    return gap[0], lead[0]


def test_gap_is_bumper_to_bumper():
    # Centres 30 m apart, half lengths 2 and 2: 26 m free.
    gap, lead = search(straight_path(), [obstacle(30.0, 0.0, vx=3.0)])
    assert gap == pytest.approx(26.0, abs=0.02)
    assert lead == pytest.approx(3.0)


def test_neighbouring_lane_and_behind_do_not_count():
    gap, _ = search(straight_path(), [obstacle(30.0, 3.5), obstacle(5.0, 0.0)], s=20.0)
    assert gap == np.inf


def test_nearest_of_several_wins():
    gap, _ = search(straight_path(), [obstacle(40.0, 0.0), obstacle(25.0, 0.5), obstacle(33.0, 0.0)])
    assert gap == pytest.approx(21.0, abs=0.02)


def test_oncoming_leader_has_no_speed_along_the_path():
    _, lead = search(straight_path(), [obstacle(30.0, 0.0, np.pi, vx=-6.0)])
    assert lead == 0.0


def test_crossing_mover_counts_only_when_it_gets_there_first():
    # 8 m aside of a point 14 m ahead, at 5 m/s: in the way from 1.0 s to 2.4 s; the vehicle needs 2.2 s.
    crossing = obstacle(14.0, -8.0, np.pi / 2, vy=5.0, yields=0.0)
    assert search(straight_path(), [crossing], predict=True)[0] < 14.0
    assert search(straight_path(), [crossing])[0] == np.inf
    away = obstacle(14.0, -8.0, -np.pi / 2, vy=-5.0, yields=0.0)
    assert search(straight_path(), [away], predict=True)[0] == np.inf


def test_of_two_that_merge_the_one_behind_yields():
    # 3 m to the left, closing at 2 m/s while driving 8 m/s along.
    beside_ahead = obstacle(8.0, 3.0, -0.24, vx=8.0, vy=-2.0)
    gap, lead = search(straight_path(), [beside_ahead], speed=8.0, predict=True)
    assert 4.0 < gap < 20.0
    assert lead == pytest.approx(8.0)
    beside_behind = obstacle(-4.0, 3.0, -0.24, vx=8.0, vy=-2.0)
    assert search(straight_path(), [beside_behind], speed=8.0, predict=True)[0] == np.inf


def test_follower_behind_is_no_obstacle():
    assert (
        search(straight_path(), [obstacle(10.0, 0.0, vx=9.0)], s=20.0, speed=8.0, predict=True)[0] == np.inf
    )


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_slow_twin(seed):
    rng = np.random.default_rng(seed)
    paths = [straight_path(), arc_path(25.0), arc_path(60.0)]
    packed = PathSet.pack(paths)
    rows = rng.integers(3, size=12)
    s = rng.uniform(0.0, 20.0, 12)
    half = np.column_stack([rng.uniform(1.8, 3.5, 12), rng.uniform(0.8, 1.2, 12)])
    obstacles = np.array(
        [
            obstacle(
                *rng.uniform([-5, -10], [60, 40]),
                rng.uniform(-3, 3),
                *rng.uniform(0.5, 6.0, 2),
                margin=rng.uniform(0, 0.3),
            )
            for _ in range(15)
        ]
    )
    ignore = rng.random((12, 15)) < 0.2
    ahead = np.full(12, 45.0)
    fast, _ = find_leads(packed, rows, s, np.full(12, 5.0), half, obstacles, ignore, ahead)
    slow = find_leads_slow(packed, rows, s, half, obstacles, ignore, ahead)
    # Grazing contacts shorter than a path step may be seen by one only; all others agree closely.
    differ = ~np.isclose(np.minimum(fast, 45.0), np.minimum(slow, 45.0), atol=0.06)
    assert differ.sum() <= 1
    assert np.isfinite(slow).sum() >= 3


def test_projection_inverts_pose():
    packed = PathSet.pack([straight_path(), arc_path(25.0)])
    rows, s = np.array([0, 1, 1]), np.array([12.34, 3.21, 55.5])
    assert project(packed, rows, packed.pose(rows, s)) == pytest.approx(s, abs=1e-9)


def test_curve_lowers_the_limit_in_advance():
    entry = np.column_stack([np.arange(-60.0, 0.0), np.zeros(60), np.zeros(60)])
    arc = arc_path(15.0, 20.0).poses
    path = make_path(np.concatenate([entry, arc]), 15.0)
    # sqrt(2 m/s^2 * 15 m) = 5.48 m/s in the arc; 30 m before it, at 1.5 m/s^2, sqrt(30 + 90) = 10.95 m/s.
    in_arc = path.limit[round(70.0 / path.step)]
    before = path.limit[round(30.0 / path.step)]
    assert in_arc == pytest.approx(5.48, abs=0.3)
    assert before == pytest.approx(10.95, abs=0.4)
