"""Coverage of hand-made scenes, and trust in a lifted street."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lidar_factories import Panel
from render_factories import make_gaussian, make_street, states_at
from simengine.datatypes.camera import CameraCalibration
from simengine.render.cpu_backend import CpuBackend
from simengine.render.gaussians import FlatGaussians
from simengine.render.posed import PosedScene
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import camera_rotation, nuplan_rig
from simengine.render.trust.coverage import MAX_SIGMA_DEG, MIN_OPACITY, confident, coverage
from simengine.render.trust.meter import TrustMeter

EMPTY = FlatGaussians.empty()


def forward_camera() -> CameraCalibration:
    """A square image, 90 degrees wide, from the origin along +x."""
    pose = np.eye(4)
    pose[:3, :3] = camera_rotation(0.0, 0.0)
    intrinsic = np.array([[80.0, 0.0, 80.0], [0.0, 80.0, 80.0], [0.0, 0.0, 1.0]])
    return CameraCalibration("CAM", 160, 160, intrinsic, pose, np.zeros(5))


def wall(y0, y1, cell=0.4):
    """Cover the image between directions y0 and y1 (left positive, in half widths) with a wall 10 m away."""
    return Panel((10.0, 10.0 * y0, -11.0), (0.0, 10.0 * (y1 - y0), 0.0), (0.0, 0.0, 22.0)).gaussians(
        cell, overlap=0.8
    )


def measure(solid=EMPTY, sky=EMPTY, moving=EMPTY):
    covered, sky_share = coverage(
        CpuBackend(1), PosedScene(solid, sky, moving, np.eye(4)), [forward_camera()]
    )
    return float(covered[0]), float(sky_share[0])


def test_a_wall_covers_the_share_of_the_image_that_it_fills():
    assert measure(wall(-1.1, 1.1)) == pytest.approx((1.0, 0.0), abs=0.01)
    assert measure(wall(0.0, 1.1)) == pytest.approx((0.5, 0.0), abs=0.03)
    assert measure(moving=wall(0.5, 1.1)) == pytest.approx((0.25, 0.0), abs=0.03)
    assert measure() == (0.0, 0.0)


def test_sky_is_left_out():
    covered, sky = measure(wall(0.0, 0.5), wall(-1.1, 0.0))
    assert sky == pytest.approx(0.5, abs=0.03) and covered == pytest.approx(0.5, abs=0.05)
    # Behind a wall, sky is not seen; alone, there is nothing left to cover.
    behind = wall(-1.1, 1.1)
    behind = FlatGaussians(behind.means * 2, behind.quats, behind.scales * 2, behind.opacities, behind.sh)
    assert measure(wall(-1.1, 1.1), behind)[1] == pytest.approx(0.0, abs=0.02)
    covered, sky = measure(sky=behind)
    assert sky > 0.98 and 0.0 <= covered <= 1.0


def test_faint_and_wide_gaussians_do_not_count():
    solid = wall(-1.1, 1.1)
    haze = replace(solid, opacities=np.full(len(solid), 0.9 * MIN_OPACITY))
    assert measure(haze)[0] == 0.0
    assert measure(wall(-1.1, 1.1, cell=2.0))[0] == 0.0  # a deviation of 1.6 m at 10 m is 9 degrees
    blob = make_gaussian((10.0, 0.0, 0.0), 5.0, 1.0)
    assert measure(blob)[0] == 0.0
    # In front of a wall, a blob hides what was trusted.
    assert measure(solid, moving=make_gaussian((5.0, 0.0, 0.0), 5.0, 0.6))[0] < 0.8


def test_limits_of_confidence():
    limit = 10.0 * np.tan(np.radians(MAX_SIGMA_DEG))
    for sigma, opacity, expected in (
        (0.99 * limit, 1.0, True),
        (1.01 * limit, 1.0, False),
        (0.1, MIN_OPACITY + 1e-3, True),
        (0.1, MIN_OPACITY - 1e-3, False),
    ):
        assert confident(make_gaussian((0.0, 10.0, 0.0), sigma, opacity), np.zeros(3))[0] == expected


def test_trust_in_a_street_falls_beside_the_log():
    scenario, rig = make_street(), nuplan_rig(320, 180, distortion=True)
    renderer = SceneRenderer(CpuBackend(2))
    renderer.load(scenario)
    episode = TrustMeter(renderer).start(scenario, rig)
    agents = states_at(scenario, 15)
    for shift in (0.0, 1.0, 3.0):
        episode.add(scenario.ego.pose[15] + [0.0, shift, 0.0], agents, 15)
    trust = episode.finish()
    assert trust.channels == tuple(camera.name for camera in rig) and trust.score.shape == (3, 8)
    np.testing.assert_allclose(trust.distance, np.tile([[0.0], [1.0], [3.0]], 8), atol=1e-6)
    assert not trust.angle_deg.any()
    assert trust.lowest[0] > 0.85 > trust.lowest[1] > 0.6 > 0.4 > trust.lowest[2]
    expected = trust.coverage * np.exp(-0.5 * (trust.distance / 2.0) ** 2)
    np.testing.assert_allclose(trust.score, expected, rtol=1e-5)
    np.testing.assert_array_equal(trust.mask(0.5), [True, True, False])
    assert (trust.sky[:, 0] > 0.05).all() and (trust.sky <= 1.0).all()


def test_no_decisions_and_no_cameras_are_no_error():
    scenario = make_street()
    renderer = SceneRenderer(CpuBackend(1))
    renderer.load(scenario)
    assert TrustMeter(renderer).start(scenario, nuplan_rig()).finish().score.shape == (0, 8)
