"""People on foot and on bicycles: replayed until a vehicle blocks their way, then later by as much."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import make_scenario, make_straight_map, make_tracks
from simengine.agents.traffic import IdmTraffic, LogReplay
from simengine.agents.walkers import at_moment, moments
from simengine.datatypes.agents import AgentTracks
from traffic_factories import CYCLIST, PEDESTRIAN, VEHICLE, first_state, overlapping_pairs, poses, run_traffic

FRAMES = 200
T = np.arange(FRAMES) * 0.1


def crossing_walk(speed=1.3, start=-6.0, x=40.0, depart=0.0):
    y = start + speed * np.maximum(T - depart, 0.0)
    return np.column_stack([np.full(FRAMES, x), y, np.full(FRAMES, 0.5 * np.pi)])


def standing(x, y, yaw=0.0):
    return np.tile([x, y, yaw], (FRAMES, 1))


def scenario_of(*actors, **changes):
    """Return a scenario of (kind, poses) pairs; the ego stands far behind."""
    made = [make_tracks(pose[None], kind=kind) for kind, pose in actors]
    tracks = AgentTracks(
        tuple(f"{kind.name.lower()}_{k}" for k, (kind, _) in enumerate(actors)),
        np.concatenate([one.types for one in made]),
        *(
            np.concatenate([getattr(one, name) for one in made])
            for name in ("pose", "velocity", "size", "valid")
        ),
    )
    scenario = make_scenario(frames=FRAMES, speed=0.0, agents=tracks, map=make_straight_map(300.0), **changes)
    ego = np.tile([-45.0, 0.0, 0.0], (FRAMES, 1))
    return replace(scenario, ego=replace(scenario.ego, pose=ego))


def ego_standing(x, y, until=10**9):
    def ego(frame):
        state = np.zeros(11)
        state[:2] = (x, y) if frame < until else (-45.0, 0.0)
        return state

    return ego


def run(scenario, steps, ego_at=None, model=IdmTraffic):
    return run_traffic(model(scenario), scenario, steps, ego_at)


def test_without_vehicles_the_log_is_repeated_to_the_bit():
    walk, ride = crossing_walk(), np.column_stack([5.0 * T, np.full(FRAMES, 6.0), np.zeros(FRAMES)])
    scenario = scenario_of((PEDESTRIAN, walk), (CYCLIST, ride))
    for state in run(scenario, 150):
        assert np.array_equal(state.agents.pose, scenario.agents.pose[:, state.frame])
        assert np.array_equal(state.agents.velocity, scenario.agents.velocity[:, state.frame])


def test_a_pedestrian_stops_for_a_standing_ego_and_goes_on_later():
    scenario = scenario_of((PEDESTRIAN, crossing_walk()))
    # The ego's box spans y from -1.15 to 1.15 at x = 40: from frame 15 to 90.
    states = run(scenario, 170, ego_standing(38.5, 0.0, until=90))
    y = poses(states)[:, 0, 1]
    assert y[:75].max() < -1.1485 - 0.3
    assert y[:75].max() > -1.1485 - 0.3 - 1.0
    assert not overlapping_pairs(scenario, states)
    # It walks its own way: on its log, only later.
    late = states[-1].frame * 0.1 - (y[-1] + 6.0) / 1.3
    assert 4.5 < late < 9.0
    assert y[-1] > 5.0
    assert np.diff(y[-20:]) == pytest.approx(0.13)


def test_in_replay_nobody_stops_and_the_ego_can_be_walked_into():
    scenario = scenario_of((PEDESTRIAN, crossing_walk()))
    states = run(scenario, 100, ego_standing(38.5, 0.0), LogReplay)
    assert (0, 1) in overlapping_pairs(scenario, states)


def test_pedestrians_can_be_hit():
    # The ego comes at 10 m/s while the pedestrian is before it; a box is not in the way before it is there.
    scenario = scenario_of((PEDESTRIAN, crossing_walk()))

    def ego(frame):
        state = np.zeros(11)
        state[:4] = 40.0 - 1.5 - 4.0 + 10.0 * 0.1 * (frame - 46), 0.0, 0.0, 10.0
        return state

    assert (0, 1) in overlapping_pairs(scenario, run(scenario, 60, ego))


def test_a_cyclist_brakes_for_a_standing_car_and_does_not_reverse():
    # 5 m/s behind a parked car that the log does not know of: the ego.
    ride = np.column_stack([5.0 * T, np.zeros(FRAMES), np.zeros(FRAMES)])
    scenario = scenario_of((CYCLIST, ride))
    states = run(scenario, 150, ego_standing(60.0, 0.0))
    x = poses(states)[:, 0, 0]
    assert (np.diff(x) >= -1e-9).all()
    # Half a bicycle of 1.8 m before the rear bumper, 1.127 m behind the axle; 0.4 m and a look-ahead of frames apart.
    assert 60.0 - 1.127 - 0.9 - 1.2 < x[-1] < 60.0 - 1.127 - 0.9 - 0.2
    assert np.abs(np.diff(x, 2)).max() / 0.01 < 6.5


def test_a_cyclist_follows_a_moving_car_without_stopping():
    ride = np.column_stack([5.0 * T, np.zeros(FRAMES), np.zeros(FRAMES)])
    scenario = scenario_of((CYCLIST, ride))

    def ego(frame):
        state = np.zeros(11)
        state[:4] = 5.0 * 0.1 * frame + 4.0, 0.0, 0.0, 5.0
        return state

    states = run(scenario, 100, ego)
    assert np.array_equal(poses(states)[:, 0], scenario.agents.pose[0, 15:116])


def test_vehicles_where_the_log_has_them_block_nobody():
    # The log passes a parked car at a hand's breadth.
    scenario = scenario_of((PEDESTRIAN, crossing_walk(start=-9.0)), (VEHICLE, standing(37.35, 0.0)))
    for state in run(scenario, 150):
        assert np.array_equal(state.agents.pose[0], scenario.agents.pose[0, state.frame])


def test_scripted_walkers_stop_for_standing_vehicles_only():
    def crawling(frame):
        state = np.zeros(11)
        state[:4] = 38.5 + 0.05 * (frame - 50), 0.0, 0.0, 0.5
        return state

    scenario = scenario_of((PEDESTRIAN, crossing_walk()), tags={"scripted": ["pedestrian_0"]})
    states = run(scenario, 100, crawling)
    assert np.array_equal(poses(states)[:, 0], scenario.agents.pose[0, 15:116])
    states = run(scenario, 100, ego_standing(38.5, 0.0))
    assert poses(states)[-1, 0, 1] < -1.1485


def test_time_that_the_log_stands_makes_up_for_a_delay():
    # Walks 4 m, stands for 8 s, walks on: 3 s of delay on the first leg are gone after the stand.
    y = np.interp(T, [0.0, 4.0, 12.0, 20.0], [-6.0, -2.0, -2.0, 6.0])
    walk = np.column_stack([np.full(FRAMES, 40.0), y, np.full(FRAMES, 0.5 * np.pi)])
    scenario = scenario_of((PEDESTRIAN, walk))
    states = run(scenario, 150, ego_standing(38.5, -2.0, until=60))
    assert states[30].agents.pose[0, 1] < -3.4
    assert np.array_equal(states[-1].agents.pose, scenario.agents.pose[:, states[-1].frame])


def test_a_delayed_walker_stays_until_its_own_log_has_ended():
    scenario = scenario_of((PEDESTRIAN, crossing_walk()))
    valid = scenario.agents.valid.copy()
    valid[0, 100:] = False
    scenario = replace(scenario, agents=replace(scenario.agents, valid=valid))
    states = run(scenario, 180, ego_standing(38.5, 0.0, until=90))
    present = np.array([state.agents.present[0] for state in states])
    last = states[int(np.flatnonzero(present)[-1])]
    assert last.frame > 120
    assert last.agents.pose[0] == pytest.approx(scenario.agents.pose[0, 99], abs=0.14)


def test_forecast_of_a_delayed_walker_goes_on_from_where_it_is():
    scenario = scenario_of((PEDESTRIAN, crossing_walk()))
    traffic = IdmTraffic(scenario)
    states = run_traffic(traffic, scenario, 80, ego_standing(38.5, 0.0))
    future = traffic.forecast(states[-1], 20)
    assert np.array_equal(future.pose[0, 0], states[-1].agents.pose[0])
    assert future.pose[0, 20, 1] - future.pose[0, 0, 1] == pytest.approx(20 * 0.13)
    assert future.present.all()
    in_step = traffic.forecast(first_state(scenario), 20)
    assert np.array_equal(in_step.pose[0], scenario.agents.pose[0, 15:36])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 60.0))
def test_a_place_tells_the_moment(seed, moment):
    """A walk that turns, stands and comes back: the moment found is one at which the log was there."""
    rng = np.random.default_rng(seed)
    speed = rng.choice([0.0, 0.8, 1.5], 70)
    yaw = np.cumsum(rng.normal(0.0, 0.3, 70))
    steps = 0.1 * speed[:, None] * np.column_stack([np.cos(yaw), np.sin(yaw)])
    pose = np.column_stack([np.cumsum(steps, axis=0), (yaw + np.pi) % (2 * np.pi) - np.pi])[None]
    valid = np.ones((1, 70), bool)
    here = np.array(at_moment(pose, valid, 0, moment)[:3])
    found = moments(pose, valid, 65, np.array([0]), here[None])[0]
    there = np.array(at_moment(pose, valid, 0, found)[:3])
    assert there[:2] == pytest.approx(here[:2], abs=2e-4)
    assert found <= 65
    # The latest such moment, so never an earlier one; up to the rounding of a place.
    assert found >= moment - 1e-3
