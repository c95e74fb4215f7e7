"""The IDM ego: speed on a free road, distance behind a leader, lights, offsets, and who is no leader."""

from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from simengine.agents.idm import IdmParams, acceleration
from simengine.agents.idm_ego import IdmPolicy
from simengine.agents.traffic import LogReplay
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.map import VectorMap
from simengine.datatypes.state import AgentFrame, SimState
from simengine.dynamics.tracking import LqrTracking
from simengine.geometry import se2

FRAMES = 200
HALF_LENGTHS = 0.5 * (5.176 + 4.6)


def state_at(scenario, ego=None, frame=None):
    frame = scenario.initial_frame if frame is None else frame
    ego = scenario.ego.state(frame) if ego is None else ego
    a = scenario.agents
    now = AgentFrame(a.pose[:, frame], a.velocity[:, frame], a.valid[:, frame])
    return SimState(frame, int(scenario.timestamps_us[frame]), ego, now, ego[None])


def drive(scenario, ego=None, seconds=12.0, policy=None):
    """Return ego states (F, 11) of the closed loop at 2 Hz with the LQR tracker."""
    policy, traffic, tracker = policy or IdmPolicy(scenario), LogReplay(scenario), LqrTracking()
    state = state_at(scenario, ego)
    egos = [state.ego]
    for _ in range(round(seconds / 0.5)):
        plan = policy.plan(None, state)
        for ego in tracker.follow(state.ego, plan, scenario.vehicle, 0.1, 5):
            time = state.timestamp_us + 100_000
            state = SimState(state.frame + 1, time, ego, traffic.step(state), ego[None])
            egos.append(ego)
    return np.array(egos)


def moving(x, y=0.0, speed=0.0, yaw=0.0):
    t = 0.1 * np.arange(FRAMES)
    path = np.stack([x + speed * np.cos(yaw) * t, y + speed * np.sin(yaw) * t, np.full(FRAMES, yaw)], axis=1)
    return make_tracks(path[None])


def test_a_free_road_is_driven_at_the_limit():
    egos = drive(make_scenario(FRAMES))
    assert np.diff(egos[:, 3]).min() > -0.05
    assert 14.0 < egos[-1, 3] < 15.1  # the lane's limit is 15 m/s
    assert np.abs(egos[:, 1]).max() < 0.02


def test_the_first_step_is_the_formula():
    scenario = make_scenario(FRAMES, agents=moving(40.0 + 12.0, speed=5.0))
    plan = IdmPolicy(scenario).plan(None, state_at(scenario))
    gap = 52.0 + 5.0 * 1.5 - (12.0 + 1.461) - HALF_LENGTHS
    accel = acceleration(8.0, 15.0, gap, 3.0, IdmParams())
    assert plan.poses[0, 0] == pytest.approx(0.8 + 0.005 * accel, abs=1e-6)
    assert plan.poses.shape == (40, 3)


def test_it_settles_behind_a_leader():
    egos = drive(make_scenario(FRAMES, agents=moving(45.0, speed=6.0)), seconds=18.0)
    gap = 45.0 + 6.0 * 0.1 * (15 + 180) - (egos[-1, 0] + 1.461) - HALF_LENGTHS
    wanted = (2.0 + 1.4 * 6.0) / np.sqrt(1.0 - (6.0 / 15.0) ** 4)
    assert egos[-1, 3] == pytest.approx(6.0, abs=0.15)
    assert gap == pytest.approx(wanted, abs=1.0)


def test_it_stops_behind_a_standing_car():
    egos = drive(make_scenario(FRAMES, agents=moving(75.0)), seconds=16.0)
    gap = 75.0 - (egos[:, 0] + 1.461) - HALF_LENGTHS
    assert egos[-1, 3] < 0.3 and 1.0 < gap.min() < 4.0


@pytest.mark.parametrize(
    "agents",
    [moving(60.0, 3.5), moving(60.0, -3.5), moving(5.0, 0.0), moving(60.0, 25.0, 5.0, -np.pi / 2)],
    ids=["left lane", "right of the road", "behind", "far to the side, crossing"],
)
def test_who_is_not_in_the_way_is_no_leader(agents):
    scenario = make_scenario(FRAMES, agents=agents)
    alone = IdmPolicy(make_scenario(FRAMES)).plan(None, state_at(make_scenario(FRAMES)))
    assert IdmPolicy(scenario).plan(None, state_at(scenario)).poses == pytest.approx(alone.poses)


def test_it_stops_at_red_and_goes_at_green():
    state = np.full((1, FRAMES), LightState.RED, np.int8)
    state[:, 120:] = LightState.GREEN
    lights = TrafficLights(("lane_0",), state, np.array([[70.0, 0.0]]))
    egos = drive(make_scenario(FRAMES, lights=lights), seconds=18.0)
    front = egos[:, 0] + 1.461 + 0.5 * 5.176
    assert 66.0 < front[100] < 70.0 and egos[100, 3] < 0.6
    assert front[-1] > 80.0


def test_it_returns_to_the_line():
    scenario = make_scenario(FRAMES)
    ego = scenario.ego.state(15)
    ego[1], ego[2] = 1.2, 0.1
    egos = drive(scenario, ego, 8.0)
    assert egos[:, 1].max() < 2.2 and abs(egos[-1, 1]) < 0.1 and abs(egos[-1, 2]) < 0.02


def test_without_a_map_it_follows_the_logged_path():
    t = 0.1 * np.arange(FRAMES)
    yaw = 0.04 * t
    pose = np.stack([8 / 0.04 * np.sin(yaw), 8 / 0.04 * (1 - np.cos(yaw)), yaw], axis=1)
    track = EgoTrack(pose, np.tile([8.0, 0.0], (FRAMES, 1)), np.zeros((FRAMES, 2)))
    scenario = make_scenario(FRAMES, ego=track, map=VectorMap({}), route=())
    egos = drive(scenario)
    radius = np.hypot(egos[:, 0], egos[:, 1] - 200.0)
    assert np.abs(radius - 200.0).max() < 0.3
    assert egos[-1, 3] < 12.5


def test_an_ego_that_never_moves_and_has_no_route_still_plans():
    track = EgoTrack(np.zeros((FRAMES, 3)), np.zeros((FRAMES, 2)), np.zeros((FRAMES, 2)))
    scenario = make_scenario(FRAMES, ego=track, map=VectorMap({}), route=())
    poses = IdmPolicy(scenario).plan(None, state_at(scenario)).poses
    assert poses[-1, 0] > 5.0 and np.abs(poses[:, 1:]).max() < 1e-9


def test_it_drives_the_same_in_a_turned_world():
    scenario = make_scenario(FRAMES, agents=moving(45.0, 0.4, 3.0), map=VectorMap({}), route=())
    turned_ego = replace(scenario.ego, pose=se2.to_parent(np.array([5.0, -7.0, 2.5]), scenario.ego.pose))
    pose = se2.to_parent(np.array([5.0, -7.0, 2.5]), scenario.agents.pose[0])[None]
    turned = replace(scenario, ego=turned_ego, agents=make_tracks(pose))
    straight = IdmPolicy(scenario).plan(None, state_at(scenario)).poses
    assert IdmPolicy(turned).plan(None, state_at(turned)).poses == pytest.approx(straight, abs=1e-5)
