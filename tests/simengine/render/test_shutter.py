from __future__ import annotations

from itertools import pairwise

import numpy as np

from simengine.geometry.se3 import make_transform, rotation_from_quaternion
from simengine.render.rig import nuplan_rig
from simengine.render.shutter import between, moved_pose, pose_parts, shutter_poses


def test_straight_motion_by_hand():
    pose = moved_pose(np.array([1.0, 2.0, np.pi / 2]), np.array([10.0, 1.0]), 0.0, 0.1)
    np.testing.assert_allclose(pose, [1.0 - 0.1, 3.0, np.pi / 2])


def test_a_full_circle_comes_back():
    # Radius 10 m at 5 m/s: half a turn leads to the opposite side.
    pose = moved_pose(np.zeros(3), np.array([5.0, 0.0]), 0.5, 2 * np.pi)
    np.testing.assert_allclose(pose, [0.0, 20.0, np.pi], atol=1e-9)


def test_turning_equals_many_small_steps():
    velocity, rate = np.array([8.0, -0.5]), 0.7
    walked = np.array([3.0, -1.0, 0.4])
    for _ in range(1000):
        walked = moved_pose(walked, velocity, rate, 1e-4)
    np.testing.assert_allclose(moved_pose(np.array([3.0, -1.0, 0.4]), velocity, rate, 0.1), walked, atol=1e-9)


def test_the_middle_row_has_the_pose_of_the_frame():
    rig, pose = nuplan_rig(), np.array([5.0, -3.0, 0.3])
    start, end = shutter_poses(rig, pose, np.array([12.0, 0.0]), 0.2, 0.03)
    for k, camera in enumerate(rig):
        rotation, center = between(pose_parts(start[k]), pose_parts(end[k]), 0.5)
        middle = make_transform(rotation.T, center)
        expected = shutter_poses([camera], pose, np.zeros(2), 0.0, 0.0)[0][0]
        # Centres follow the chord, which is 0.3 mm off the arc here: 0.36 m long, turned by 0.006 rad, over eight.
        np.testing.assert_allclose(middle, expected, atol=4e-4)
    forward = end[0][:3, 3] - start[0][:3, 3]
    assert 0.3 < np.linalg.norm(forward[:2]) < 0.4  # 12 m/s for 30 ms


def test_between_meets_both_ends_whatever_the_sign_of_quaternions():
    poses = [
        make_transform(rotation_from_quaternion(np.array(q)), np.array(t))
        for q, t in (([0.001, 0.0, 0.0, 1.0], [1.0, 2.0, 3.0]), ([-0.02, 0.0, 0.01, 1.0], [1.1, 2.0, 2.9]))
    ]
    start, end = pose_parts(poses[0]), pose_parts(poses[1])
    for share, pose in ((0.0, poses[0]), (1.0, poses[1])):
        rotation, center = between(start, end, share)
        np.testing.assert_allclose(make_transform(rotation.T, center), pose, atol=1e-12)
    rotation, _ = between(start, end, np.linspace(0, 1, 5))
    cosines = [(np.trace(a.T @ b) - 1) / 2 for a, b in pairwise(rotation)]
    assert np.ptp(np.arccos(np.clip(cosines, -1, 1))) < 1e-5  # even steps, the short way round
