from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from render_factories import make_camera
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import make_transform
from simengine.render.distortion import make_warp, remap
from simengine.render.lens import Lens
from simengine.render.rig import nuplan_rig


def test_remap_is_bilinear_and_repeats_borders():
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0], image[0, 1], image[1, 0] = 100, 200, 50
    places = np.array([[[0.5, 0.5], [1.0, 0.5], [0.5, 1.0], [-4.0, -4.0]]], np.float32)
    np.testing.assert_array_equal(remap(image, places)[0, :, 0], [100, 150, 75, 100])


def test_remap_averages_and_rounds():
    # Two places two pixels apart: each averages the two pixels around it; 12.5 is rounded up, not cut off.
    image = np.zeros((1, 4, 3), np.uint8)
    image[0, :, 0] = 10, 15, 200, 100
    places = np.array([[[1.0, 0.5], [3.0, 0.5]]], np.float32)
    np.testing.assert_array_equal(remap(image, places, 2)[0, :, 0], [13, 150])


def test_pixels_without_a_ray_are_black():
    places = np.array([[[0.5, 0.5], [np.nan, np.nan]]], np.float32)
    np.testing.assert_array_equal(remap(np.full((1, 1, 3), 90, np.uint8), places, 2)[0, :, 0], [90, 0])


@pytest.mark.parametrize("k1", [-0.356, 0.25])
def test_the_pinhole_is_nowhere_coarser_than_asked_for(k1):
    camera = replace(nuplan_rig(320, 180)[0], distortion=np.array([k1, 0.1, 0.001, -0.002, 0.0]))
    warp = make_warp(camera, supersample=2)
    step_x = np.linalg.norm(np.diff(warp.source_px, axis=1), axis=-1)
    step_y = np.linalg.norm(np.diff(warp.source_px, axis=0), axis=-1)
    assert min(step_x.min(), step_y.min()) > 1.95
    inside = (warp.source_px > 0.5) & (
        warp.source_px < [warp.pinhole.width_px - 0.5, warp.pinhole.height_px - 0.5]
    )
    assert inside.all()


def test_places_are_where_the_lens_looks():
    camera = nuplan_rig(320, 180, distortion=True)[2]
    warp = make_warp(camera)
    k = warp.pinhole.intrinsic
    slopes = (warp.source_px.astype(np.float64) - [k[0, 2], k[1, 2]]) / [k[0, 0], k[1, 1]]
    landed = Lens.of(camera).distort(slopes) * camera.intrinsic[[0, 1], [0, 1]] + camera.intrinsic[:2, 2]
    columns, rows = np.meshgrid(np.arange(320) + 0.5, np.arange(180) + 0.5)
    np.testing.assert_allclose(landed, np.stack([columns, rows], axis=-1), atol=1e-3)


def test_depth_is_picked_not_mixed():
    camera = replace(make_camera(20, 10, 30.0), distortion=np.array([-0.1, 0, 0, 0, 0.0]))
    warp = make_warp(camera)
    depth = np.where(np.arange(warp.pinhole.width_px) < warp.pinhole.width_px // 2, 5.0, 50.0).astype(
        np.float32
    )
    seen = warp.apply_depth(np.tile(depth, (warp.pinhole.height_px, 1)))
    assert seen.shape == (10, 20) and set(np.unique(seen)) == {5.0, 50.0}


def test_impossible_lens_is_refused():
    camera = replace(make_camera(200, 150, 80.0), distortion=np.array([-3.0, 0.0, 0.0, 0.0, 0.0]))
    with pytest.raises(RenderBackendError, match="cannot be inverted"):
        make_warp(camera)


def test_warp_keeps_the_pose():
    camera = replace(
        nuplan_rig(160, 90, distortion=True)[1], ego_from_cam=make_transform(np.eye(3), np.ones(3))
    )
    np.testing.assert_array_equal(make_warp(camera).pinhole.ego_from_cam, camera.ego_from_cam)
