from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from render_factories import make_camera, make_gaussian
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import make_transform
from simengine.render.cpu_backend import CpuBackend
from simengine.render.distortion import distort, make_warp, remap, undistort
from simengine.render.rig import DISTORTION, nuplan_rig


def test_undistort_inverts_distort():
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (200, 2))
    coefficients = np.array(DISTORTION)
    np.testing.assert_allclose(undistort(distort(points, coefficients), coefficients), points, atol=1e-9)


def test_radial_distortion_by_hand():
    # r^2 = 0.25, so k1 = -0.2 shrinks the point by 1 - 0.05.
    np.testing.assert_allclose(distort(np.array([0.5, 0.0]), np.array([-0.2, 0, 0, 0, 0])), [0.475, 0.0])


def test_remap_is_bilinear_and_repeats_borders():
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0], image[0, 1], image[1, 0] = 100, 200, 50
    places = np.array([[[0.5, 0.5], [1.0, 0.5], [0.5, 1.0], [-4.0, -4.0]]], np.float32)
    np.testing.assert_array_equal(remap(image, places)[0, :, 0], [100, 150, 75, 100])


def test_warped_point_lands_where_the_lens_puts_it():
    camera = nuplan_rig(480, 270, distortion=True)[0]
    warp = make_warp(camera)
    assert warp.pinhole.width_px > camera.width_px and not warp.pinhole.distortion.any()
    for x, y in ((0.0, 0.0), (0.45, -0.2), (-0.5, 0.25)):
        dot = make_gaussian((10 * x, 10 * y, 10.0), sigma=0.05, rgb=(1, 1, 1))
        drawn = CpuBackend().render(dot, [warp.pinhole], np.eye(4)[None]).rgb[0]
        image = warp.apply(drawn)[..., 0].astype(float)
        rows, columns = np.mgrid[:270, :480] + 0.5
        found = np.array([(image * columns).sum(), (image * rows).sum()]) / image.sum()
        seen = distort(np.array([x, y]), camera.distortion)
        expected = camera.intrinsic[:2, :2] @ seen + camera.intrinsic[:2, 2]
        np.testing.assert_allclose(found, expected, atol=0.35)


def test_impossible_lens_is_refused():
    camera = replace(make_camera(200, 150, 80.0), distortion=np.array([-3.0, 0.0, 0.0, 0.0, 0.0]))
    with pytest.raises(RenderBackendError, match="cannot be inverted"):
        make_warp(camera)


def test_warp_keeps_the_pose():
    camera = replace(
        nuplan_rig(160, 90, distortion=True)[1], ego_from_cam=make_transform(np.eye(3), np.ones(3))
    )
    np.testing.assert_array_equal(make_warp(camera).pinhole.ego_from_cam, camera.ego_from_cam)
