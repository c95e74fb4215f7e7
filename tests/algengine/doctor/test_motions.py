import numpy as np
import pytest

from algengine.doctor.motions import Motion, arc, standard_motions
from algengine.doctor.road import ROAD_HALF_WIDTH, Road, ground_points, make_rig, paint
from algengine.doctor.sense import Reading, misheading, misplacement
from algengine.doctor.show import Stage
from algengine.doctor.target import InProcessTarget
from doctor_planners import TurnKeeper
from simengine.geometry.se2 import to_local, to_parent


@pytest.mark.parametrize("motion", standard_motions(), ids=lambda motion: motion.name)
def test_poses_are_the_integral_of_the_motion(motion):
    """Euler steps of 0.1 ms from -1.5 s to 2 s."""
    step = 1e-4
    pose = motion.at(-1.5).pose
    for k in range(35_000):
        speed = motion.speed + motion.acceleration * (-1.5 + (k + 0.5) * step)
        yaw = pose[2] + 0.5 * motion.yaw_rate * step
        pose = pose + step * np.array([speed * np.cos(yaw), speed * np.sin(yaw), motion.yaw_rate])
    assert pose == pytest.approx(motion.at(2.0).pose, abs=1e-3)


@pytest.mark.parametrize("motion", standard_motions(), ids=lambda motion: motion.name)
def test_what_is_sensible_is_what_happens_without_acceleration(motion):
    if motion.acceleration:
        pytest.skip("its future is not one of constant speed")
    times = np.array([0.1, 1.0, 3.0])
    now = motion.at(0.7)
    future = np.stack([motion.at(0.7 + t).pose for t in times])
    assert now.sensible(times) == pytest.approx(to_local(now.pose, future), abs=1e-9)


def test_arcs_by_hand():
    quarter = arc(np.pi / 2 * 10.0, np.pi / 2)  # a quarter of a circle of 10 m
    assert quarter == pytest.approx([10.0, 10.0, np.pi / 2])
    assert arc(5.0, 0.0) == pytest.approx([5.0, 0.0, 0.0])


def test_observations_are_those_of_a_simulator():
    stage = Stage(InProcessTarget(TurnKeeper()), cameras=())
    motion = Motion("left", 6.0, yaw_rate=0.3, start=(100.0, 50.0, 2.0))
    seen = stage.observation(motion.at(1.0), step=2)
    assert seen.ego_history[-1] == pytest.approx([0, 0, 0])
    assert to_parent(seen.ego_pose, seen.ego_history)[0] == pytest.approx(motion.at(-0.5).pose)
    assert seen.velocity_history == pytest.approx(np.array([[6.0, 0.0]] * 4))
    assert seen.acceleration_history == pytest.approx(np.array([[0.0, 1.8]] * 4))
    assert stage.token() != stage.token()


@pytest.mark.parametrize("curvature", [0.0, 0.02, -0.05])
def test_the_middle_of_a_road_is_nowhere_beside_it(curvature):
    road = Road(curvature, curvature, offset=0.7)
    points = np.stack([arc(s, curvature * s)[:2] for s in np.linspace(0, 25, 6)]) + [0.0, 0.7]
    assert road.beside(*points.T) == pytest.approx(np.zeros(6), abs=1e-9)
    left = points[3] + 2.0 * np.array([-np.sin(curvature * 15), np.cos(curvature * 15)])
    assert road.beside(*left[:, None]) == pytest.approx([2.0])
    assert road.middle(15.0) == pytest.approx(points[3, 1])


def test_pictures_show_the_ground_where_it_is():
    """Every pixel of asphalt lies on the road, seen from each camera; the sky is above."""
    rig = make_rig(160, 90)
    road = Road(0.01, -0.01, 0.5)
    for camera in rig:
        image = paint(road, (camera,))[camera.name]
        points = ground_points(camera)
        sky = np.isnan(points[..., 0])
        assert sky[0].all()
        assert not sky[-1].any()
        grey = (image == (85, 85, 90)).all(-1)
        assert grey.any()
        x, y = points[grey].T
        assert np.abs(road.beside(x, y)).max() < ROAD_HALF_WIDTH
        u, v = np.meshgrid(np.arange(160) + 0.5, np.arange(90) + 0.5)
        spot = np.append(points[80, 40], [0.0, 1.0])
        in_camera = np.linalg.inv(camera.ego_from_cam) @ spot
        pixel = camera.intrinsic @ (in_camera[:3] / in_camera[2])
        assert pixel[:2] == pytest.approx([u[80, 40], v[80, 40]])


def test_cost_is_zero_for_sense_and_grows_with_nonsense():
    moment = Motion("left", 6.0, yaw_rate=0.3).at(0.0)
    times = 0.1 * np.arange(1, 41)
    good = moment.sensible(times)
    assert misplacement(Reading(good, 0.1, moment)) == 0.0
    assert misheading(Reading(good, 0.1, moment)) == pytest.approx(0.0, abs=1e-9)
    small, large = (misplacement(Reading(good + [0, d, 0], 0.1, moment)) for d in (0.5, 2.0))
    assert 0.0 < small < large <= 5.0
    # A heading that is 0.15 rad off is half of the scale of 0.3 rad.
    assert misheading(Reading(good + [0, 0, 0.15], 0.1, moment)) == pytest.approx(0.5)


def test_who_stands_has_no_heading():
    moment = Motion("standing", 0.0).at(0.0)
    assert misheading(Reading(np.tile([0.0, 0.0, 2.0], (40, 1)), 0.1, moment)) == 0.0
