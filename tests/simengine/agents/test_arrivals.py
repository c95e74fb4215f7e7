"""Vehicles appear where their log appears, once that can be survived."""

from dataclasses import replace

import numpy as np
import pytest

from simengine.agents.roster import make_roster
from simengine.agents.traffic import IdmTraffic
from traffic_factories import Roads, make_meeting, overlapping_pairs, poses, run_traffic, speeds


def road():
    roads = Roads()
    x = np.arange(0.0, 401.0, 5.0)
    roads.lane("road", np.column_stack([x, np.zeros_like(x)]), limit=14.0)
    return roads.build()


def scenario_with_late(first, late, frame):
    """Return two vehicles on a road, (arc length, speed) at frame 0 each; the second is logged from `frame` on."""
    scenario = make_meeting(road(), [("road", *first), ("road", *late)], logged=200)
    valid = scenario.agents.valid.copy()
    valid[1, :frame] = False
    return replace(scenario, agents=replace(scenario.agents, valid=valid))


def appears(scenario, states):
    return next(state.frame for state in states if state.agents.present[1])


def test_a_fast_vehicle_does_not_appear_behind_a_standing_one():
    # In the log both do 12 m/s, 36 m apart; here the ego stands at 140 m, and the first has stopped behind it.
    scenario = scenario_with_late((60.0, 12.0), (24.0, 12.0), 80)

    def parked(frame):
        state = np.zeros(11)
        state[0] = 140.0
        return state

    states = run_traffic(IdmTraffic(scenario), scenario, 100, parked)
    assert not overlapping_pairs(scenario, states)
    at = {state.frame: state.agents for state in states}
    # It would have about 10 m to stop from 12 m/s.
    assert 130.0 < at[80].pose[0, 0] < 136.0
    assert scenario.agents.pose[1, 80, 0] == pytest.approx(120.0)
    assert appears(scenario, states) > 80


def test_nor_a_slow_one_before_a_fast_one():
    # In the log the first does 5 m/s and is far away; here it has sped up.
    scenario = scenario_with_late((20.0, 5.0), (66.0, 2.0), 60)
    valid = scenario.agents.valid.copy()
    valid[0, 100:] = False
    scenario = replace(scenario, agents=replace(scenario.agents, valid=valid))
    states = run_traffic(IdmTraffic(scenario), scenario, 80)
    assert not overlapping_pairs(scenario, states)
    at = {state.frame: state.agents for state in states}
    assert np.hypot(*at[60].velocity[0]) > 9.0
    assert 5.0 < scenario.agents.pose[1, 60, 0] - at[60].pose[0, 0] < 18.0
    assert appears(scenario, states) > 60


def test_with_room_it_appears_at_once():
    scenario = scenario_with_late((40.0, 10.0), (120.0, 9.0), 30)
    states = run_traffic(IdmTraffic(scenario), scenario, 80)
    assert appears(scenario, states) == 30
    assert speeds(states)[15, 1] > 8.9


def test_nobody_appears_right_before_the_ego():
    scenario = scenario_with_late((300.0, 5.0), (82.0, 2.0), 30)

    def ego(frame):
        state = np.zeros(11)
        state[:4] = 84.0 + 1.2 * (frame - 30) - 12.0, 0.0, 0.0, 12.0
        return state

    states = run_traffic(IdmTraffic(scenario), scenario, 60, ego)
    assert appears(scenario, states) > 30


def test_a_standing_vehicle_leaves_when_the_log_drives_through_it():
    vector_map = road()
    scenario = make_meeting(
        vector_map, [("road", 100.0, 0.0), ("road", 20.0, 8.0), ("road", 200.0, 0.0)], logged=200
    )
    valid = scenario.agents.valid.copy()
    valid[0, 60:], valid[2, 60:] = False, False
    scenario = replace(scenario, agents=replace(scenario.agents, valid=valid))
    gone = make_roster(scenario).gone
    # The second is at 20 + 0.8 f: past 100 m after frame 100; 200 m are not reached.
    assert gone[0] == 60
    assert gone[2] > 10_000
    states = run_traffic(IdmTraffic(scenario), scenario, 180)
    assert not states[-1].agents.present[0]
    assert states[-1].agents.present[2]
    assert poses(states)[-1, 1, 0] > 110.0


def test_waits_of_unknown_reason_are_kept():
    # Stands from 3 s to 9 s at 44 m with nobody before it, then goes on.
    vector_map = road()
    scenario = make_meeting(vector_map, [("road", 20.0, 8.0), ("road", 5.0, 8.0)], logged=200)
    t = np.arange(200) * 0.1
    s = np.interp(t, [0.0, 3.0, 9.0, 20.0], [20.0, 44.0, 44.0, 132.0])
    pose = scenario.agents.pose.copy()
    pose[0] = np.column_stack([s, np.zeros(200), np.zeros(200)])
    behind = np.interp(t, [0.0, 4.0, 10.0, 20.0], [5.0, 37.0, 37.0, 117.0])
    pose[1] = np.column_stack([behind, np.zeros(200), np.zeros(200)])
    velocity = np.gradient(pose[..., :2], 0.1, axis=1)
    scenario = replace(scenario, agents=replace(scenario.agents, pose=pose, velocity=velocity))
    roster = make_roster(scenario)
    # The second stands in a queue behind the first and needs no wait of its own.
    assert len(roster.waits.row) == 1
    assert roster.waits.until[0] < 9.1
    states = run_traffic(IdmTraffic(scenario), scenario, 150)
    at = {state.frame: state.agents for state in states}
    assert abs(at[80].pose[0, 0] - 44.0) < 2.0
    assert np.hypot(*at[80].velocity[0]) < 0.3
    assert at[150].pose[0, 0] > 70.0
