"""Traffic of the published loop: its formulas by hand, its comings and goings, and a second writing of it."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_straight_map, make_tracks, shared_data
from oracles.worldengine_traffic import PublishedTraffic
from simengine.agents.traffic import LogReplay
from simengine.agents.worldengine.navigation import LaneBook
from simengine.agents.worldengine.point_lane import PointLane
from simengine.agents.worldengine.published_idm import acceleration, travelled
from simengine.agents.worldengine.traffic import WorldEngineTraffic, is_dynamic
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.map import VectorMap
from simengine.errors import ConfigError
from simengine.geometry import se2
from simengine.scenario.convert import convert
from simengine.scenario.resample import resample
from simengine.scenario.splits import load_index
from traffic_factories import make_crossing, run_traffic

FRAMES = 24
T = 0.5 * np.arange(FRAMES)


def moving(x0, y, speed, yaw=0.0):
    return np.column_stack([x0 + speed * T * np.cos(yaw), y + speed * T * np.sin(yaw), np.full(FRAMES, yaw)])


def scenario_of(*tracks, types=None, vector_map=None, ego_at=-40.0):
    made = make_tracks(np.stack(tracks), dt=0.5)
    if types is not None:
        made = replace(made, types=np.array(types, np.int8))
    scenario = make_scenario(
        frames=FRAMES, dt=0.5, speed=0.0, agents=made, map=vector_map or make_straight_map(600.0)
    )
    ego = np.tile([ego_at, 0.0, 0.0], (FRAMES, 1))
    return replace(scenario, ego=replace(scenario.ego, pose=ego), initial_frame=3)


# --- the driver model


def test_free_road():
    # 10 m/s = 36 km/h: the free term is 2.5 (1 - 1) and being too fast takes off 2.5 * 1/35.
    assert acceleration(10.0, None) == pytest.approx(-2.5 / 35.0)
    # 5 m/s = 18 km/h: 2.5 (1 - (18/35)^4) = 2.5 * 0.930045.
    assert acceleration(5.0, None) == pytest.approx(2.5 * (1.0 - (18.0 / 35.0) ** 4))
    assert acceleration(0.0, None) == 2.5


def test_gap_mixes_metres_and_kilometres_per_hour():
    # 8 m/s = 28.8 km/h behind an equally fast one: 10 + 1.5 * 28.8 = 53.2 m wanted.
    v = 28.8
    free = 2.5 * (1.0 - (v / 35.0) ** 4)
    assert acceleration(8.0, 53.2, 8.0) == pytest.approx(free - 2.5)
    assert acceleration(8.0, 40.0, 8.0) == pytest.approx(max(free - 2.5 * (53.2 / 40.0) ** 2, -2.5)) == -2.5
    # 3 m/s behind a car at 5 m/s, 20 m: 10 + max(0, 16.2 + 10.8 (10.8 - 18) / 5) = 10 + 0.648.
    assert acceleration(3.0, 20.0, 5.0) == pytest.approx(
        2.5 * (1.0 - (10.8 / 35.0) ** 4) - 2.5 * (10.648 / 20.0) ** 2
    )


def test_who_stands_close_behind_another_stays():
    assert acceleration(0.002, 10.4, 0.0) == 0.0
    assert acceleration(0.002, 10.6, 0.0) > 0.0
    # Without a lead the distance counts as 15 m.
    assert acceleration(0.0, None) == 2.5


def test_braking_at_low_speed_moves_backwards():
    # 0.5 m/s and -2.5 m/s^2: 0.25 - 0.3125 m after half a second.
    assert travelled(0.5, -2.5)[1] == pytest.approx(-0.0625)
    assert travelled(10.0, 0.0).tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]


# --- lanes


def test_lane_pieces_are_a_metre_long_or_longer():
    lane = PointLane.from_points(
        np.array([[0.0, 0.0], [0.4, 0.0], [1.0, 0.0], [1.5, 0.0], [3.0, 0.0], [3.9, 0.0]])
    )
    assert lane.start[:, 0].tolist() == [0.0, 1.0]
    assert lane.length == 3.0
    assert PointLane.from_points(np.zeros((3, 2))) is None


def test_lane_coordinates_are_positive_to_the_right_and_have_no_ends():
    lane = PointLane.from_points(np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]]))
    along, right = lane.coordinates(np.array([[4.0, -1.0], [-2.0, 1.0], [12.0, 5.0], [9.0, 14.0]]))
    assert along == pytest.approx([4.0, -2.0, 15.0, 24.0])
    assert right == pytest.approx([1.0, -1.0, 2.0, -1.0])
    assert lane.distance(np.array([[-2.0, 1.0], [9.0, 14.0]])) == pytest.approx([3.0, 5.0])
    assert lane.poses(np.array([15.0, 22.0]), 2.0) == pytest.approx(
        np.array([[12.0, 5.0, 0.5 * np.pi], [12.0, 12.0, 0.5 * np.pi]])
    )


def test_agents_leave_their_track_at_nine_tenths_and_take_first_exits():
    vector_map = make_crossing([("south", "west"), ("south", "north")])
    track = np.column_stack([np.full(30, 1.8), np.linspace(-60.0, -30.0, 30)])
    itinerary = LaneBook(vector_map).itinerary(track)
    assert len(itinerary.lanes) == 4
    own, inbound, turn, out = itinerary.lanes
    assert itinerary.lane_at(np.array([1.8, -34.0])) is own
    assert itinerary.lane_at(np.array([1.8, -32.0])) is inbound
    # The first exit of the lane is the left turn.
    assert turn.way[-1] == pytest.approx([-1.0, 0.0], abs=0.05)
    assert itinerary.lane_at(np.array([0.0, 0.0])) is turn
    assert itinerary.lane_at(np.array([-50.0, 1.8])) is out
    assert itinerary.lane_at(np.array([-500.0, 1.8])) is out


def test_without_a_map_the_track_goes_on():
    itinerary = LaneBook(VectorMap()).itinerary(np.array([[0.0, 0.0], [20.0, 0.0]]))
    assert itinerary.lane_at(np.array([90.0, 0.0])) is itinerary.lanes[0]


# --- who is there


def test_spread_decides_who_is_dynamic():
    # Uniform motion over 24 frames has a standard deviation of 0.5 v sqrt((24^2 - 1) / 12) = 3.461 v.
    scenario = scenario_of(moving(0, 0, 0.86), moving(0, 3, 0.87), moving(0, 6, 0.87, 0.5 * np.pi))
    assert is_dynamic(scenario.agents).tolist() == [False, True, True]
    cyclist = replace(scenario.agents, types=np.full(3, int(AgentType.CYCLIST), np.int8))
    assert not is_dynamic(cyclist).any()


def test_people_and_signs_are_never_created():
    kinds = [AgentType.PEDESTRIAN, AgentType.CYCLIST, AgentType.CZONE_SIGN, AgentType.TRAFFIC_CONE]
    scenario = scenario_of(*(moving(10.0 * k, 9.0, 1.0) for k in range(4)), types=[int(k) for k in kinds])
    for state in run_traffic(WorldEngineTraffic(scenario), scenario, 10)[1:]:
        assert state.agents.present.tolist() == [False, False, False, True]


def with_valid(scenario, row, frames):
    valid = scenario.agents.valid.copy()
    valid[row] = np.isin(np.arange(FRAMES), frames)
    return replace(scenario, agents=replace(scenario.agents, valid=valid))


def test_replayed_agents_come_and_go_with_their_stretches():
    scenario = with_valid(scenario_of(moving(0, 0, 5.0)), 0, [3, 4, 7, 8, 9])
    states = run_traffic(LogReplay(scenario), scenario, 10)
    assert [state.frame for state in states if state.agents.present[0]] == [3, 4, 7, 8, 9]


def test_moving_agents_come_on_top_of_others_and_stay_for_ever():
    scenario = with_valid(scenario_of(moving(30, 0, 5.0), moving(100, 0, 0.0)), 0, [6, 7, 8, 9, 10, 11, 12])
    scenario = with_valid(scenario, 1, [3, 4, 5])
    states = run_traffic(WorldEngineTraffic(scenario), scenario, 20)
    assert [state.frame for state in states if state.agents.present[0]] == list(range(6, 24))
    assert [state.frame for state in states if state.agents.present[1]] == [3, 4, 5]
    at = {state.frame: state.agents for state in states}
    assert np.array_equal(at[6].pose[0], scenario.agents.pose[0, 6])
    assert at[23].pose[0, 0] > at[22].pose[0, 0] > at[13].pose[0, 0]


# --- a step


def test_one_step_by_hand():
    # 6 m/s = 21.6 km/h behind one at 4 m/s = 14.4 km/h, 60 m: d* = 10 + 32.4 + 21.6 * 7.2 / 5 = 73.504.
    scenario = scenario_of(moving(0, 0, 6.0), moving(63.0, 0, 4.0))
    state = run_traffic(WorldEngineTraffic(scenario), scenario, 0)[0]
    x = state.agents.pose[:, 0]
    gap = x[1] - x[0]
    assert gap == pytest.approx(60.0)
    a = 2.5 * (1 - (21.6 / 35) ** 4) - 2.5 * (73.504 / 60.0) ** 2
    after = WorldEngineTraffic(scenario).step(state)
    assert after.pose[0] == pytest.approx([x[0] + 3.0 + 0.125 * a, 0.0, 0.0])
    # The speed kept is that of the interval after: v + 0.75 a.
    assert after.velocity[0] == pytest.approx([6.0 + 0.75 * a, 0.0])


def test_all_decide_from_the_same_state():
    scenario = scenario_of(moving(0, 0, 6.0), moving(30.0, 0, 4.0), moving(60.0, 0, 5.0))
    log, order = scenario.agents, np.array([2, 0, 1])
    other = replace(
        scenario,
        agents=AgentTracks(
            tuple(log.ids[i] for i in order),
            log.types[order],
            log.pose[order],
            log.velocity[order],
            log.size[order],
            log.valid[order],
        ),
    )
    one, two = (run_traffic(WorldEngineTraffic(s), s, 20) for s in (scenario, other))
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.agents.pose[order], b.agents.pose)
        assert np.array_equal(a.agents.velocity[order], b.agents.velocity)


def test_forecast_is_what_steps_make_of_it():
    scenario = scenario_of(moving(0, 0, 6.0), moving(30.0, 0, 4.0))
    traffic = WorldEngineTraffic(scenario)
    states = run_traffic(traffic, scenario, 8)
    future = traffic.forecast(states[0], 8)
    for k, state in enumerate(states):
        assert np.array_equal(future.pose[:, k], state.agents.pose)
        assert np.array_equal(future.present[:, k], state.agents.present)


def test_another_rate_is_refused():
    scenario = make_scenario()
    with pytest.raises(ConfigError, match="time step of 0.1 s, expected 0.5 s"):
        WorldEngineTraffic(scenario)


def agree(scenario, steps):
    """Compare the model with its second writing, frame by frame."""
    traffic = WorldEngineTraffic(scenario)
    states = run_traffic(traffic, scenario, steps)
    twin = PublishedTraffic(scenario, scenario.initial_frame, None)
    shown = np.isin(scenario.agents.types, [int(AgentType.VEHICLE), 3, 4, 6])
    worst = 0.0
    for before, after in itertools.pairwise(states):
        ego = se2.shift_forward(before.ego[:3], scenario.vehicle.rear_axle_to_center)
        twin.step(*ego, math.hypot(before.ego[StateIndex.VELOCITY_X], before.ego[StateIndex.VELOCITY_Y]))
        assert set(np.flatnonzero(after.agents.present)) == set(twin.agents)
        for row, agent in twin.agents.items():
            assert shown[row]
            worst = max(worst, np.hypot(*(after.agents.pose[row, :2] - [agent.x, agent.y])))
            assert abs(math.remainder(after.agents.pose[row, 2] - agent.heading, math.tau)) < 1e-7
            assert after.agents.velocity[row] == pytest.approx(agent.velocity, abs=1e-7)
    assert worst < 1e-7


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_its_second_writing(seed):
    rng = np.random.default_rng(seed)
    vector_map = make_crossing([("south", "west"), ("south", "north"), ("east", "west"), ("north", "east")])
    tracks = []
    for _ in range(12):
        lane = vector_map.lanes[str(rng.choice(["south_in", "east_in", "north_in"]))]
        s0, speed = rng.uniform(0.0, 50.0), rng.choice([0.0, rng.uniform(0.5, 4.0)])
        at = PointLane.from_points(lane.centerline).poses(s0 + speed * T, float(rng.uniform(-0.8, 0.8)))
        tracks.append(at)
    scenario = scenario_of(*tracks, vector_map=vector_map, ego_at=-300.0)
    valid = rng.random((12, FRAMES)) < 0.85
    scenario = replace(scenario, agents=replace(scenario.agents, valid=valid))
    agree(scenario, 40)


@pytest.mark.slow
def test_agrees_with_its_second_writing_on_real_logs(tmp_path):
    convert(shared_data("data"), tmp_path / "real")
    for handle in load_index(tmp_path / "real").handles():
        scenario = resample(handle.load(), 0.5)
        agree(scenario, min(scenario.num_frames - 1 - scenario.initial_frame, 12))
