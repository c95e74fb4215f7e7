from __future__ import annotations

import json

import numpy as np
import pytest

from factories import shared_data
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render.rig import CHANNELS, nuplan_rig


def test_eight_cameras_look_where_their_names_say():
    rig = {camera.name: camera for camera in nuplan_rig()}
    assert tuple(rig) == CHANNELS and len(rig) == 8
    forward = {name: camera.ego_from_cam[:3, 2] for name, camera in rig.items()}
    assert forward["CAM_F0"][0] > 0.99 and forward["CAM_B0"][0] < -0.99
    assert all(forward[f"CAM_L{i}"][1] > 0.5 and forward[f"CAM_R{i}"][1] < -0.5 for i in range(3))
    for camera in rig.values():
        rotation = camera.ego_from_cam[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) > 0 and rotation[2, 1] < -0.99  # image y points down


def test_resizing_scales_the_intrinsics():
    big, small = nuplan_rig()[0], nuplan_rig(320, 180)[0]
    np.testing.assert_allclose(small.intrinsic[:2], big.intrinsic[:2] / 6.0)
    assert (small.width_px, small.height_px) == (320, 180)


def test_distortion_is_off_unless_asked_for():
    assert not any(camera.distortion.any() for camera in nuplan_rig())
    assert all(camera.distortion[0] < 0 for camera in nuplan_rig(distortion=True))


def test_rig_is_close_to_a_real_calibration():
    frame = json.loads(shared_data("data", "nuplan_cameras", "frames.json").read_text())["frames"][0]
    for camera in nuplan_rig():
        real = frame["cameras"][camera.name]
        rotation = rotation_from_quaternion(np.array(real["camera2ego_rotation_wxyz"]))
        assert np.degrees(np.arccos(rotation[:, 2] @ camera.ego_from_cam[:3, 2])) < 1.5
        shift = camera.ego_from_cam[:3, 3] - np.array(real["camera2ego_translation"]) - [0, 0, AXLE_HEIGHT]
        assert np.abs(shift).max() < 0.05


def test_real_cars_stand_on_the_ground_of_our_ego_frame():
    frame = json.loads(shared_data("data", "nuplan_cameras", "frames.json").read_text())["frames"][0]
    boxes = np.array(frame["boxes"]["values"])  # x, y, z, width, length, height, yaw from the rear axle
    cars = boxes[(boxes[:, 4] > 3.0) & (np.hypot(boxes[:, 0], boxes[:, 1]) < 10.0)]
    assert len(cars) >= 3
    assert np.median(cars[:, 2] - 0.5 * cars[:, 5]) == pytest.approx(-AXLE_HEIGHT, abs=0.05)
