"""Events: staged at any difficulty, survivable for who knows, not for who does not look."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from simengine.datatypes.agents import AgentType
from simengine.geometry import boxes
from simengine.world.certificate import make_expert, make_naive, try_driver
from simengine.world.events import COMMON_EVENTS, RARE_EVENTS
from simengine.world.events.parameters import dial, settings
from simengine.world.generate import EARLIEST_HIT, attempt_scenario
from simengine.world.recipe import Recipe

RARE = tuple(RARE_EVENTS)
TRIES = 12


def certified(event, difficulty, rare=True):
    """Return the first admitted scenario of an event at exactly this difficulty."""
    for seed in range(TRIES):
        recipe = Recipe(event, rare, f"test/{event}/{seed}", difficulty, False)
        scenario = attempt_scenario(recipe, f"{event}_{seed}", 0)
        if scenario is not None:
            return scenario
    raise AssertionError(f"no admissible {event} at difficulty {difficulty} in {TRIES} tries")


def check(scenario):
    """The event happens to who keeps lane and speed, and not to who knows; told by drives of their own."""
    event, scripted = scenario.tags["event"], scenario.tags["scripted"]
    for traffic in ("NR", "R"):
        naive = try_driver(scenario, traffic, make_naive)
        assert not naive.success, (event, traffic)
        assert naive.whom in scripted
        assert EARLIEST_HIT <= naive.time <= 4.0
        assert try_driver(scenario, traffic, make_expert).success, (event, traffic)


@pytest.mark.parametrize("event", RARE)
def test_event_is_solvable_and_rare(event):
    scenario = certified(event, 0.5)
    assert scenario.tags["difficulty"] == 0.5
    assert scenario.tags["parameters"] == settings(RARE_EVENTS[event], 0.5)
    certificate = scenario.tags["certificate"]
    assert {v["success"] for v in certificate["expert"].values()} == {True}
    assert {v["success"] for v in certificate["naive"].values()} == {False}


@pytest.mark.slow
@pytest.mark.parametrize("difficulty", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("event", RARE)
def test_event_is_solvable_and_rare_at_any_difficulty(event, difficulty):
    check(certified(event, difficulty))


@pytest.mark.parametrize("event", ["cut_in", "unprotected_left"])
def test_certificate_is_what_the_drivers_do(event):
    check(certified(event, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("event", tuple(COMMON_EVENTS))
def test_expert_drives_every_common_event(event):
    scenario = certified(event, 0.5, rare=False)
    assert scenario.tags["certificate"]["expert"].keys() == {"NR", "R"}
    assert "naive" not in scenario.tags["certificate"]


def test_events_are_frozen_dataclasses_of_dials():
    for event in (*RARE_EVENTS.values(), *COMMON_EVENTS.values()):
        assert is_dataclass(event)
        assert event.__doc__.strip()
    for name, event in RARE_EVENTS.items():
        easy, hard = settings(event, 0.0), settings(event, 1.0)
        assert easy.keys() == {item.name for item in fields(event)}, name
        assert all(easy[key] != hard[key] for key in easy), name


def test_dials_are_linear_and_can_be_replaced():
    assert dial((2.0, 1.0), 0.25) == pytest.approx(1.75)
    event = replace(RARE_EVENTS["cut_in"], gap=(30.0, 20.0))
    assert settings(event, 1.0)["gap"] == 20.0


def test_there_are_a_dozen_rare_events_and_more():
    asked = {
        "cut_in",
        "hard_brake",
        "stalled_vehicle",
        "pedestrian_dart",
        "cyclist_crossing",
        "unprotected_left",
        "red_light_runner",
        "short_merge",
        "lane_closure",
        "oncoming_overtaker",
        "door_zone",
        "slow_tractor",
    }
    assert asked <= set(RARE_EVENTS)


@pytest.mark.parametrize("event", RARE)
def test_event_can_be_staged_at_any_difficulty(event):
    for difficulty in (0.0, 1.0):
        stage = RARE_EVENTS[event].stage(np.random.default_rng(1), difficulty)
        assert any(actor.has_part for actor in stage.actors)
        parts = [actor for actor in stage.actors if actor.has_part and actor.appears == 0.0]
        corners = [boxes.corners(actor.first_pose, actor.size[0], actor.size[1]) for actor in parts]
        for k, own in enumerate(corners):
            assert not any(boxes.overlap(own, other) for other in corners[:k]), event


def test_door_is_there_once_it_opens():
    scenario = certified("door_zone", 0.3)
    (row,) = np.flatnonzero(scenario.agents.types == AgentType.GENERIC_OBJECT)
    valid = scenario.agents.valid[row]
    opens = int(np.argmax(valid))
    assert not valid[:opens].any()
    assert valid[opens:].all()
    assert opens > scenario.initial_frame


def test_stage_depends_on_the_generator_alone():
    for name in ("cut_in", "stop_sign", "short_merge", "door_zone"):
        event = RARE_EVENTS[name]
        a, b = (event.stage(np.random.default_rng(7), 0.4) for _ in range(2))
        assert a.ego_start == b.ego_start
        for one, other in zip(a.actors, b.actors, strict=True):
            assert np.array_equal(one.first_pose, other.first_pose)
