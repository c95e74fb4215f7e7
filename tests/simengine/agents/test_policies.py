"""Ego policies: simple ones exactly, the expert by what comes of its driving."""

import numpy as np
import pytest

from factories import make_scenario, make_straight_map, make_tracks
from simengine.agents.expert import ExpertPolicy
from simengine.agents.settle import settle_curve
from simengine.agents.simple import ConstantVelocityPolicy, LaneSpeedPolicy, LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.datatypes.state import AgentFrame, SimState
from simengine.dynamics.tracking import LqrTracking
from simengine.geometry import se2

FRAMES = 116


def state_at(scenario, frame, ego=None):
    ego = scenario.ego.state(frame) if ego is None else ego
    a = scenario.agents
    now = AgentFrame(a.pose[:, frame], a.velocity[:, frame], a.valid[:, frame])
    return SimState(frame, int(scenario.timestamps_us[frame]), ego, now, ego[None])


def drive(scenario, policy, ego, frames=60, every=5):
    traffic, tracker = LogReplay(scenario), LqrTracking()
    state, egos = state_at(scenario, scenario.initial_frame, ego), [ego]
    for _ in range(frames // every):
        plan = policy.plan(None, state)
        for ego in tracker.follow(state.ego, plan, scenario.vehicle, 0.1, every):
            state = SimState(
                state.frame + 1, state.timestamp_us + 100_000, ego, traffic.step(state), ego[None]
            )
            egos.append(ego)
    return np.array(egos)


def standing(x, y, frames=FRAMES):
    return np.tile([x, y, 0.0], (frames, 1))


def test_log_replay_plans_the_logged_future():
    scenario = make_scenario(frames=FRAMES)
    plan = LogReplayPolicy(scenario).plan(None, state_at(scenario, 20))
    world = se2.to_parent(scenario.ego.pose[20], plan.poses)
    assert world == pytest.approx(scenario.ego.pose[21:61], abs=1e-9)


def test_log_replay_goes_on_after_the_log():
    scenario = make_scenario(frames=40, speed=8.0)
    plan = LogReplayPolicy(scenario).plan(None, state_at(scenario, 39))
    assert plan.poses[-1] == pytest.approx([32.0, 0.0, 0.0], abs=1e-9)


def test_constant_velocity():
    scenario = make_scenario(speed=8.0)
    plan = ConstantVelocityPolicy(scenario).plan(None, state_at(scenario, 20))
    assert plan.poses[-1] == pytest.approx([32.0, 0.0, 0.0])
    assert plan.poses.shape == (40, 3)


def test_lane_speed_policy_returns_to_its_line():
    scenario = make_scenario(speed=8.0)
    ego = scenario.ego.state(20)
    ego[1] = 0.6
    plan = LaneSpeedPolicy(np.array([[-50.0, 0.0], [200.0, 0.0]])).plan(None, state_at(scenario, 20, ego))
    assert plan.poses[0, 1] == pytest.approx(-0.6 * (1 - np.exp(-0.08)), abs=1e-9)
    assert plan.poses[-1, 1] < -0.5


def test_settle_curve_meets_its_boundary_conditions():
    s = np.linspace(0.0, 30.0, 3001)
    d = settle_curve(0.8, -0.1, 0.02, -0.5, 20.0, s)
    slope = np.gradient(d, s)
    assert d[0] == pytest.approx(0.8)
    assert slope[1] == pytest.approx(-0.1, abs=2e-3)
    assert np.gradient(slope, s)[3] == pytest.approx(0.02, abs=3e-3)
    assert d[s >= 20.0] == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("lateral", "heading_deg", "factor"), [(0.8, 8.0, 0.7), (-0.8, 4.0, 1.3), (0.5, -8.0, 1.0)]
)
def test_expert_recovers_from_a_perturbed_start(lateral, heading_deg, factor):
    scenario = make_scenario(frames=FRAMES, map=make_straight_map(600.0))
    ego = scenario.ego.state(15)
    ego[1], ego[2], ego[3] = lateral, np.radians(heading_deg), factor * ego[3]
    egos = drive(scenario, ExpertPolicy(scenario), ego, 90)
    assert np.abs(egos[:, 1]).max() < 2.0
    assert np.abs(egos[-10:, 1]).max() < 0.15
    assert np.abs(egos[-10:, 2]).max() < 0.03
    lateral_acceleration = egos[:, 3] * egos[:, 9]
    assert np.abs(lateral_acceleration).max() < 3.0


def test_expert_stops_behind_a_blocked_single_lane():
    agents = make_tracks(standing(70.0, 0.0)[None])
    scenario = make_scenario(frames=FRAMES, agents=agents, map=make_straight_map(600.0, lanes=1))
    egos = drive(scenario, ExpertPolicy(scenario), scenario.ego.state(15), 90)
    front = egos[:, 0] + 1.461 + 2.588
    assert front.max() < 70.0 - 2.3
    assert egos[-1, 3] < 0.5


def test_expert_changes_lane_around_a_standing_vehicle():
    agents = make_tracks(standing(70.0, 0.0)[None])
    scenario = make_scenario(frames=FRAMES, agents=agents, map=make_straight_map(600.0, lanes=2))
    egos = drive(scenario, ExpertPolicy(scenario), scenario.ego.state(15), 90)
    assert egos[-1, 0] > 75.0
    beside = egos[np.argmin(np.abs(egos[:, 0] - 70.0))]
    assert beside[1] > 0.95 + 1.15


def test_expert_plan_has_the_standard_shape():
    scenario = make_scenario(frames=FRAMES)
    plan = ExpertPolicy(scenario).plan(None, state_at(scenario, 15))
    assert plan.poses.shape == (40, 3)
    assert plan.dt == pytest.approx(0.1)


def test_expert_without_map_follows_the_log():
    scenario = make_scenario(frames=FRAMES)
    scenario = type(scenario)(**{**vars(scenario), "map": type(scenario.map)(), "route": ()})
    egos = drive(scenario, ExpertPolicy(scenario), scenario.ego.state(15), 40)
    assert np.abs(egos[:, 1]).max() < 0.05
    assert egos[-1, 0] > 35.0
