"""Geometry: inverses, hand values and agreement between independent formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, Point, Polygon

from simengine.geometry import angles, boxes, polyline, se2, se3

finite = st.floats(-100.0, 100.0)
pose = st.tuples(finite, finite, st.floats(-10.0, 10.0)).map(np.array)


@given(pose, pose)
def test_to_local_inverts_to_parent(frame, inner):
    back = se2.to_local(frame, se2.to_parent(frame, inner[None]))[0]
    np.testing.assert_allclose(back[:2], inner[:2], atol=1e-9)
    assert abs(angles.wrap(back[2] - inner[2])) < 1e-9


def test_to_parent_of_a_quarter_turn():
    # One metre ahead of a car at (2, 3) that looks along +y is (2, 4).
    np.testing.assert_allclose(
        se2.to_parent(np.array([2.0, 3.0, np.pi / 2]), np.array([[1.0, 0.0, 0.0]]))[0], [2.0, 4.0, np.pi / 2]
    )


def test_batched_frames_equal_one_by_one():
    rng = np.random.default_rng(0)
    frames, points = rng.normal(size=(5, 3)), rng.normal(size=(5, 7, 2))
    batched = se2.points_to_local(frames, points)
    for i in range(5):
        np.testing.assert_allclose(batched[i], se2.points_to_local(frames[i], points[i]))


@given(st.floats(-50.0, 50.0))
def test_wrap_keeps_the_direction(angle):
    wrapped = float(angles.wrap(angle))
    assert -np.pi <= wrapped < np.pi
    assert np.cos(wrapped) == pytest.approx(np.cos(angle), abs=1e-9)
    assert np.sin(wrapped) == pytest.approx(np.sin(angle), abs=1e-9)


def test_angles_interpolate_across_the_seam():
    middle = angles.interpolate(np.array([0.5]), np.array([0.0, 1.0]), np.array([3.0, -3.0]))
    assert abs(middle[0]) == pytest.approx(np.pi, abs=1e-9)


@given(st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_quaternion_round_trip(quaternion):
    rotation = se3.rotation_from_quaternion(np.array(quaternion))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    again = se3.rotation_from_quaternion(se3.quaternion_from_rotation(rotation))
    np.testing.assert_allclose(again, rotation, atol=1e-9)


def test_quaternion_product_is_rotation_product():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 4))
    product = se3.rotation_from_quaternion(
        se3.quaternion_multiply(a / np.linalg.norm(a), b / np.linalg.norm(b))
    )
    np.testing.assert_allclose(
        product, se3.rotation_from_quaternion(a) @ se3.rotation_from_quaternion(b), atol=1e-12
    )


def test_invert_undoes_a_transform():
    transform = se3.make_transform(
        se3.rotation_from_quaternion(np.array([0.3, -0.2, 0.8, 0.1])), np.array([1, 2, 3])
    )
    np.testing.assert_allclose(se3.invert(transform) @ transform, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(
        se3.apply(se3.invert(transform), se3.apply(transform, np.eye(3))), np.eye(3), atol=1e-12
    )


def test_corner_order():
    # Front-left, rear-left, rear-right, front-right of a 4 x 2 box heading along +x.
    np.testing.assert_allclose(
        boxes.corners(np.zeros(3), 4.0, 2.0), [[2, 1], [-2, 1], [-2, -1], [2, -1]], atol=1e-12
    )


@given(pose, pose, st.floats(0.5, 6.0), st.floats(0.5, 6.0))
def test_box_overlap_agrees_with_polygons(a, b, length, width):
    a[:2] /= 20.0
    b[:2] /= 20.0
    first, second = boxes.corners(a, length, width), boxes.corners(b, width, length)
    distance = Polygon(first).distance(Polygon(second))
    overlap = bool(boxes.overlap(first, second))
    if distance > 1e-6:
        assert not overlap
    elif Polygon(first).intersection(Polygon(second)).area > 1e-6:
        assert overlap


@given(st.integers(0, 1000))
def test_projection_agrees_with_shapely(seed):
    rng = np.random.default_rng(seed)
    line = np.cumsum(rng.normal(size=(8, 2)) + [1.0, 0.0], axis=0)
    query = rng.normal(size=2) * 4
    along, offset = polyline.project(line, query)
    expected = LineString(line)
    assert abs(float(offset)) == pytest.approx(expected.distance(Point(query)), abs=1e-9)
    nearest = polyline.sample(line, along)[:2]
    assert np.hypot(*(nearest - query)) == pytest.approx(abs(float(offset)), abs=1e-6)


def test_sample_continues_straight_past_both_ends():
    line = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    np.testing.assert_allclose(
        polyline.sample(line, np.array([-5.0, 25.0])), [[-5, 0, 0], [10, 15, np.pi / 2]], atol=1e-12
    )


def test_left_of_a_line_is_positive():
    _, offset = polyline.project(np.array([[0.0, 0.0], [10.0, 0.0]]), np.array([[5.0, 2.0], [5.0, -2.0]]))
    np.testing.assert_allclose(offset, [2.0, -2.0])


def test_headings_of_repeated_points():
    line = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(polyline.headings(line), np.pi / 2)
