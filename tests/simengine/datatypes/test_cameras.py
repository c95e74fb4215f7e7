"""Cameras as files list them."""

import numpy as np
import pytest

from simengine.datatypes.camera import CameraCalibration, lens_coefficients
from simengine.datatypes.openscene_camera import axle_from_cam, openscene_camera
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.errors import ScenarioFormatError

FORWARD = [[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]
"""A camera that looks along x: its columns are the camera's axes right, down and forward."""


def make_entry(**changes) -> dict:
    return {
        "sensor2lidar_rotation": np.array(FORWARD),
        "sensor2lidar_translation": np.array([1.67, -0.03, 1.52]),
        "cam_intrinsic": [[1545.0, 0, 960], [0, 1545, 560], [0, 0, 1]],
        "distortion": [-0.36, 0.17, 0.0, 0.0, -0.05],
    } | changes


def test_the_pose_of_an_openscene_camera_is_the_one_on_the_vehicle():
    entry = make_entry() | {"lidar2ego_translation": [1.5, 0.0, 1.6]}
    camera = openscene_camera("CAM_F0", entry, 1920, 1080)
    np.testing.assert_allclose(camera.ego_from_cam[:3, 3], [1.67, -0.03, 1.52 + AXLE_HEIGHT])
    np.testing.assert_array_equal(camera.ego_from_cam[:3, :3], FORWARD)
    np.testing.assert_allclose(axle_from_cam(entry)[:3, 3], [1.67, -0.03, 1.52])
    assert (camera.name, camera.width_px, camera.height_px) == ("CAM_F0", 1920, 1080)
    assert camera.intrinsic[1, 2] == 560 and camera.distortion[4] == -0.05


@pytest.mark.parametrize("distortion", [None, [], ()])
def test_a_camera_without_coefficients_is_a_pinhole(distortion):
    assert openscene_camera("a", make_entry(distortion=distortion), 8, 8).distortion.tolist() == [0.0] * 5


def test_malformed_cameras_raise():
    with pytest.raises(KeyError):
        axle_from_cam({})
    with pytest.raises(ValueError, match="reshape"):
        axle_from_cam(make_entry(sensor2lidar_translation=[1.0]))
    with pytest.raises(ValueError, match="13 lens coefficients"):
        openscene_camera("a", make_entry(distortion=np.zeros(13)), 8, 8)
    with pytest.raises(ScenarioFormatError, match="not finite"):
        openscene_camera("a", make_entry(distortion=[np.nan]), 8, 8)


@pytest.mark.parametrize(("listed", "size"), [(0, 5), (4, 5), (5, 5), (6, 8), (8, 8), (9, 12), (12, 12)])
def test_coefficients_are_kept_and_filled_up(listed, size):
    given = np.arange(1.0, listed + 1)
    filled = lens_coefficients(given)
    assert filled.tolist() == given.tolist() + [0.0] * (size - listed)
    camera = CameraCalibration("a", 8, 8, np.eye(3), np.eye(4), filled)
    assert camera.lens.tolist() == given.tolist() + [0.0] * (12 - listed)
