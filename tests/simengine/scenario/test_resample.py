from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from scenario_factories import random_scenario
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.errors import ScenarioFormatError
from simengine.geometry.se2 import rotate
from simengine.scenario.resample import resample


def _circle(frames: int, dt: float, radius: float = 20.0, speed: float = 8.0):
    t = np.arange(frames) * dt
    yaw = speed / radius * t + 3.0
    pose = np.stack([radius * np.sin(yaw), -radius * np.cos(yaw), np.angle(np.exp(1j * yaw))], 1)
    velocity = np.tile([speed, 0.0], (frames, 1))
    return EgoTrack(pose, velocity, np.tile([0.0, speed**2 / radius], (frames, 1)))


def test_the_same_rate_gives_the_same_object():
    scenario = make_scenario()
    assert resample(scenario, 0.1) is scenario


def test_a_coarse_circle_becomes_a_fine_one():
    coarse = make_scenario(frames=14, dt=0.5, ego=_circle(14, 0.5))
    fine = resample(coarse, 0.1)
    truth = _circle(66, 0.1)
    assert fine.num_frames == 66
    # A quintic would be exact; Hermite on an arc of 4 m at radius 20 m is off by h^4 * |x''''| / 384 = 0.0003 m.
    np.testing.assert_allclose(fine.ego.pose[:, :2], truth.pose[:, :2], atol=5e-4)
    np.testing.assert_allclose(np.cos(fine.ego.pose[:, 2] - truth.pose[:, 2]), 1.0, atol=1e-12)
    np.testing.assert_allclose(fine.ego.acceleration, truth.acceleration[:66])


def test_old_frames_keep_their_values_and_the_first_decision_its_time():
    agents = make_tracks(np.random.default_rng(0).normal(size=(3, 14, 3)), 0.5)
    coarse = make_scenario(frames=14, dt=0.5, ego=_circle(14, 0.5), agents=agents)
    fine = resample(coarse, 0.1)
    assert fine.initial_frame == 15
    np.testing.assert_array_equal(fine.ego.pose[::5], coarse.ego.pose)
    np.testing.assert_array_equal(fine.agents.pose[:, ::5], coarse.agents.pose)
    np.testing.assert_array_equal(fine.timestamps_us[::5], coarse.timestamps_us)
    back = resample(fine, 0.5)
    np.testing.assert_array_equal(back.ego.pose, coarse.ego.pose)
    np.testing.assert_array_equal(back.agents.velocity, coarse.agents.velocity)
    assert back.initial_frame == coarse.initial_frame


def test_decimation_picks_every_second_frame():
    fast = make_scenario(frames=131, dt=0.05)
    slow = resample(fast, 0.1)
    np.testing.assert_array_equal(slow.ego.pose, fast.ego.pose[::2])
    assert (slow.dt, slow.initial_frame, fast.initial_frame) == (0.1, 15, 30)


def test_an_agent_is_valid_only_between_two_valid_frames():
    tracks = make_tracks(np.zeros((1, 6, 3)), 0.5)
    tracks = replace(tracks, valid=np.array([[True, True, False, True, True, False]]))
    scenario = make_scenario(frames=6, dt=0.5, agents=tracks, initial_frame=0)
    found = resample(scenario, 0.25).agents.valid[0]
    #        0   .25   .5  .75    1    1.25  1.5  1.75  2   2.25   2.5
    assert found.tolist() == [True, True, True, False, False, False, True, True, True, False, False]


def test_yaw_turns_the_short_way():
    pose = np.array([[[0, 0, 3.1], [0, 0, -3.1]]], float)
    scenario = make_scenario(frames=2, dt=0.5, agents=make_tracks(pose, 0.5), initial_frame=0)
    middle = resample(scenario, 0.25).agents.pose[0, 1, 2]
    assert abs(middle) == pytest.approx(np.pi)


def test_a_velocity_that_contradicts_the_positions_is_not_followed():
    tracks = make_tracks(np.array([[[0, 0, 0], [1, 0, 0]]], float), 0.5)
    tracks = replace(tracks, velocity=np.array([[[0, 30.0], [0, 30.0]]]))
    scenario = make_scenario(frames=2, dt=0.5, agents=tracks, initial_frame=0)
    np.testing.assert_allclose(resample(scenario, 0.25).agents.pose[0, 1], [0.5, 0, 0], atol=1e-12)


def test_lights_hold_their_state_until_the_next_old_frame():
    state = np.array([[LightState.RED, LightState.GREEN, LightState.YELLOW]], np.int8)
    lights = TrafficLights(("a",), state, np.full((1, 2), np.nan))
    scenario = make_scenario(frames=3, dt=0.5, lights=lights, initial_frame=0)
    assert resample(scenario, 0.25).lights.state[0].tolist() == [3, 3, 1, 1, 2]


def test_uneven_rates_keep_the_first_decision_on_the_grid():
    scenario = make_scenario(frames=14, dt=0.5)
    other = resample(scenario, 0.4)
    time = scenario.timestamps_us[scenario.initial_frame]
    assert other.timestamps_us[other.initial_frame] == time
    assert (np.diff(other.timestamps_us) == 400_000).all()


def test_speed_of_the_curve_matches_the_logged_one():
    fine = resample(make_scenario(frames=14, dt=0.5, ego=_circle(14, 0.5)), 0.02)
    world = np.gradient(fine.ego.pose[:, :2], 0.02, axis=0)
    body = rotate(world, -fine.ego.pose[:, 2])[1:-1]
    np.testing.assert_allclose(body, fine.ego.velocity[1:-1], atol=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_any_scenario_stays_within_the_contract(seed):
    scenario = random_scenario(seed)
    if scenario.num_frames < 3:
        return
    other = resample(scenario, scenario.dt * 0.37)
    assert (other.agents.pose[~other.agents.valid] == 0).all()
    at = int(other.timestamps_us[other.initial_frame])
    assert at == int(scenario.timestamps_us[scenario.initial_frame])


@pytest.mark.parametrize("dt", [0.0, -1.0, 1e9, float("nan")])
def test_impossible_rates_are_refused(dt):
    with pytest.raises(ScenarioFormatError, match="cannot resample"):
        resample(make_scenario(), dt)
