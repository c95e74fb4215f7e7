"""Composition as published, by numbers; see test_corrected.py for the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simengine.geometry.se3 import quaternion_from_yaw, rotation_from_quaternion
from simengine.render.assets.asset import FourierColor, LogPoses, NodeKind
from simengine.render.assets.published import PublishedStage, replayed
from simengine.scenario.scenario import ASSET_EGO_POSES
from stage_factories import (
    AXLE_Z,
    asset_with,
    car,
    car_at,
    ego_poses,
    log_of,
    make_stage_scenario,
    nobody,
    two_gaussians,
)

EGO = np.zeros(3)
BANDS = np.array([[0.3] * 3, [0.2] * 3, [0.1] * 3])


def stage_of(*nodes, scenario=None, **values) -> PublishedStage:
    return PublishedStage(scenario or make_stage_scenario(), asset_with(*nodes, **values))


def test_a_simulated_object_by_hand():
    """Height from the nearest pose of its own log, however far; colours stay in axes of the scene."""
    node = car(two_gaussians((1.5, 0, 0.5), (0, 1, 0), BANDS), log_of((20, 38, 5, 0.0), (90, 38, 8, 0.0)))
    flat = stage_of(node).moving(EGO, car_at(30, 60, np.pi / 2), 0)
    np.testing.assert_allclose(flat.means, [[20, 41.5, 5.5], [19, 40, 5]], atol=1e-5)
    np.testing.assert_allclose(flat.quats, [[0.5, 0.5, 0.5, 0.5]] * 2, atol=1e-6)
    np.testing.assert_allclose(flat.sh[0, 1:, 0], [0.3, 0.2, 0.1], atol=1e-6)
    far = stage_of(node).moving(EGO, car_at(300, 60, 0.0), 0)
    np.testing.assert_allclose(far.means[:, 2], [8.5, 8.0], atol=1e-5)


def test_pitch_of_the_log_is_inherited_whatever_the_heading():
    pitch = rotation_from_quaternion(np.array([np.cos(0.05), 0, -np.sin(0.05), 0]))
    log = LogPoses(
        np.array([[np.cos(0.05), 0, -np.sin(0.05), 0]] * 2), np.array([[20.0, 38, 5]] * 2), np.array([0, 1])
    )
    flat = stage_of(car(two_gaussians((1, 0, 0), (0, 0, 0)), log)).moving(EGO, car_at(30, 60, np.pi), 0)
    # Turned round it still climbs ahead: nose up as in the log.
    np.testing.assert_allclose(flat.means[0] - flat.means[1], pitch[:, 0] * [-1, 1, 1], atol=1e-5)


def test_a_mirrored_object_flips_at_the_plane_of_the_scene():
    half = two_gaussians((1.5, 1, 0.5), (0, 0, 0), BANDS)
    half = replace(half, **{k: getattr(half, k)[:1] for k in ("means", "quats", "scales", "opacities", "sh")})
    node = car(half, log_of((20, 38, 5, np.pi / 2), (20, 39, 5, np.pi / 2)), NodeKind.MIRRORED)
    flat = stage_of(node).moving(EGO, car_at(30, 60, np.pi / 2), 0)
    np.testing.assert_allclose(flat.means, [[19, 41.5, 5.5], [21, 41.5, 5.5]], atol=1e-5)
    np.testing.assert_allclose(flat.quats, [[0.5, 0.5, 0.5, 0.5], [0.5, -0.5, -0.5, 0.5]], atol=1e-6)
    np.testing.assert_allclose(flat.sh[:, 1:, 0], [[0.3, 0.2, 0.1], [-0.3, 0.2, 0.1]], atol=1e-6)


def test_a_static_object_never_leaves_its_place():
    node = car(two_gaussians((0, 0, 0), (1, 0, 0)), log_of((20, 38, 5, np.pi)))
    for agents in (nobody(), car_at(90, 90, 0.0)):
        flat = stage_of(node).moving(EGO, agents, 0)
        np.testing.assert_allclose(flat.means, [[20, 38, 5], [19, 38, 5]], atol=1e-5)


def test_who_is_not_simulated_is_replayed_from_its_log():
    log = log_of((20, 38, 5, 0.0), (22, 38, 5, np.pi / 2), times=[0, 400_000])
    stage = stage_of(car(two_gaussians((0, 0, 0), (1, 0, 0)), log))
    np.testing.assert_allclose(stage.moving(EGO, nobody(), 0).means, [[20, 38, 5], [21, 38, 5]], atol=1e-5)
    half = np.sqrt(0.5)
    middle = stage.moving(EGO, nobody(), 2).means
    np.testing.assert_allclose(middle, [[21, 38, 5], [21 + half, 38 + half, 5]], atol=1e-5)


def test_replay_outside_the_log_and_beside_absent_frames():
    log = log_of((20, 38, 5, 0.0), (22, 38, 5, 0.0), (24, 38, 5, 0.0), times=[100, 200, 300])
    np.testing.assert_allclose(replayed(log, 50)[:3, 3], [20, 38, 5])
    # 100 us after the end the way from last to first is gone backwards by -(100 / 200).
    np.testing.assert_allclose(replayed(log, 400)[:3, 3], [26, 38, 5])
    np.testing.assert_allclose(replayed(log, 300)[:3, 3], [24, 38, 5])
    gone = log_of((20, 38, 5, 0.0), (0, 0, 1e5, 0.0), times=[100, 200])
    np.testing.assert_allclose(replayed(gone, 150)[:3, 3], [10, 19, 50_002.5])


def test_rotations_go_the_shorter_way():
    log = LogPoses(
        np.stack([quaternion_from_yaw(0.2), -quaternion_from_yaw(1.0)]), np.zeros((2, 3)), np.array([0, 100])
    )
    turn = replayed(log, 25)
    assert np.arctan2(turn[1, 0], turn[0, 0]) == pytest.approx(0.4)


def test_agents_without_gaussians_are_invisible():
    assert len(stage_of().moving(EGO, car_at(30, 60, 0.0, "stranger"), 0)) == 0
    assert (
        len(stage_of(car(two_gaussians((0, 0, 0), (1, 0, 0)), None)).moving(EGO, car_at(30, 60, 0.0), 0)) == 0
    )


def test_a_changing_colour_is_read_at_the_raw_time():
    series = FourierColor(np.array([[[0.5] * 3, [0.25] * 3]] * 2, np.float32))
    log = log_of((20, 38, 5, 0.0), (20, 39, 5, 0.0))
    stage = stage_of(car(two_gaussians((0, 0, 0), (1, 0, 0)), log, fourier=series))
    flat = stage.moving(EGO, car_at(30, 60, 0.0), 3)
    # 300000 us; the angle 2 pi 2 x / 2 is rounded to single precision before its sine is taken.
    angle = np.float32(300_000 * 2 * 2) * np.float32(np.pi) / np.float32(2)
    np.testing.assert_allclose(flat.sh[:, 0], np.full((2, 3), 0.5 + 0.25 * np.sin(angle)), atol=1e-5)
    assert abs(np.sin(angle)) > 1e-3


def test_the_ego_has_the_height_of_the_nearest_logged_pose():
    tags = {ASSET_EGO_POSES: ego_poses((-10, -20, AXLE_Z, 0), (20, -20, AXLE_Z + 3, 0))}
    stage = stage_of(scenario=make_stage_scenario(tags=tags))
    np.testing.assert_allclose(stage.scene.origin, [10, 20, -4], atol=1e-9)
    for pose, height in (((0, 0, 0.5), 0.0), ((30, 1, 0.5), 3.0), ((900, 1, 0.5), 3.0)):
        transform = stage.world_from_ego(np.array(pose, float))
        np.testing.assert_allclose(transform[:3, 3], [pose[0], pose[1], height], atol=1e-9)


def test_without_a_log_of_the_ego_it_stands_as_corrected():
    node = car(two_gaussians((0, 0, 0), (1, 0, 0)), log_of((20, 38, 5, 0.0), (21, 38, 5, 0.0)))
    stage = stage_of(node, scenario=make_stage_scenario(tags={}))
    np.testing.assert_allclose(stage.world_from_ego(np.array([3.0, 4.0, 0.0]))[:3, 3], [3, 4, 0], atol=1e-9)
    np.testing.assert_allclose(stage.scene.origin[2], -4.0, atol=1e-9)
