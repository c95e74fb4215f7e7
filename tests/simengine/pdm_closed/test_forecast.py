"""What PDM-Closed expects of the others."""

import numpy as np
import shapely

from simengine.datatypes.agents import AgentStates, AgentType
from simengine.pdm_closed.forecast import forecast

EGO = np.array([0.0, 0.0, 0.0, 5.0, 2.0])


def states(rows, kind=AgentType.VEHICLE, size=(4.0, 2.0, 1.5)):
    """Return agents with (x, y, yaw, vx, vy)."""
    rows = np.array(rows, float).reshape(-1, 5)
    return AgentStates(
        tuple(f"a{i}" for i in range(len(rows))),
        np.full(len(rows), int(kind), np.int8),
        rows[:, :3],
        rows[:, 3:],
        np.tile(np.array(size), (len(rows), 1)),
    )


def test_boxes_go_straight_on_along_their_heading():
    # Half a right angle between heading and velocity: the box moves along its heading at full speed.
    expected = forecast(states([[20, 0, 0.0, 3, 3], [30, 0, 0.0, -3, 1]]), (), EGO)
    speed = np.hypot([3, 3], [3, 1])
    np.testing.assert_allclose(expected.drift, [[speed[0], 0], [-speed[1], 0]], atol=1e-12)


def test_static_objects_stand_whatever_their_velocity():
    expected = forecast(states([[20, 0, 0.0, 3, 0]], AgentType.TRAFFIC_CONE), (), EGO)
    np.testing.assert_array_equal(expected.drift, [[0, 0]])


def test_frames_move_every_second_step_and_keep_orientation():
    observation = forecast(states([[20, 0, 0.5, 4 * np.cos(0.5), 4 * np.sin(0.5)]]), (), EGO).observation(
        51, 0.1, 2
    )
    gone = np.hypot(*(observation.pose[0, :, :2] - [20, 0]).T)
    np.testing.assert_allclose(gone, 4 * 0.2 * (np.arange(51) // 2), atol=1e-9)
    np.testing.assert_array_equal(observation.pose[0, :, 2], 0.5)
    assert observation.present.all()


def test_only_the_nearest_of_each_kind_within_a_hundred_metres():
    rng = np.random.default_rng(1)
    angle, radius = rng.uniform(0, 2 * np.pi, 200), rng.uniform(8, 130, 200)
    rows = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros((200, 3))])
    for kind, limit in (
        (AgentType.VEHICLE, 50),
        (AgentType.PEDESTRIAN, 25),
        (AgentType.CYCLIST, 10),
        (AgentType.BARRIER, 50),
    ):
        chosen = forecast(states(rows, kind, (0.5, 0.5, 1.0)), (), EGO).agents
        near = np.sort(radius[radius <= 100])[:limit]
        np.testing.assert_allclose(np.hypot(*chosen.pose[:, :2].T), near, atol=1e-9)


def test_static_kinds_share_their_places():
    cones = states([[10 + i, 9, 0, 0, 0] for i in range(40)], AgentType.TRAFFIC_CONE)
    signs = states([[10 + i, -9, 0, 0, 0] for i in range(40)], AgentType.CZONE_SIGN)
    both = AgentStates(
        tuple(f"s{i}" for i in range(80)),
        *(
            np.concatenate([getattr(cones, f), getattr(signs, f)])
            for f in ("types", "pose", "velocity", "size")
        ),
    )
    assert len(forecast(both, (), EGO).agents.ids) == 50


def test_what_the_ego_touches_is_no_obstacle():
    expected = forecast(states([[3.0, 0, 0, 0, 0], [8.0, 0, 0, 0, 0]]), (), EGO)
    np.testing.assert_array_equal(expected.ignored, [True, False])
    assert expected.observation(51, 0.1, 2).ids == ("a1",)


def test_a_red_light_is_passed_only_by_an_ego_wholly_behind_it():
    half, whole = shapely.box(0, -5, 30, 5), shapely.box(-10, -5, 30, 5)
    expected = forecast(states([]), (half, whole), EGO)
    np.testing.assert_array_equal(expected.ignored, [False, True])
    assert expected.observation(51, 0.1, 2).ids == ()


def test_an_empty_road():
    expected = forecast(states([]), (), EGO)
    assert expected.polygons(np.arange(3.0)).shape == (3, 0)
    assert expected.observation(51, 0.1, 2).num_frames == 51
