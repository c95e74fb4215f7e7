"""Ranges against planes, against the slow twin, and between casters."""

from __future__ import annotations

import numpy as np
import pytest

from lidar_factories import COURTYARD, nearest, small_lidar
from oracles.lidar import cast_all
from render_factories import make_gaussian, make_random_gaussians
from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry.se3 import make_transform, rotation_from_quaternion, transform_from_pose
from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.lidar.cpu_caster import CpuCaster
from simengine.render.lidar.pattern import LidarPattern, SpinningLidar, make_rays, nuplan_lidars
from simengine.render.lidar.torch_caster import TorchCaster

TILTED = make_transform(
    rotation_from_quaternion(np.array([0.9, 0.05, -0.03, 0.35])), np.array([1.5, -2.0, 0.4])
)


def cpu(pattern, vehicle=None):
    return CpuCaster(pattern, vehicle, 2)


def torch_on_cpu(pattern, vehicle=None):
    pytest.importorskip("torch")
    return TorchCaster(pattern, vehicle, "cpu")


CASTERS = [cpu, torch_on_cpu]


@pytest.mark.parametrize("make", CASTERS)
def test_ranges_to_walls_are_those_of_their_planes(make):
    """The oracle of the issue: within 5 cm wherever no edge is nearer than half a metre."""
    pattern = small_lidar(360, 24)
    scene = concatenate([panel.gaussians() for panel in COURTYARD])
    pose = transform_from_pose(np.array([-4.0, 1.0, 0.4]))
    returns = make(pattern).cast([scene], pose)
    rays = make_rays(pattern)
    origins = rays.origins @ pose[:3, :3].T + pose[:3, 3]
    directions = rays.directions @ pose[:3, :3].T
    exact = nearest(COURTYARD, origins, directions)
    safe = nearest(COURTYARD, origins, directions, -0.5) == nearest(COURTYARD, origins, directions, 0.5)
    hit = np.isfinite(exact) & safe
    assert hit.sum() > 4000
    assert np.abs(returns.ranges[hit] - exact[hit]).max() < 0.05
    assert np.isnan(returns.ranges[np.isinf(exact) & safe]).all() and (np.isinf(exact) & safe).sum() > 1000


@pytest.mark.parametrize("make", CASTERS)
@pytest.mark.parametrize("pose", [np.eye(4), TILTED], ids=["level", "tilted"])
def test_any_scene_agrees_with_the_slow_twin(make, pose):
    pattern = small_lidar(37, 11)
    noise = make_random_gaussians(260, seed=3)
    faint = make_random_gaussians(60, seed=4, depth=3.0)
    walls = COURTYARD[1].gaussians(1.5)
    parts = [noise, faint, walls]
    returns = make(pattern).cast(parts, pose)
    rays, whole = make_rays(pattern), concatenate(parts)
    origins = rays.origins @ pose[:3, :3].T + pose[:3, 3]
    expected = cast_all(whole, origins, rays.directions @ pose[:3, :3].T, 0.3, 120.0)
    np.testing.assert_allclose(returns.ranges, expected[:, 0], rtol=1e-5)
    # Single precision may move a Gaussian across the least alpha that counts, which is 1 / 255.
    np.testing.assert_allclose(returns.light, expected[:, 1], atol=5e-3)
    assert np.mean(np.abs(returns.light - expected[:, 1]) < 1e-5) > 0.99
    assert 50 < np.isfinite(returns.ranges).sum() < len(returns.ranges)


def test_casters_agree_on_the_whole_rig():
    pattern, vehicle = nuplan_lidars(90), VehicleParams()
    parts = [make_random_gaussians(3000, seed=5, depth=40.0), COURTYARD[0].gaussians(1.0)]
    left = cpu(pattern, vehicle).cast(parts, TILTED)
    right = torch_on_cpu(pattern, vehicle).cast(parts, TILTED)
    np.testing.assert_allclose(left.ranges, right.ranges, rtol=1e-9)
    np.testing.assert_allclose(left.light, right.light, atol=1e-9)


@pytest.mark.gpu
def test_cuda_agrees_with_the_processor():
    pattern, vehicle = nuplan_lidars(), VehicleParams()
    parts = [make_random_gaussians(30_000, seed=5, depth=40.0), COURTYARD[0].gaussians(0.3)]
    left = cpu(pattern, vehicle).cast(parts, TILTED)
    right = TorchCaster(pattern, vehicle, "cuda").cast(parts, TILTED)
    # Rounding may decide at the limit of what counts; it must not decide often.
    same = np.isclose(left.ranges, right.ranges, rtol=1e-6, equal_nan=True)
    assert same.mean() > 0.9999
    np.testing.assert_allclose(left.light[same], right.light[same], atol=1e-6)


def test_threads_do_not_matter():
    pattern = small_lidar()
    parts = [make_random_gaussians(2000, seed=1, depth=15.0), make_random_gaussians(100, seed=2)]
    one, five = (CpuCaster(pattern, None, threads).cast(parts, TILTED) for threads in (1, 5))
    np.testing.assert_array_equal(one.ranges, five.ranges)
    np.testing.assert_array_equal(one.light, five.light)


def test_what_is_remembered_of_a_set_is_what_is_found_anew():
    pattern, caster = small_lidar(), cpu(small_lidar())
    still, moving = make_random_gaussians(500, seed=1), [make_random_gaussians(50, seed=k) for k in (2, 3)]
    for part in moving:
        again = cpu(pattern).cast([still, part], np.eye(4))
        np.testing.assert_array_equal(caster.cast([still, part], np.eye(4)).ranges, again.ranges)


@pytest.mark.parametrize("make", CASTERS)
def test_two_gaussians_by_hand(make):
    """Along +x: a half-transparent ball in front of a solid one; the front one alone sends back 0.4 < 0.5."""
    pattern = LidarPattern((SpinningLidar("one", 0, (0.0, 0.0, 0.0), (0.0,), 4),))
    front = make_gaussian((4.0, 0.0, 0.0), 0.5, 0.4, (1.0, 1.0, 1.0))
    rear = make_gaussian((9.0, 0.0, 0.0), 0.5, 0.8, (0.0, 0.0, 0.0))
    returns = make(pattern).cast([rear, front], np.eye(4))
    assert returns.ranges[0] == pytest.approx(9.0) and np.isnan(returns.ranges[1:]).all()
    # Weights 0.4 and 0.6 * 0.8; balls have no facing.
    assert returns.light[0] == pytest.approx(0.4 / 0.88, rel=1e-5)
    alone = make(pattern).cast([front], np.eye(4))
    assert np.isnan(alone.ranges).all() and not alone.light.any()


@pytest.mark.parametrize("make", CASTERS)
def test_slanted_walls_send_less_light_back(make):
    pattern = LidarPattern((SpinningLidar("one", 0, (0.0, 0.0, 2.0), (0.0,), 8),))
    returns = make(pattern).cast([COURTYARD[1].gaussians(grey=0.6)], np.eye(4))
    assert returns.light[0] == pytest.approx(0.6, abs=0.01)
    pose = transform_from_pose(np.array([0.0, 0.0, -0.5]))
    returns = make(pattern).cast([COURTYARD[1].gaussians(grey=0.6)], pose)
    assert returns.light[0] == pytest.approx(0.6 * np.cos(0.5), abs=0.01)


@pytest.mark.parametrize("make", CASTERS)
def test_nothing_beyond_the_largest_range_or_before_the_least(make):
    sensor = SpinningLidar("one", 0, (0.0, 0.0, 0.0), (0.0,), 4)
    wall = make_gaussian((10.0, 0.0, 0.0), 1.0, 1.0)
    for low, high, seen in ((0.3, 10.1, True), (0.3, 9.9, False), (10.1, 50.0, False)):
        returns = make(LidarPattern((sensor,), low, high)).cast([wall], np.eye(4))
        assert np.isfinite(returns.ranges[0]) == seen


@pytest.mark.parametrize("make", CASTERS)
def test_empty_and_broken_gaussians_give_no_returns(make):
    pattern = small_lidar(16, 4)
    assert np.isnan(make(pattern).cast([FlatGaussians.empty()], np.eye(4)).ranges).all()
    bad = make_random_gaussians(40, seed=1)
    quats, means = bad.quats.copy(), bad.means.copy()
    quats[:20], means[20:] = 0.0, np.nan
    broken = FlatGaussians(means, quats, bad.scales, bad.opacities, bad.sh)
    assert np.isnan(make(pattern).cast([broken], np.eye(4)).ranges).all()


def test_own_vehicle_blocks_and_is_not_seen():
    pattern, vehicle = nuplan_lidars(72), VehicleParams()
    rays = make_rays(pattern, vehicle)
    scene = COURTYARD[0].gaussians(1.0)
    returns = cpu(pattern, vehicle).cast([scene], np.eye(4))
    hit = np.isfinite(returns.ranges)
    assert not hit[~rays.clear].any() and 0.2 < rays.clear.mean() < 0.9
    points = rays.origins[hit] + returns.ranges[hit, None] * rays.directions[hit]
    under = np.abs(points[:, 0] - vehicle.rear_axle_to_center) < 0.5 * vehicle.length - 0.01
    under &= np.abs(points[:, 1]) < 0.5 * vehicle.width - 0.01
    assert hit.sum() > 500 and not under.any()
    # The top lidar sees the whole horizon, the one at the left only its side.
    level = rays.ring == 15
    assert rays.clear[level & (rays.sensor == 0)].all()
    assert 30 <= rays.clear[(rays.sensor == 1) & (rays.ring == 12)].sum() <= 40
