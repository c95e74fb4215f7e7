"""Generated scenarios: deterministic, valid, survivable, and with the events they name."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from simengine.agents.roster import overlaps_in_log
from simengine.agents.traffic import IdmTraffic
from simengine.datatypes.lights import LightState
from simengine.datatypes.state import AgentFrame, SimState
from simengine.errors import ConfigError
from simengine.scenario.splits import load_index
from simengine.world.certificate import make_naive, rare, try_driver
from simengine.world.checks import collision_free, stays_on_road
from simengine.world.events import COMMON_EVENTS, RARE_EVENTS
from simengine.world.generate import EARLIEST_HIT, generate, walked_difficulty
from simengine.world.light_plans import one_by_one, two_by_two
from simengine.world.recipe import BUILTIN_SPLITS
from simengine.world.splits import builtin_handles, write_split

SAMPLE = [("demo", index) for index in (0, 1, 2, 3, 4, 7, 8, 9, 13)] + [
    ("common_train", index) for index in (0, 2)
]


@pytest.fixture(scope="module")
def scenarios():
    return {key: generate(*key) for key in SAMPLE}


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if is_dataclass(a):
        return all(same(getattr(a, item.name), getattr(b, item.name)) for item in fields(a))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def test_equal_arguments_give_equal_scenarios(scenarios):
    for key in (("demo", 1), ("common_train", 2)):
        assert same(scenarios[key], generate(*key))


def test_different_indices_differ(scenarios):
    poses = [scenario.ego.pose.tobytes() for scenario in scenarios.values()]
    assert len(set(poses)) == len(poses)


def test_logs_are_ten_seconds_after_the_history(scenarios):
    for scenario in scenarios.values():
        assert (scenario.num_frames, scenario.initial_frame, scenario.dt) == (116, 15, 0.1)
        assert len(scenario.cameras) == 8
        assert set(scenario.tags) >= {"family", "event", "rare", "seed", "difficulty"}


def test_expert_survives_its_own_log(scenarios):
    for scenario in scenarios.values():
        assert stays_on_road(scenario)
        assert collision_free(scenario)
        assert not overlaps_in_log(scenario, 0.1).any()


def test_ego_states_are_consistent(scenarios):
    for scenario in scenarios.values():
        pose, velocity = scenario.ego.pose, scenario.ego.velocity
        step = np.hypot(*np.diff(pose[:, :2], axis=0).T)
        # The bicycle moves by its old speed; see the dynamics.
        assert step == pytest.approx(np.abs(velocity[:-1, 0]) * 0.1, abs=1e-6)
        change = np.diff(velocity[:, 0]) / 0.1
        assert change == pytest.approx(scenario.ego.acceleration[1:, 0], abs=1e-6)


def test_agent_velocity_is_the_derivative_of_its_pose(scenarios):
    for scenario in scenarios.values():
        tracks = scenario.agents
        slope = (tracks.pose[:, 2:, :2] - tracks.pose[:, :-2, :2]) / 0.2
        error = np.linalg.norm(slope - tracks.velocity[:, 1:-1], axis=2)[tracks.valid[:, 1:-1]]
        assert np.quantile(error, 0.99) < 0.35
        assert error.max() < 1.0


def test_rare_events_are_certified(scenarios):
    for scenario in scenarios.values():
        certificate = scenario.tags["certificate"]
        assert {verdict["success"] for verdict in certificate["expert"].values()} == {True}
        assert ("naive" in certificate) == scenario.tags["rare"]
        for verdict in certificate.get("naive", {}).values():
            assert not verdict["success"]
            assert EARLIEST_HIT <= verdict["failed_s"] <= 4.0
            assert verdict["whom"] in scenario.tags["scripted"]


def test_red_light_is_red_when_the_ego_stands(scenarios):
    scenario = scenarios["demo", 3]
    assert scenario.tags["event"] == "stop_at_red"
    assert scenario.ego.velocity[-1, 0] < 1.0
    own = [row for row, lane in enumerate(scenario.lights.lane_ids) if lane.startswith("west_b")]
    assert (scenario.lights.state[own, 60] == LightState.RED).all()


def test_reactive_traffic_does_not_collide_while_the_ego_repeats_its_log(scenarios):
    for key in (("demo", 0), ("demo", 2), ("demo", 9)):
        scenario = scenarios[key]
        traffic, agents, frame = IdmTraffic(scenario), scenario.agents, scenario.initial_frame
        now = AgentFrame(agents.pose[:, frame], agents.velocity[:, frame], agents.valid[:, frame])
        pose, valid = agents.pose.copy(), agents.valid.copy()
        state = SimState(frame, 0, scenario.ego.state(frame), now, scenario.ego.state(frame)[None])
        # Scored horizon and look-ahead; later the repeated log no longer fits traffic that has moved on.
        while state.frame < frame + 50:
            after = traffic.step(state)
            ego = scenario.ego.state(state.frame + 1)
            state = SimState(state.frame + 1, 0, ego, after, ego[None])
            pose[:, state.frame], valid[:, state.frame] = after.pose, after.present
        valid[:, state.frame + 1 :] = False
        driven = replace(scenario, agents=replace(agents, pose=pose, valid=valid))
        assert collision_free(driven)


def test_naive_failure_is_counted_from_the_first_decision():
    # 8 m/s, a standing car with its rear 20 m ahead of the ego's front: hit after 2.5 s.
    front = 15 * 0.8 + 1.461 + 2.588
    car = np.tile([front + 20.0 + 2.3, 0.0, 0.0], (116, 1))
    verdict = try_driver(make_scenario(frames=116, agents=make_tracks(car[None])), "NR", make_naive)
    assert not verdict.success
    assert verdict.time == pytest.approx(2.5, abs=0.11)
    assert verdict.whom == "agent_0"
    beside = try_driver(
        make_scenario(frames=116, agents=make_tracks(car[None] + [0.0, 5.0, 0.0])), "NR", make_naive
    )
    assert beside.success


def test_splits_are_what_they_promise():
    assert set(BUILTIN_SPLITS) == {"demo", "common_train", "common_test", "rare_train", "rare_test"}
    assert BUILTIN_SPLITS["demo"].size == 16
    assert all(split.size >= 200 for name, split in BUILTIN_SPLITS.items() if name != "demo")
    recipes = {name: [split.recipe(i) for i in range(split.size)] for name, split in BUILTIN_SPLITS.items()}
    seeds = [recipe.seed for group in recipes.values() for recipe in group]
    assert len(set(seeds)) == len(seeds)
    assert sum(recipe.rare for recipe in recipes["demo"]) == 6
    for name in ("rare_train", "rare_test"):
        assert {recipe.event for recipe in recipes[name]} == set(RARE_EVENTS)
    for name in ("common_train", "common_test"):
        assert {recipe.event for recipe in recipes[name]} == set(COMMON_EVENTS)
    share = np.mean([recipe.perturbed for recipe in recipes["common_train"]])
    assert 0.33 < share < 0.47
    assert not any(recipe.perturbed for name in ("common_test", "rare_test") for recipe in recipes[name])


def test_splits_share_no_scenario(scenarios):
    poses = {key: scenario.ego.pose.tobytes() for key, scenario in scenarios.items()}
    for split in ("common_test", "rare_train", "rare_test"):
        poses[split, 2] = generate(split, 2).ego.pose.tobytes()
    assert len(set(poses.values())) == len(poses)


def test_splits_have_any_size():
    far = 123_456
    assert BUILTIN_SPLITS["rare_test"].size < far
    scenario = generate("rare_test", far)
    assert scenario.token == f"rare_test_{far}"
    assert scenario.tags["seed"] == f"rare_test/{far}"
    assert len(builtin_handles("common_train", 5000)) == 5000
    assert len(builtin_handles("rare_test")) == BUILTIN_SPLITS["rare_test"].size
    with pytest.raises(ConfigError, match="expected 1 to 16"):
        builtin_handles("demo", 17)
    with pytest.raises(ConfigError, match="expected at least 1"):
        builtin_handles("rare_test", 0)


def test_difficulty_walks_down_and_then_everywhere():
    walk = [walked_difficulty(0.8, attempt) for attempt in range(200)]
    assert walk[0] == 0.8
    assert (np.diff(walk[:20]) < 0.0).all()
    assert min(walk) >= 0.0
    assert max(walk) < 1.0
    later = np.sort(walk[20:])
    assert np.diff(later).max() < 0.05


def test_what_is_not_certified_is_tried_again(monkeypatch):
    """However often the naive driver gets away, what comes out in the end has a certificate."""
    refused = []

    def refuse(scenario, *rest):
        refused.append(scenario.tags["difficulty"])
        return None if len(refused) < 4 else rare(scenario, *rest)

    monkeypatch.setattr("simengine.world.generate.rare", refuse)
    monkeypatch.setattr("simengine.world.generate.EASING_ATTEMPTS", 2)
    scenario = generate("rare_test", 2)
    assert scenario.tags["attempt"] >= 3
    assert scenario.tags["certificate"]["naive"]["NR"]["success"] is False
    assert scenario.tags["certificate"]["expert"]["R"]["success"] is True
    assert scenario.tags["difficulty"] == refused[-1]


@pytest.mark.slow
def test_no_index_goes_without_a_certificate(tmp_path):
    for split in ("rare_train", "rare_test", "common_test"):
        assert write_split(split, tmp_path / split, workers=2, num_scenarios=54) == 54
        for handle in load_index(tmp_path / split).handles():
            scenario = handle.load()
            certificate = scenario.tags["certificate"]
            assert {verdict["success"] for verdict in certificate["expert"].values()} == {True}
            naive = certificate.get("naive", {})
            assert set(naive) == ({"NR", "R"} if scenario.tags["rare"] else set())
            assert not any(verdict["success"] for verdict in naive.values())


def test_light_phases_never_let_crossing_arms_go():
    arms = ("east", "north", "west", "south")
    for make, together in ((one_by_one, 1), (two_by_two, 2)):
        plan = make("west", 3.0)
        for time in np.arange(0.0, 80.0, 0.25):
            open_arms = [k for k, arm in enumerate(arms) if plan(arm, time) != LightState.RED]
            assert len(open_arms) <= together
            assert len({k % 2 for k in open_arms}) <= 1
        assert plan("west", 0.0) == LightState.GREEN


def test_unknown_split_and_index_are_refused():
    with pytest.raises(ConfigError, match="expected one of common_test"):
        generate("comon_test", 0)
    with pytest.raises(ConfigError, match=r"expected 0\.\.15"):
        generate("demo", 16)
    with pytest.raises(ConfigError, match="expected one of"):
        builtin_handles("nowhere")


def test_write_split_round_trip(tmp_path):
    ticks = []
    count = write_split("demo", tmp_path, workers=1, num_scenarios=2, progress=lambda: ticks.append(1))
    index = load_index(tmp_path)
    assert (count, len(ticks), len(index)) == (2, 2, 2)
    index.verify()
    for handle, builtin in zip(index.handles(), builtin_handles("demo"), strict=False):
        assert handle.token == builtin.token
        assert same(handle.load().ego, builtin.load().ego)


def test_parallel_and_sequential_files_are_equal(tmp_path):
    for name, workers in (("one", 1), ("two", 2)):
        write_split("common_test", tmp_path / name, workers=workers, num_scenarios=3)
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert len(one) > 3
    assert one == two
