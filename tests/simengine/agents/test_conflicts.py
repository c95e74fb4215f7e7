"""Conflict areas against hand-computed ones and against boxes swept along the paths."""

import numpy as np
import pytest

from simengine.agents.conflicts import STANDING_GAP, find_conflicts
from simengine.agents.paths import PathSet, make_path
from simengine.geometry import boxes, polyline

HALF_WIDTH, LENGTH = 1.0, 4.6
# Two bodies of half width 1.0 and the clearance of crossing paths.
APART = 2.0 * HALF_WIDTH + 0.35


def line(x0, y0, x1, y1):
    xy = np.linspace([x0, y0], [x1, y1], 80)
    return make_path(np.column_stack([xy, polyline.headings(xy)]), 10.0)


def through(points):
    """Return a smooth path through a few points."""
    t = np.linspace(0.0, 1.0, len(points))
    fine = np.linspace(0.0, 1.0, 200)
    xy = np.column_stack(
        [np.polyval(np.polyfit(t, p, min(3, len(points) - 1)), fine) for p in np.transpose(points)]
    )
    return make_path(np.column_stack([xy, polyline.headings(xy)]), 10.0)


def areas(*paths, lines=None, order=None, length=LENGTH):
    count = len(paths)
    half, long = np.full(count, HALF_WIDTH), np.full(count, length)
    return find_conflicts(PathSet.pack(paths), half, long, lines, order)


def test_crossing_at_a_right_angle():
    found = areas(line(-60, 0, 60, 0), line(0, -60, 0, 60))
    assert found.row.tolist() == [[0, 1]]
    assert not found.merges[0]
    # Both meet at 60 m; rows are a metre apart.
    assert found.enter[0] == pytest.approx(60.0 - APART, abs=1.1)
    assert found.leave[0] == pytest.approx(60.0 + APART, abs=1.1)
    assert found.stop[0] == pytest.approx(found.enter[0] - 0.3)


def test_parallel_and_following_paths_have_none():
    assert not len(areas(line(-60, 0, 60, 0), line(-60, 3.5, 60, 3.5)).row)
    assert not len(areas(line(-60, 0, 60, 0), line(60, 3.5, -60, 3.5)).row)
    assert not len(areas(line(-60, 0, 60, 0), line(-20, 0.3, 60, 0.3)).row)


def test_paths_that_divide_have_none():
    assert not len(areas(line(-60, 0, 60, 0), through([(-60, 0), (-20, 0), (20, 10), (60, 40)])).row)


def test_merging_paths_join():
    main = line(-80, 0, 80, 0)
    ramp = make_path(
        np.column_stack(
            [
                xy := np.array([(x, -0.004 * min(x - 10.0, 0.0) ** 2) for x in np.arange(-80.0, 81.0)]),
                polyline.headings(xy),
            ]
        ),
        10.0,
    )
    found = areas(main, ramp)
    assert found.merges.tolist() == [True]
    # The ramp is 0.004 d^2 below the road, d before x = 10. Bodies touch from 2 m on, that is d = 22.4 and x = -12.4;
    # they have joined where 0.6 m are left: d = 12.2, x = -2.2. The road starts at -80.
    assert found.enter[0, 0] == pytest.approx(80.0 - 12.4, abs=1.5)
    # Distances are measured to rows a metre apart, so joining is noticed up to 2 m later.
    assert 80.0 - 2.2 - 1.0 < found.leave[0, 0] < 80.0 - 2.2 + 3.0
    # The ramp is a little longer than its shadow on the road.
    longer = polyline.arc_length(ramp.poses)[np.searchsorted(ramp.poses[:, 0], -2.2)] - 77.8
    assert found.shift[0] == pytest.approx(-longer, abs=1.1)


def test_wide_swings_of_long_vehicles_count():
    turn = np.linspace(-0.5 * np.pi, 0.0, 40)
    bend_ = np.column_stack([8.0 * np.cos(turn), 8.0 + 8.0 * np.sin(turn)])
    xy = np.concatenate([[[-30.0, 0.0], [-15.0, 0.0]], bend_, [[8.0, 20.0], [8.0, 40.0]]])
    path = make_path(np.column_stack([xy, polyline.headings(xy)]), 10.0)
    beside = line(11.5, 40, 11.5, -30)
    # Half length 5.5 in a bend of 8 m: the ends swing out by more than a metre.
    assert not len(areas(path, beside, length=4.6).row)
    assert len(areas(path, beside, length=11.0).row) == 1


def test_a_path_that_comes_by_twice_has_two_areas():
    turn = np.linspace(0.0, 4.0 * np.pi, 200)
    circles = 20.0 * np.column_stack([np.cos(turn), np.sin(turn)])
    path = make_path(np.column_stack([circles, polyline.headings(circles)]), 10.0)
    found = areas(path, line(-60, 0, 0, 0))
    # Half a circle of 20 m is 62.8 m; a row may be split between two areas.
    assert {round(enter / 62.8) for enter in found.enter[:, 0]} == {1, 3}


def test_nobody_waits_where_he_blocks_another():
    # Two crossings 5 m apart on the first path: who waits for the second stands in the first.
    found = areas(line(-60, 0, 60, 0), line(0, -60, 0, 60), line(5, -60, 5, 60))
    own = {int(row[1]): stop for row, stop in zip(found.row, found.stop[:, 0], strict=True)}
    first = found.enter[found.row[:, 1] == 1][0, 0]
    assert own[1] == own[2] == pytest.approx(first - 0.3)
    # 30 m further there is room between: the box behind the stopping place does not reach back to the first.
    found = areas(line(-60, 0, 60, 0), line(0, -60, 0, 60), line(30, -60, 30, 60))
    own = {int(row[1]): stop for row, stop in zip(found.row, found.stop[:, 0], strict=True)}
    assert own[2] - STANDING_GAP - LENGTH > found.leave[found.row[:, 1] == 1][0, 0]


def test_who_waits_waits_at_the_line():
    found = areas(line(-60, 0, 60, 0), line(0, -60, 0, 60), lines=[np.array([50.0]), np.zeros(0)])
    assert found.stop[0, 0] == 50.0
    assert found.stop[0, 1] == pytest.approx(found.enter[0, 1] - 0.3)


def test_order_says_who_is_first():
    one, two = line(-60, 0, 60, 0), through([(-20, -40), (0, 0), (30, 40)])
    forward, swapped = areas(one, two), areas(two, one, order=np.array([1, 0]))
    assert np.array_equal(forward.enter, swapped.enter)
    assert np.array_equal(forward.leave, swapped.leave)
    assert np.array_equal(forward.row, 1 - swapped.row)


@pytest.mark.parametrize("seed", range(6))
def test_bodies_touch_in_areas_only(seed):
    """The slow twin: every pair of places on two paths, box against box."""
    rng = np.random.default_rng(seed)
    ends = [(rng.uniform(-40, 0, 2), rng.uniform(0, 40, 2)) for _ in range(2)]
    paths = [through(np.linspace(*pair, 4) + rng.uniform(-8, 8, (4, 2))) for pair in ends]
    found = areas(*paths)
    at = [np.arange(0.0, path.length, 0.75) for path in paths]
    packed = PathSet.pack(paths)
    corners = [
        boxes.corners(packed.pose(np.full(len(s), k), s), LENGTH, 2 * HALF_WIDTH) for k, s in enumerate(at)
    ]
    hit = boxes.overlap(corners[0][:, None], corners[1][None])
    if not hit.any():
        return
    s, t = at[0][np.nonzero(hit)[0]], at[1][np.nonzero(hit)[1]]
    if not len(found.row):
        # They start side by side: following.
        assert hit[:8].any() or hit[:, :8].any()
        return
    explained = np.zeros(len(s), bool)
    for c in range(len(found.row)):
        after = [found.merges[c]] * 2
        inside = [
            (value + 0.5 * LENGTH > found.enter[c, k])
            & ((value - 0.5 * LENGTH < found.leave[c, k]) | after[k])
            for k, value in enumerate((s, t))
        ]
        explained |= inside[0] & inside[1]
    assert explained.mean() > 0.99
