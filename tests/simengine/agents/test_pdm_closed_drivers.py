"""Vehicles that plan by PDM-Closed: they follow, stop at what stands and at lights, and remember nothing."""

from dataclasses import replace

import numpy as np
import pytest

from simengine.agents.traffic import PdmClosedTraffic
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.errors import ConfigError
from traffic_factories import (
    ARMS,
    FRAMES,
    check_order,
    make_crossing,
    make_meeting,
    moving,
    parked_ego,
    run_traffic,
    scenario_of,
)


def test_it_drives_along_its_path_at_the_limit():
    scenario = scenario_of(moving(60.0, 0.0, 8.0))
    states = run_traffic(PdmClosedTraffic(scenario), scenario, 40, parked_ego(0.0, 50.0))
    pose, velocity = states[-1].agents.pose[0], states[-1].agents.velocity[0]
    assert pose[0] > states[0].agents.pose[0, 0] + 30.0
    assert abs(pose[1]) < 0.1 and abs(pose[2]) < 0.02
    assert 8.0 <= np.hypot(*velocity) <= 16.0


def test_positions_are_the_sum_of_velocities():
    scenario = scenario_of(moving(60.0, 0.0, 8.0))
    states = run_traffic(PdmClosedTraffic(scenario), scenario, 40, parked_ego(0.0, 50.0))
    x = np.array([state.agents.pose[0, 0] for state in states])
    v = np.array([state.agents.velocity[0, 0] for state in states])
    assert np.allclose(np.diff(x) / 0.1, 0.5 * (v[1:] + v[:-1]), atol=0.5)


def test_it_stops_behind_the_ego_and_stays():
    scenario = scenario_of(moving(0.0, 0.0, 8.0))
    states = run_traffic(PdmClosedTraffic(scenario), scenario, 130, parked_ego(60.0, 0.0))
    last = states[-1].agents
    rear_bumper = 60.0 - (scenario.vehicle.length / 2 - scenario.vehicle.rear_axle_to_center)
    gap = rear_bumper - (last.pose[0, 0] + scenario.agents.size[0, 0] / 2)
    assert np.hypot(*last.velocity[0]) < 0.1
    assert 0.0 < gap < 12.0


def test_it_stops_at_a_red_light_and_goes_on_at_a_green_one():
    def drive(light):
        lights = TrafficLights(("lane_0",), np.full((1, FRAMES), light, np.int8), np.array([[70.0, 0.0]]))
        scenario = scenario_of(moving(0.0, 0.0, 8.0), lights=lights)
        states = run_traffic(PdmClosedTraffic(scenario), scenario, 150, parked_ego(0.0, 50.0))
        return states[-1].agents, scenario.agents.size[0, 0] / 2

    held, half = drive(LightState.RED)
    freed, _ = drive(LightState.GREEN)
    assert 60.0 < held.pose[0, 0] + half < 70.5
    assert np.hypot(*held.velocity[0]) < 0.1
    assert freed.pose[0, 0] > 75.0


def test_the_order_of_the_file_does_not_matter():
    scenario = make_meeting(make_crossing(), [(f"{arm}_in", 45.0, 7.0) for arm in ARMS])
    check_order(scenario, 15, PdmClosedTraffic)


def test_another_rate_is_refused():
    scenario = replace(scenario_of(moving(0.0, 0.0, 8.0)), dt=0.5)
    with pytest.raises(ConfigError, match=r"0.5 s, expected 0.1 s"):
        PdmClosedTraffic(scenario)
