"""A step is a function of the state: the order in which agents are listed changes nothing, to the bit."""

import numpy as np
import pytest

from factories import shared_data
from simengine.agents.traffic import IdmTraffic, LogReplay
from simengine.scenario.convert import convert
from simengine.scenario.resample import resample
from simengine.scenario.splits import load_index
from simengine.world.generate import generate
from traffic_factories import (
    ARMS,
    check_order,
    first_state,
    make_crossing,
    make_meeting,
    make_roundabout,
    run_traffic,
)


@pytest.mark.parametrize("make", [make_crossing, make_roundabout, lambda: make_crossing(stops=ARMS)])
def test_meetings(make):
    starts = [(f"{arm}_in", s, v) for arm in ARMS for s, v in ((45.0, 7.0), (30.0, 7.0), (15.0, 7.0))]
    check_order(make_meeting(make(), starts), 250, IdmTraffic)


@pytest.mark.parametrize("index", [1, 4, 7, 12])
@pytest.mark.parametrize("model", [IdmTraffic, LogReplay])
def test_built_in_scenarios(index, model):
    scenario = generate("demo", index)
    check_order(scenario, 60, model, index)


def test_a_step_changes_nothing_it_was_given():
    scenario = make_meeting(make_crossing(), [(f"{arm}_in", 45.0, 7.0) for arm in ARMS])
    traffic, state = IdmTraffic(scenario), first_state(scenario)
    before = [array.copy() for array in (state.agents.pose, state.agents.velocity, state.ego)]
    first = traffic.step(state)
    run_traffic(traffic, scenario, 30)
    again = traffic.step(state)
    assert np.array_equal(first.pose, again.pose)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(before, (state.agents.pose, state.agents.velocity, state.ego), strict=True)
    )


def test_the_seed_decides_where_vehicles_go():
    starts = [(f"{arm}_in", 45.0, 7.0) for arm in ARMS]
    scenario = make_meeting(make_crossing(), starts)
    ends = {
        run_traffic(IdmTraffic(scenario, seed=seed), scenario, 150)[-1].agents.pose.tobytes()
        for seed in (0, 0, 1, 2)
    }
    assert len(ends) == 3


@pytest.fixture(scope="module")
def real_logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real") / "logs"
    convert(shared_data("data"), folder)
    return [resample(handle.load(), 0.1) for handle in load_index(folder).handles()]


@pytest.mark.slow
def test_real_logs(real_logs):
    for scenario in real_logs:
        left = scenario.num_frames - 1 - scenario.initial_frame
        check_order(scenario, min(left, 60), IdmTraffic)
