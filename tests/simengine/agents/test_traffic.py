"""Traffic models: purity, independence of order, stopping, yielding, arriving and staying."""

from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_straight_map, make_tracks
from simengine.agents.roster import Role, make_roster
from simengine.agents.traffic import IdmTraffic, LogReplay
from simengine.datatypes.agents import AgentType
from simengine.datatypes.lights import LightState, TrafficLights
from traffic_factories import FRAMES, check_order, first_state, moving, parked_ego, run_traffic, scenario_of


def test_log_replay_repeats_the_log_and_ends_with_it():
    scenario = scenario_of(moving(30.0, 0.0, 5.0))
    states = run_traffic(LogReplay(scenario), scenario, FRAMES - scenario.initial_frame)
    for state in states[:-1]:
        assert np.array_equal(state.agents.pose, scenario.agents.pose[:, state.frame])
    assert not states[-1].agents.present.any()


def test_vehicle_stops_behind_a_standing_ego():
    scenario = scenario_of(moving(-30.0, 0.0, 8.0))
    states = run_traffic(IdmTraffic(scenario), scenario, 150, parked_ego(60.0, 0.0))
    # The ego's rear bumper is at 60 + 1.461 - 2.588; the vehicle is 4.6 m long and keeps 2 m.
    front = states[-1].agents.pose[0, 0] + 2.3
    assert 60.0 - 1.127 - 3.0 < front < 60.0 - 1.127 - 1.0
    assert np.hypot(*states[-1].agents.velocity[0]) < 0.1


def test_vehicle_behind_a_slow_leader_settles_at_its_speed():
    scenario = scenario_of(moving(0.0, 0.0, 10.0), moving(60.0, 0.0, 4.0))
    traffic = IdmTraffic(scenario)
    # The leader is free: it speeds up to the limit of 15, so both end fast and apart.
    states = run_traffic(traffic, scenario, 250, parked_ego(-40.0, 20.0))
    gap = states[-1].agents.pose[1, 0] - states[-1].agents.pose[0, 0] - 4.6
    assert gap > 10.0
    assert (np.hypot(*states[-1].agents.velocity.T) > 11.0).all()


def test_step_is_pure():
    scenario = scenario_of(moving(0.0, 0.0, 8.0), moving(25.0, 0.0, 3.0))
    traffic, state = IdmTraffic(scenario), first_state(scenario)
    before = state.agents.pose.copy()
    first = traffic.step(state)
    traffic.step(replace(state, frame=state.frame + 20))
    second = traffic.step(state)
    assert np.array_equal(first.pose, second.pose)
    assert np.array_equal(first.velocity, second.velocity)
    assert np.array_equal(before, state.agents.pose)


def test_order_of_agents_does_not_matter():
    rng = np.random.default_rng(3)
    poses = [moving(12.0 * k + rng.uniform(0, 3), 3.5 * (k % 2), rng.uniform(2, 9)) for k in range(8)]
    check_order(scenario_of(*poses), 60, IdmTraffic, seed=3)


def test_red_light_is_obeyed_and_green_is_not_stopped_at():
    def final(light):
        lights = TrafficLights(("lane_0",), np.full((1, FRAMES), light, np.int8), np.array([[60.0, 0.0]]))
        scenario = scenario_of(moving(0.0, 0.0, 8.0), lights=lights)
        return (
            run_traffic(IdmTraffic(scenario), scenario, 100, parked_ego(-40.0, 20.0))[-1].agents.pose[0, 0]
            + 2.3
        )

    assert 57.5 < final(LightState.RED) < 60.0
    assert 57.5 < final(LightState.YELLOW) < 60.0
    assert final(LightState.GREEN) > 80.0


def test_parked_vehicles_stay_and_pedestrians_replay():
    vehicle, walker = moving(30.0, 0.0, 0.0), moving(10.0, 8.0, 1.2)
    tracks = make_tracks(np.stack([vehicle, walker]))
    types = np.array([AgentType.VEHICLE, AgentType.PEDESTRIAN], np.int8)
    scenario = make_scenario(frames=FRAMES, agents=replace(tracks, types=types), map=make_straight_map(600.0))
    state = run_traffic(IdmTraffic(scenario), scenario, 60)[-1]
    assert np.array_equal(state.agents.pose[0], vehicle[0])
    assert np.array_equal(state.agents.pose[1], walker[state.frame])
    assert list(make_roster(scenario).role) == [Role.STAND, Role.REPLAY]


def test_moving_vehicle_persists_after_its_log_ends():
    scenario = scenario_of(moving(30.0, 0.0, 8.0))
    valid = scenario.agents.valid.copy()
    valid[0, 40:] = False
    scenario = replace(scenario, agents=replace(scenario.agents, valid=valid))
    states = run_traffic(IdmTraffic(scenario), scenario, 100)
    assert all(state.agents.present[0] for state in states)
    assert states[-1].agents.pose[0, 0] > scenario.agents.pose[0, 40, 0] + 20.0


def test_late_vehicle_waits_until_its_place_is_free():
    scenario = scenario_of(moving(30.0, 0.0, 4.0))
    valid = scenario.agents.valid.copy()
    valid[0, :30] = False
    scenario = replace(scenario, agents=replace(scenario.agents, valid=valid))
    there = scenario.agents.pose[0, 30, 0]
    states = run_traffic(IdmTraffic(scenario), scenario, 60, parked_ego(there, 0.0))
    first = next(state.frame for state in states if state.agents.present[0])
    assert first > 30
    free = run_traffic(IdmTraffic(scenario), scenario, 60, parked_ego(-40.0, 0.0))
    assert next(state.frame for state in free if state.agents.present[0]) == 30


def test_scripted_vehicles_replay_in_reactive_traffic():
    scenario = scenario_of(moving(30.0, 0.0, 8.0), tags={"scripted": ["agent_0"]})
    state = run_traffic(IdmTraffic(scenario), scenario, 50)[-1]
    assert np.array_equal(state.agents.pose[0], scenario.agents.pose[0, state.frame])


def test_forecast_starts_at_the_present():
    scenario = scenario_of(moving(30.0, 0.0, 8.0), moving(60.0, 3.5, 0.0))
    for model in (LogReplay(scenario), IdmTraffic(scenario)):
        state = first_state(scenario)
        future = model.forecast(state, 40)
        assert future.pose.shape == (2, 41, 3)
        assert future.pose[:, 0] == pytest.approx(state.agents.pose, abs=1e-6)
        assert future.pose[0, 40, 0] == pytest.approx(state.agents.pose[0, 0] + 32.0, abs=0.01)


def test_agents_without_map_drive_on_straight():
    scenario = scenario_of(moving(30.0, 0.0, 8.0))
    scenario = replace(scenario, map=type(scenario.map)(), route=())
    state = run_traffic(IdmTraffic(scenario), scenario, 100)[-1]
    assert state.agents.pose[0, 1] == pytest.approx(0.0, abs=1e-6)
    assert state.agents.pose[0, 0] > 100.0
