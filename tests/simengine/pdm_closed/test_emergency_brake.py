"""The emergency brake, exactly as published."""

from dataclasses import replace

import numpy as np
import pytest

from simengine.datatypes.vehicle import VehicleParams
from simengine.pdm_closed.emergency_brake import emergency_poses, emergency_speed
from simengine.pdm_closed.parameters import NAVSIM_PDM_CLOSED

CAR = VehicleParams()
ON = replace(NAVSIM_PDM_CLOSED, brake_in_emergency=True)


def ego(speed, acceleration=0.0, yaw=0.0):
    return np.array([3.0, 4.0, yaw, speed, 0, acceleration, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("speed", "acceleration", "planned"),
    [
        (5.0, 0.0, 1.1 * (5.0 - 4.05)),
        (2.0, 0.0, 1.1 * (2.0 - 4.05)),  # backwards
        (0.3, 0.0, 1.1 * (0.3 - 3.0)),  # -10 v is within bounds
        (0.1, 0.5, -0.4 - 0.5),
        (0.0, -3.0, 2.40),  # clipped
        (0.2, 9.0, -4.05),  # 0.2 m/s still counts as standing
    ],
)
def test_the_command(speed, acceleration, planned):
    assert emergency_speed(ego(speed, acceleration), CAR) == pytest.approx(planned)


def test_poses_go_straight_at_that_speed():
    poses = emergency_poses(ego(5.0, yaw=np.pi / 2), CAR, 12.0, ON)
    assert poses.shape == (51, 3)
    np.testing.assert_allclose(poses[:, 0], 3.0, atol=1e-12)
    np.testing.assert_allclose(poses[:, 1], 4.0 + 1.045 * 0.1 * np.arange(51))
    np.testing.assert_array_equal(poses[:, 2], np.pi / 2)


@pytest.mark.parametrize(
    ("speed", "frame", "brakes"), [(5.0, 20, True), (5.01, 20, False), (5.0, 21, False), (5.0, np.inf, False)]
)
def test_when_it_brakes(speed, frame, brakes):
    assert (emergency_poses(ego(speed), CAR, frame, ON) is not None) == brakes


def test_it_is_off_unless_asked_for():
    assert emergency_poses(ego(1.0), CAR, 0.0, NAVSIM_PDM_CLOSED) is None
