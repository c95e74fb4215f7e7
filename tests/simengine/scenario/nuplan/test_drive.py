"""Scenarios from nuPlan in the closed loop: drivable area, direction and route count as in NAVSIM."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metrics_factories import make_record as record_of
from nuplan_factories import ORIGIN, town, write_map
from nuplan_log_factories import NAME, drive, sweep_token, write_db, write_filter
from simengine.agents.simple import LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.dynamics.tracking import LqrTracking, PerfectTracking
from simengine.map.route import route_centerline, route_lanes
from simengine.metrics.episode import score_record
from simengine.metrics.pdm.from_scenario import logged_states
from simengine.scenario.nuplan.convert import convert_nuplan
from simengine.scenario.nuplan.options import NuplanOptions
from simengine.scenario.resample import resample
from simengine.scenario.scenario import Scenario
from simengine.scenario.splits import load_index
from simengine.sim.loop import Simulation
from simengine.sim.protocol import Protocol
from simengine.sim.record import make_record


@pytest.fixture(scope="module", params=[10, 2])
def scenario(request, tmp_path_factory) -> Scenario:
    """The drive through the town at 2 Hz and at 10 Hz; the first decision is at x = -56."""
    root: Path = tmp_path_factory.mktemp("town")
    write_map(root / "maps", town())
    write_db(root / "dbs" / f"{NAME}.db", drive())
    rule = write_filter(root / "f.yaml", tokens=[sweep_token(60)])
    options = NuplanOptions(root / "dbs", root / "maps", filters=(rule,), sample_interval=request.param)
    convert_nuplan(options, root / "out", progress=False)
    return load_index(root / "out").handles()[0].load()


def placed(scenario: Scenario, x: float, y: float, yaw: float = 0.0) -> np.ndarray:
    """Return the logged ego (41, 11) at 10 Hz moved to start at (x, y) of the town."""
    states = logged_states(scenario, scenario.initial_frame, 0.1 * np.arange(41))
    start = states[0, :3].copy()
    offset = states[:, :2] - start[:2]
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    states[:, :2] = offset @ turn.T + np.array([x, y]) + ORIGIN - scenario.global_from_world
    states[:, 2] = yaw
    return states


def score(scenario: Scenario, states: np.ndarray):
    fine = resample(scenario, 0.1)
    later = slice(fine.initial_frame, fine.initial_frame + 51)
    agents = replace(
        fine.agents,
        **{name: getattr(fine.agents, name)[:, later] for name in ("pose", "velocity", "valid")},
    )
    return score_record(record_of(fine, states, agents), fine)


@pytest.mark.parametrize("tracker", [PerfectTracking(), LqrTracking()])
def test_log_replay_scores_one(scenario, tracker):
    simulation = Simulation(Protocol(), tracker, LogReplay)
    state = simulation.reset(scenario)
    policy = LogReplayPolicy(simulation.episode.scenario)
    plans, commands = [], []
    for index in range(simulation.protocol.num_decisions):
        seen = simulation.observe(state)
        plans.append(policy.plan(seen, state))
        commands.append(int(seen.command_history[-1]))
        last = index == simulation.protocol.num_decisions - 1
        state = simulation.finish(state, plans[-1]) if last else simulation.step(state, plans[-1])
    assert commands == [1] * 8  # Straight on, as the route says.
    fine = resample(scenario, 0.1)
    result = score_record(make_record(state, fine, Protocol(), plans, commands, "NR", 0), fine)
    assert result.no_at_fault_collisions == result.drivable_area_compliance == 1.0
    assert result.driving_direction_compliance == result.time_to_collision_within_bound == 1.0
    assert result.ego_progress == pytest.approx(1.0, abs=0.02)
    assert result.success


def test_the_route_is_a_line_through_the_crossing(scenario):
    assert set(route_lanes(scenario.map, scenario.route)) == {"101", "102", "501", "502", "201", "202"}
    line = route_centerline(scenario.map, scenario.route, scenario.ego.pose[scenario.initial_frame])
    xy = line + scenario.global_from_world - ORIGIN
    np.testing.assert_allclose(xy[:, 1], -1.75, atol=1e-6)
    np.testing.assert_allclose([xy[0, 0], xy[-1, 0]], [-120, 180], atol=1e-6)


def test_the_edge_of_the_road_is_that_of_the_roadblock(scenario):
    # The road ends at y = -3.5; half the car is 1.1485 m.
    assert score(scenario, placed(scenario, -110.0, -2.30)).drivable_area_compliance == 1.0
    assert score(scenario, placed(scenario, -110.0, -2.40)).drivable_area_compliance == 0.0


def test_a_junction_carries_the_ego_and_a_connector_alone_does_not(scenario):
    # South-west corner of the junction, off every lane and connector.
    parked = placed(scenario, -14.0, -12.0)
    parked[:, :2] = parked[0, :2]
    assert score(scenario, parked).drivable_area_compliance == 1.0
    parked[:, 1] -= 10.0
    assert score(scenario, parked).drivable_area_compliance == 0.0


def test_car_parks_are_drivable_and_generic_areas_are_not(scenario):
    parked = placed(scenario, 68.0, 8.0)
    parked[:, :2] = parked[0, :2]
    assert score(scenario, parked).drivable_area_compliance == 1.0
    parked[:, 0] += 40.0
    assert score(scenario, parked).drivable_area_compliance == 0.0


def test_lanes_off_the_route_count_as_the_wrong_way(scenario):
    # Northbound on the north arm: inside a roadblock, on no lane of the route.
    away = score(scenario, placed(scenario, 0.0, 30.0, np.pi / 2))
    assert away.drivable_area_compliance == 1.0
    assert away.driving_direction_compliance == 0.0
    assert score(scenario, placed(scenario, -110.0, -1.75)).driving_direction_compliance == 1.0


def test_the_leading_car_can_be_hit(scenario):
    fast = placed(scenario, -56.0, -1.75)
    fast[:, 0] = fast[0, 0] + 16.0 * 0.1 * np.arange(41)  # Eight metres per second faster than the car.
    fast[:, 3] = 16.0
    result = score(scenario, fast)
    assert result.no_at_fault_collisions == 0.0
    assert "vehicle" in result.blame
