"""Traffic that meets: nobody collides, nobody waits for ever, and those go first who should."""

from dataclasses import replace

import numpy as np
import pytest

from simengine.agents.traffic import IdmTraffic
from simengine.datatypes.lights import LightState, TrafficLights
from traffic_factories import (
    ARMS,
    Roads,
    make_crossing,
    make_meeting,
    make_roundabout,
    overlapping_pairs,
    poses,
    run_traffic,
    speeds,
)

STRAIGHT = [("east", "west"), ("west", "east"), ("north", "south"), ("south", "north")]


def meet(vector_map, starts, steps=400, ego_at=None, **changes):
    scenario = make_meeting(vector_map, starts, **changes)
    states = run_traffic(IdmTraffic(scenario), scenario, steps, ego_at)
    assert not overlapping_pairs(scenario, states)
    return states


def passing_times(states, radius=4.0):
    """Return the step (A,) at which each agent is nearest to the origin; it must have come by."""
    distance = np.hypot(*poses(states)[:, :, :2].transpose(2, 0, 1))
    assert (distance.min(axis=0) < radius).all()
    assert (distance[-1] > 40.0).all()
    return distance.argmin(axis=0)


@pytest.mark.parametrize("stops", [(), tuple(ARMS)])
def test_four_cars_at_once_all_get_through_one_by_one(stops):
    states = meet(make_crossing(STRAIGHT, stops), [(f"{arm}_in", 50.0, 8.0) for arm in ARMS])
    times = np.sort(passing_times(states))
    # Somebody has to be first: crossing at 12 m/s takes a car 1 s.
    assert (np.diff(times) >= 5).all()
    assert times[-1] < 250


def test_four_way_stop_is_stopped_at():
    states = meet(make_crossing(STRAIGHT, ARMS), [(f"{arm}_in", 50.0, 8.0) for arm in ARMS])
    assert (speeds(states)[:150].min(axis=0) < 0.3).all()


def test_who_stops_first_goes_first():
    # South has 15 m less to go; the others would go before by the near-side rule.
    starts = [("south_in", 65.0, 5.0), ("east_in", 50.0, 5.0)]
    states = meet(make_crossing([("south", "north"), ("east", "west")], ARMS), starts)
    times = passing_times(states)
    assert times[0] < times[1]


def test_minor_road_stops_and_waits_for_the_major_one():
    vector_map = make_crossing([("south", "north"), ("east", "west")], ["south"])
    starts = [("south_in", 60.0, 6.0), ("east_in", 60.0, 8.0), ("east_in", 40.0, 8.0), ("east_in", 20.0, 8.0)]
    states = meet(vector_map, starts)
    times = passing_times(states)
    assert times[0] > times[1:].max()
    assert speeds(states)[:, 1:].min() > 4.0


def test_unprotected_left_turn_waits_for_oncoming_traffic():
    vector_map = make_crossing([("south", "west"), ("north", "south")])
    starts = [("south_in", 55.0, 8.0), ("north_in", 50.0, 8.0), ("north_in", 35.0, 8.0)]
    states = meet(vector_map, starts)
    distance = np.hypot(*(poses(states)[:, 0, :2] - [-20.0, 1.8]).T)
    crossed = poses(states)[:, 1:, 1] < -5.0
    assert distance.argmin() > np.argmax(crossed.all(axis=1))
    assert speeds(states)[:, 1:].min() > 5.0


def test_a_gap_that_is_long_enough_is_taken():
    # The oncoming car is 90 m away at 8 m/s: some 9 s, while the turn takes 5.
    vector_map = make_crossing([("south", "west"), ("north", "south")])
    states = meet(vector_map, [("south_in", 65.0, 6.0), ("north_in", 5.0, 8.0)])
    assert speeds(states)[:80, 0].min() > 2.0
    turned = np.argmax(poses(states)[:, 0, 0] < -10.0)
    assert poses(states)[turned, 1, 1] > 12.0


def test_near_side_goes_first_in_either_sort_of_country():
    for side, winner in ((1.0, 1), (-1.0, 0)):
        vector_map = make_crossing([("south", "north"), ("east", "west")], side=side)
        times = passing_times(meet(vector_map, [("south_in", 50.0, 8.0), ("east_in", 50.0, 8.0)]))
        assert times[winner] < times[1 - winner]


def test_ramp_gives_way_without_stopping_the_road():
    roads = Roads()
    x = np.arange(-120.0, 1.0, 4.0)
    roads.lane("road", np.column_stack([x, np.zeros_like(x)]), limit=14.0)
    s = np.arange(0.0, 121.0, 4.0)[::-1, None]
    roads.lane("ramp", np.array([-25.0, -4.0]) - s * [np.cos(0.15), np.sin(0.15)], limit=14.0)
    roads.lane("on", np.column_stack([np.arange(40.0, 241.0, 4.0), np.zeros(51)]), limit=14.0)
    roads.connect("road", "on", 14.0)
    roads.connect("ramp", "on", 14.0)
    # Two on the road 30 m apart; the one on the ramp would come between and a little late.
    starts = [("road", 60.0, 10.0), ("road", 30.0, 10.0), ("ramp", 38.0, 10.0)]
    states = meet(roads.build(), starts)
    assert speeds(states)[:, :2].min() > 8.0
    assert speeds(states)[:, 2].min() > 2.0
    order = np.argsort(-poses(states)[200, :, 0])
    assert order[0] == 0
    assert (poses(states)[200, :, 0] > 50.0).all()


def test_eight_cars_in_a_roundabout_all_get_out():
    scenario = make_meeting(make_roundabout(), [(f"{arm}_in", s, 6.0) for arm in ARMS for s in (60.0, 45.0)])
    traffic = IdmTraffic(scenario)
    states = run_traffic(traffic, scenario, 600)
    assert not overlapping_pairs(scenario, states)
    distance = np.hypot(*poses(states)[:, :, :2].transpose(2, 0, 1))
    assert (distance.min(axis=0) < 20.0).all()
    assert (distance[-1] > 45.0).all()


def test_who_is_in_the_roundabout_goes_first():
    vector_map = make_roundabout()
    starts = [("ring_west", 2.0, 5.0), ("south_in", 60.0, 7.0)]
    scenario = make_meeting(vector_map, starts, names=["in", "out"], logged=20)
    states = run_traffic(IdmTraffic(scenario), scenario, 120)
    assert not overlapping_pairs(scenario, states)
    assert speeds(states)[:60, 0].min() > 3.0


def test_red_light_takes_the_claim_from_who_has_to_stop():
    # The near-side car is held by its light, so nobody waits for it.
    vector_map = make_crossing([("south", "north"), ("east", "west")])
    light = TrafficLights(
        ("east_in>west_out",), np.full((1, 200), LightState.RED, np.int8), np.array([[14.0, 1.8]])
    )
    states = meet(vector_map, [("south_in", 50.0, 8.0), ("east_in", 60.0, 8.0)], lights=light)
    assert speeds(states)[:, 0].min() > 7.0
    assert speeds(states)[-1, 1] < 0.1
    assert poses(states)[-1, 1, 0] > 14.0


def test_green_light_with_oncoming_traffic_is_no_protected_turn():
    vector_map = make_crossing([("south", "west"), ("north", "south")])
    light = TrafficLights(
        ("south_in>west_out", "north_in>south_out"),
        np.full((2, 200), LightState.GREEN, np.int8),
        np.full((2, 2), np.nan),
    )
    states = meet(vector_map, [("south_in", 55.0, 8.0), ("north_in", 50.0, 8.0)], lights=light)
    assert speeds(states)[:, 1].min() > 6.0
    assert speeds(states)[:, 0].min() < 4.0


def on_route(x, y, yaw, speed):
    def ego(frame):
        state = np.zeros(11)
        state[:4] = (
            x + speed * 0.1 * (frame - 15) * np.cos(yaw),
            y + speed * 0.1 * (frame - 15) * np.sin(yaw),
            yaw,
            speed,
        )
        return state

    return ego


def test_turning_agents_wait_for_the_ego_too():
    vector_map = make_crossing([("south", "west"), ("north", "south")])
    ego_at = on_route(-1.8, 48.0, -0.5 * np.pi, 8.0)
    scenario = make_meeting(vector_map, [("south_in", 55.0, 8.0)])
    pose = np.stack([ego_at(frame)[:3] for frame in range(scenario.num_frames)])
    ego = replace(scenario.ego, pose=pose, velocity=np.tile([8.0, 0.0], (scenario.num_frames, 1)))
    scenario = replace(scenario, ego=ego)
    states = run_traffic(IdmTraffic(scenario), scenario, 110)
    assert not overlapping_pairs(scenario, states)
    moving = np.array([state.ego[1] for state in states]) > -6.0
    assert (poses(states)[moving, 0, 0] > -2.0).all()
    # An ego that stands before the crossing for good is not waited for.
    parked = replace(scenario, ego=replace(ego, velocity=np.zeros_like(ego.velocity)))
    states = run_traffic(IdmTraffic(scenario), parked, 200, on_route(-1.8, 22.0, -0.5 * np.pi, 0.0))
    assert poses(states)[-1, 0, 0] < -20.0


def test_the_crossing_is_kept_clear_of_a_queue():
    # The west exit is blocked 16 m behind the crossing; two cars follow, a third wants to cross from the south.
    vector_map = make_crossing([("south", "north"), ("east", "west")], ["south"])
    starts = [("west_out", 2.0, 0.0), ("east_in", 66.0, 6.0), ("east_in", 50.0, 6.0), ("south_in", 45.0, 6.0)]
    scenario = make_meeting(vector_map, starts)
    valid = scenario.agents.valid.copy()
    valid[0] = True
    pose = scenario.agents.pose.copy()
    pose[0] = pose[0, 0]
    scenario = replace(scenario, agents=replace(scenario.agents, valid=valid, pose=pose))
    states = run_traffic(IdmTraffic(scenario), scenario, 400)
    assert not overlapping_pairs(scenario, states)
    assert poses(states)[-1, 3, 1] > 30.0


def random_meeting(seed):
    """Return up to a dozen vehicles, trucks among them, that can still stop before a random junction."""
    rng = np.random.default_rng(seed)
    kind = int(rng.integers(5))
    three = {k: ARMS[k] for k in ("east", "north", "west")}
    vector_map = [
        make_crossing,
        lambda: make_crossing(stops=ARMS),
        lambda: make_crossing(stops=["north", "south"], side=-1.0),
        lambda: make_roundabout(float(rng.uniform(14.0, 22.0)), float(rng.uniform(34.0, 40.0))),
        lambda: make_crossing(arms=three, stops=["north"] if rng.random() < 0.5 else []),
    ][kind]()
    starts, size = [], []
    for lane in (name for name in vector_map.lanes if name.endswith("_in")):
        speed, s = float(rng.uniform(2.0, 9.0)), 45.0 - float(rng.uniform(0.0, 20.0))
        while s > 8.0 and len(starts) < 12 and rng.random() < 0.85:
            length = float(rng.choice([4.5, 8.5, 11.0], p=[0.75, 0.15, 0.1]))
            starts.append((lane, s - 0.5 * length, speed))
            size.append((length, 1.9 if length < 6.0 else 2.4, 1.6))
            s -= length + float(rng.uniform(7.0, 20.0))
    scenario = make_meeting(vector_map, starts or [("east_in", 40.0, 6.0)], token=f"meeting_{seed}")
    if size:
        scenario = replace(scenario, agents=replace(scenario.agents, size=np.array(size)))
    return scenario


@pytest.mark.parametrize("seed", range(16))
def test_random_meetings_end_without_contact_or_standstill(seed):
    scenario = random_meeting(seed)
    states = run_traffic(IdmTraffic(scenario, seed=seed), scenario, 900)
    assert not overlapping_pairs(scenario, states)
    distance = np.hypot(*poses(states)[-1, :, :2].T)
    assert (distance > 60.0).all()
