"""Images small enough to compute by hand."""

from __future__ import annotations

import numpy as np

from render_factories import make_camera, make_gaussian
from simengine.geometry.se3 import make_transform, rotation_from_quaternion
from simengine.render.backend import EPS_2D, MAX_ALPHA
from simengine.render.gaussians import concatenate
from simengine.render.reference import ReferenceBackend, blend, project


def test_one_gaussian_by_hand():
    # sigma 0.1 m at 5 m with focal 50 px is 1 px; the blur makes the variance 1.3 px^2, and a round Gaussian
    # keeps the share 1 / 1.3 of its opacity.
    camera = make_camera()
    seen = project(make_gaussian((0, 0, 5), sigma=0.1, opacity=0.8), camera, np.eye(4))
    variance = 1.0 + EPS_2D
    np.testing.assert_allclose(seen.covariance_px, [variance * np.eye(2)], rtol=1e-6)
    np.testing.assert_allclose(seen.opacity, [0.8 / variance], rtol=1e-6)
    color, opacity, depth = blend(seen, 64, 48)
    for column, row, r2 in ((32, 24, 0), (33, 24, 1), (34, 25, 5)):
        alpha = 0.8 / variance * np.exp(-0.5 * r2 / variance)
        np.testing.assert_allclose(color[row, column], [alpha, 0, 0], rtol=1e-6)
        np.testing.assert_allclose([opacity[row, column], depth[row, column]], [alpha, 5.0], rtol=1e-6)
    assert not color[24, 40].any()  # beyond 3.33 deviations: alpha below 1 / 255


def test_two_gaussians_by_hand():
    # Wide ones, so that the blur hardly matters: the red one in front covers 60 %.
    front = make_gaussian((0, 0, 4), sigma=4.0, opacity=0.6, rgb=(1, 0, 0))
    rear = make_gaussian((0, 0, 9), sigma=9.0, opacity=0.5, rgb=(0, 0, 1))
    camera = make_camera()
    color, opacity, depth = blend(project(concatenate([rear, front]), camera, np.eye(4)), 64, 48)
    weight = np.array([0.6, 0.4 * 0.5])
    np.testing.assert_allclose(color[24, 32], [weight[0], 0, weight[1]], atol=2e-4)
    np.testing.assert_allclose(opacity[24, 32], weight.sum(), atol=2e-4)
    np.testing.assert_allclose(depth[24, 32], (weight * [4, 9]).sum() / weight.sum(), rtol=1e-3)


def test_blending_stops_at_the_transmittance_limit():
    # Each wall lets 1e-3 through, so the second would leave 1e-6 and is not drawn.
    walls = [
        make_gaussian((0, 0, z), sigma=30.0, opacity=1.0, rgb=rgb)
        for z, rgb in ((5, (1, 0, 0)), (6, (0, 1, 0)))
    ]
    color, opacity, _ = blend(project(concatenate(walls), make_camera(), np.eye(4)), 64, 48)
    np.testing.assert_allclose(color[24, 32], [MAX_ALPHA, 0, 0], atol=1e-9)
    np.testing.assert_allclose(opacity[24, 32], MAX_ALPHA)


def test_centres_project_like_a_pinhole_from_any_pose():
    camera = make_camera(200, 160, 90.0)
    pose = make_transform(
        rotation_from_quaternion(np.array([0.9, 0.1, -0.3, 0.2])), np.array([1.0, -2.0, 0.5])
    )
    local = np.array([0.4, -0.3, 6.0])
    world = pose[:3, :3] @ local + pose[:3, 3]
    seen = project(make_gaussian(tuple(world)), camera, pose)
    expected = camera.intrinsic @ local
    np.testing.assert_allclose(seen.center_px[0], expected[:2] / expected[2], atol=1e-4)
    np.testing.assert_allclose(seen.depth, [6.0], rtol=1e-6)


def test_nothing_behind_or_beside_the_camera_is_seen():
    flat = concatenate([make_gaussian((0, 0, -5)), make_gaussian((0, 0, 0.005)), make_gaussian((50, 0, 5))])
    assert len(project(flat, make_camera(), np.eye(4)).index) == 0
    assert not ReferenceBackend().render(flat, [make_camera()], np.eye(4)[None]).rgb[0].any()
