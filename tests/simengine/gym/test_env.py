"""The environments: Gymnasium's checker, determinism, the same drives as the simulation, ends and errors."""

import warnings
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import simengine.gym
from factories import make_scenario, make_tracks
from gym_factories import drive, make_env, write_scenarios
from simengine.agents.simple import LogReplayPolicy
from simengine.config.build import build_worker
from simengine.config.schema import ProtocolConfig, RecordConfig, RenderConfig, RunConfig
from simengine.datatypes.agents import AgentType
from simengine.errors import ConfigError, PlanError, ScenarioFormatError
from simengine.gym.actions import arc_vocabulary
from simengine.metrics.episode import SUB_SCORES
from simengine.scenario.splits import load_index
from simengine.sim.protocol import WORLDENGINE_V1, Protocol

SMALL = {"width_px": 32, "height_px": 18}
KEEP_LANE = np.array([0.0, 0.0], np.float32)


def two_scenarios():
    return (make_scenario(), replace(make_scenario(speed=5.0), token="slow"))


def plan_actions(env):
    """Return plans of the logged drive as actions, one for each decision."""
    policy = LogReplayPolicy(env.simulation.episode.scenario)
    return lambda _: policy.plan(None, env.state).poses.astype(np.float32)


@pytest.mark.parametrize("action", ["control", "plan", "vocabulary"])
@pytest.mark.parametrize("observation", ["state", "camera"])
def test_gymnasiums_own_checker_passes(observation, action, tmp_path):
    env = make_env(
        tmp_path, *two_scenarios(), observation=observation, action=action, render_mode="rgb_array", **SMALL
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        check_env(env)


@pytest.mark.parametrize("view", ["birdseye", "front"])
def test_the_checker_passes_with_every_view_and_reactive_traffic(view, tmp_path):
    env = make_env(
        tmp_path,
        *two_scenarios(),
        traffic="R",
        view=view,
        render_mode="rgb_array",
        controller="perfect",
        **SMALL,
    )
    check_env(env)
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.shape == {"birdseye": (400, 400, 3), "front": (18, 32, 3)}[view]
    assert picture.std() > 5  # something is on it


def run_of(root, folder, **keys):
    """Return the row of `simengine run` with the logged plans on the only scenario of a split."""
    config = RunConfig(
        output_dir=str(folder),
        ego="log_replay",
        render=RenderConfig(backend="none"),
        record=RecordConfig(cameras="none"),
        **keys,
    )
    (handle,) = load_index(root / "handmade").handles()
    return build_worker(config).run(handle)


def crossing_pedestrian():
    """Return someone who stands in the ego's way, and a car beside it."""
    tracks = wall(distance=20.0)
    return replace(tracks, types=np.array([AgentType.PEDESTRIAN], np.int8))


@pytest.mark.parametrize("protocol", ["navsim", "worldengine_v1"])
@pytest.mark.parametrize("traffic", ["NR", "R"])
@pytest.mark.parametrize("controller", ["lqr", "perfect", None])
@pytest.mark.parametrize("agents", [None, crossing_pedestrian])
def test_plans_drive_and_score_exactly_as_in_a_run(protocol, traffic, controller, agents, tmp_path):
    scenario = make_scenario(speed=6.0, **({"agents": agents()} if agents else {}))
    env = make_env(
        tmp_path,
        scenario,
        action="plan",
        protocol=protocol,
        traffic=traffic,
        controller=controller,
        terminate_on_violation=False,
    )
    env.reset()
    _, info = drive(env, plan_actions(env))
    row = run_of(
        tmp_path,
        tmp_path / "run",
        protocol=ProtocolConfig(name=protocol),
        traffic=traffic,
        controller=controller,
    )
    assert row.status == "ok", row.error
    # Actions are 32-bit numbers.
    expected = {name: getattr(row, name) for name in SUB_SCORES}
    assert info["sub_scores"] == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert info["score"] == pytest.approx(row.score, abs=1e-6)
    assert info["is_success"] == row.success
    # Nobody on foot is there in the published protocol.
    assert row.success == (agents is None or protocol == "worldengine_v1")


def test_a_protocol_is_given_by_its_name_with_its_rules_and_numbers(tmp_path):
    plain = make_env(tmp_path, protocol="worldengine_v1").simulation.protocol
    shorter = make_env(tmp_path, protocol={"name": "worldengine_v1", "horizon": 2.0}).simulation.protocol
    assert plain == WORLDENGINE_V1
    assert shorter == replace(WORLDENGINE_V1, horizon=2.0)
    assert make_env(tmp_path, protocol={"horizon": 2.0}).simulation.protocol == Protocol(horizon=2.0)


@pytest.mark.parametrize("action", ["control", "plan", "vocabulary"])
def test_the_checker_passes_in_the_published_protocol(action, tmp_path):
    # An episode of one decision at 2 Hz has no comfort, and the checker takes one NaN for another value than the next.
    settings = {"traffic": "R", "protocol": "worldengine_v1", "terminate_on_violation": False}
    check_env(make_env(tmp_path, *two_scenarios(), action=action, **settings))


def test_pedal_and_wheel_mean_the_same_at_every_rate(tmp_path):
    ends = []
    for protocol in ("navsim", "worldengine_v1"):
        env = make_env(tmp_path, action="control", protocol=protocol, terminate_on_violation=False)
        drive(env, np.array([-0.4, 0.05], np.float32))
        ends.append(env.state.ego[:4])
    np.testing.assert_allclose(*ends, atol=1e-9)


def test_pdm_closed_may_drive_the_others(tmp_path):
    scenario = make_scenario(agents=make_tracks(_following(8.0)))
    ends = []
    for agents in ("idm", "pdm_closed"):
        env = make_env(tmp_path, scenario, traffic="R", traffic_agents=agents)
        drive(env, KEEP_LANE)
        ends.append(env.state.agents.pose)
    assert np.abs(ends[0] - ends[1]).max() > 1e-3


def _following(speed):
    pose = np.zeros((1, 66, 3))
    pose[0, :, 0] = -20.0 + speed * 0.1 * np.arange(66)
    return pose


def test_a_perfect_drive_earns_two_and_is_truncated(tmp_path):
    env = make_env(tmp_path, action="plan", controller="perfect")
    env.reset()
    steps, info = drive(env, plan_actions(env))
    assert [step[2:4] for step in steps] == [(False, False)] * 7 + [(False, True)]
    rewards = [step[1] for step in steps]
    assert sum(rewards) == pytest.approx(1.0 + info["score"], abs=1e-6)
    np.testing.assert_allclose(rewards[:-1], 1 / 8, atol=1e-6)
    # PDM-Closed gets farther than the log, which is full progress for the reward.
    assert 0.9 < info["score"] < 1.0
    assert set(info) == {"token", "sub_scores", "score", "is_success", "blame", "reasons", "reward_terms"}


def test_vocabulary_actions_are_rows(tmp_path):
    env = make_env(tmp_path, action="vocabulary", controller="perfect")
    vocabulary = arc_vocabulary()
    assert env.action_space == gymnasium.spaces.Discrete(vocabulary.size)
    index = next(k for k, plan in enumerate(vocabulary.plans) if np.allclose(plan[-1], [32.0, 0.0, 0.0]))
    steps, _ = drive(env, index)  # straight on at the logged 8 m/s
    assert len(steps) == 8
    np.testing.assert_allclose(env.state.ego[:2], [8.0 * (1.5 + 4.0), 0.0], atol=1e-6)
    np.save(tmp_path / "words.npy", vocabulary.plans[:3])
    own = make_env(tmp_path, action="vocabulary", vocabulary=str(tmp_path / "words.npy"))
    assert own.action_space.n == 3


def wall(lateral=0.0, distance=30.0):
    """Return a parked car that many metres ahead of the ego's first decision at x = 12 m."""
    pose = np.zeros((1, 66, 3))
    pose[..., 0], pose[..., 1] = 12.0 + distance, lateral
    return make_tracks(pose)


def test_a_collision_at_fault_ends_the_episode(tmp_path):
    env = make_env(tmp_path, make_scenario(agents=wall()))
    steps, info = drive(env, KEEP_LANE)
    assert steps[-1][2:4] == (True, False)
    assert len(steps) < 8
    assert info["reward_terms"]["collision"] == -1.0
    assert info["reward_terms"]["score"] == 0.0
    assert info["sub_scores"]["no_at_fault_collisions"] == 0.0
    assert info["is_success"] is False
    assert sum(step[1] for step in steps) < 0.0


def test_leaving_the_road_ends_the_episode(tmp_path):
    steps, info = drive(make_env(tmp_path), np.array([0.0, -1.0]))
    assert steps[-1][2:4] == (True, False)
    assert info["reward_terms"]["off_road"] == -1.0
    assert info["sub_scores"]["drivable_area_compliance"] == 0.0


@pytest.mark.parametrize("control", [KEEP_LANE, np.array([0.0, -1.0])])
def test_violations_may_be_told_not_to_end_it_and_count_once(control, tmp_path):
    env = make_env(tmp_path, make_scenario(agents=wall()), terminate_on_violation=False)
    steps, info = drive(env, control)
    assert len(steps) == 8
    assert steps[-1][2:4] == (False, True)
    for name in ("collision", "off_road"):
        lost = sum(step[4]["reward_terms"][name] for step in steps)
        assert lost in (0.0, -1.0)
    assert info["score"] == 0.0


def test_being_hit_from_behind_is_nobodys_loss(tmp_path):
    pose = np.zeros((1, 66, 3))
    pose[0, :, 0] = -8.0 + 12.0 * 0.1 * np.arange(66)  # faster than the ego, reaches it after two seconds
    env = make_env(tmp_path, make_scenario(agents=make_tracks(pose)))
    steps, info = drive(env, KEEP_LANE)
    assert len(steps) == 8
    assert info["sub_scores"]["no_at_fault_collisions"] == 1.0
    assert all(step[4]["reward_terms"]["collision"] == 0.0 for step in steps)


def test_weights_scale_the_terms(tmp_path):
    scenario = make_scenario(agents=wall())
    plain = drive(make_env(tmp_path, scenario), KEEP_LANE)[0]
    weighted = drive(
        make_env(tmp_path, scenario, reward={"progress": 2.0, "collision": 5.0, "score": 0.0}), KEEP_LANE
    )[0]
    for a, b in zip(plain, weighted, strict=True):
        assert b[4]["reward_terms"]["progress"] == pytest.approx(2 * a[4]["reward_terms"]["progress"])
        assert b[1] == pytest.approx(sum(b[4]["reward_terms"].values()))
    assert weighted[-1][4]["reward_terms"]["collision"] == -5.0


def test_seeds_and_tokens_name_scenarios(tmp_path):
    scenarios = [replace(make_scenario(speed=4.0 + k), token=f"s{k}") for k in range(6)]
    env, twin = make_env(tmp_path, *scenarios), make_env(tmp_path, *scenarios)
    drawn = []
    for seed in range(10):
        (first, info), (second, other) = env.reset(seed=seed), twin.reset(seed=seed)
        assert info == other
        np.testing.assert_array_equal(first, second)
        drawn.append(info["token"])
    assert len(set(drawn)) > 2
    # Without a seed the draw goes on, the same on both.
    assert [env.reset()[1] for _ in range(5)] == [twin.reset()[1] for _ in range(5)]
    assert env.reset(seed=0, options={"token": "s4"})[1]["token"] == "s4"
    assert env.tokens == tuple(f"s{k}" for k in range(6))


def test_the_same_actions_give_the_same_episode(tmp_path):
    scenario = make_scenario(agents=wall(lateral=3.5))
    actions = np.random.default_rng(0).uniform(-0.2, 0.2, (8, 2)).astype(np.float32)
    runs = []
    for _ in range(2):
        env = make_env(tmp_path, scenario, traffic="R", terminate_on_violation=False)
        env.reset(seed=3)
        runs.append([env.step(action) for action in actions])
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first[0], second[0])
        assert first[1:4] == second[1:4]


def test_a_step_after_the_end_asks_for_a_reset(tmp_path):
    env = make_env(tmp_path)
    with pytest.raises(gymnasium.error.ResetNeeded, match="expected reset first"):
        env.step(KEEP_LANE)
    drive(env, KEEP_LANE)
    with pytest.raises(gymnasium.error.ResetNeeded, match="straight has ended, expected reset"):
        env.step(KEEP_LANE)
    env.reset()
    env.step(KEEP_LANE)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"observation": "smell"}, "observation is 'smell', expected one of state, camera"),
        ({"action": "wish"}, "action is 'wish'"),
        ({"colour": "red"}, "colour is no setting"),
        ({"reward": {"fame": 1.0}}, "reward.fame is no setting"),
        ({"protocol": {"horizon": 4.1}}, "horizon"),
        ({"protocol": {"speed": 4.1}}, "protocol.speed is no setting"),
        ({"protocol": "worldengine_v2"}, "protocol.name is 'worldengine_v2', expected one of"),
        ({"traffic": "Q"}, "traffic is 'Q', expected one of NR, R"),
        ({"controller": "magic"}, "controller is 'magic', expected one of lqr, perfect"),
        ({"traffic_agents": "ghosts"}, "traffic_agents is 'ghosts', expected one of idm, pdm_closed"),
        ({"traffic_agents": "pdm_closed", "protocol": "worldengine_v1"}, "use the protocol navsim"),
        ({"cameras": ("CAM_X",)}, "CAM_X"),
        ({"width_px": 4}, "at least 16 px"),
        ({"cache_size": 0}, "at least 1"),
        ({"action": "vocabulary", "vocabulary": "nowhere.npy"}, "nowhere.npy"),
    ],
)
def test_settings_that_make_no_sense_are_one_sentence(settings, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        make_env(tmp_path, **settings)


def test_unknown_tokens_options_and_splits_are_errors(tmp_path):
    env = make_env(tmp_path)
    with pytest.raises(ConfigError, match="the token is 'nobody'"):
        env.reset(options={"token": "nobody"})
    with pytest.raises(ConfigError, match="'weather' is not known"):
        env.reset(options={"weather": "rain"})
    with pytest.raises(ScenarioFormatError, match="nosuch"):
        gymnasium.make(simengine.gym.ENV_ID, split="nosuch", scenario_root=str(tmp_path))


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("control", [np.nan, 0.0]),
        ("plan", np.full((40, 3), np.nan)),
        ("plan", np.ones((40, 2))),
        ("vocabulary", 10**6),
    ],
)
def test_malformed_actions_are_plan_errors_and_change_nothing(kind, action, tmp_path):
    env = make_env(tmp_path, action=kind)
    env.reset()
    before = env.state
    with pytest.raises(PlanError):
        env.step(action)
    assert env.state is before


def test_a_map_without_a_road_leaves_the_score_unknown_and_earns_nothing_for_it(tmp_path):
    from simengine.datatypes.map import VectorMap

    env = make_env(tmp_path, make_scenario(map=VectorMap(), route=()), action="plan", controller="perfect")
    env.reset()
    steps, info = drive(env, plan_actions(env))
    assert np.isnan(info["score"])
    assert "score" in info["reasons"]
    assert sum(step[1] for step in steps) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vectors_of_environments_equal_single_ones(mode, tmp_path):
    settings = write_scenarios(tmp_path, *two_scenarios())
    vector = gymnasium.make_vec(simengine.gym.ENV_ID, num_envs=2, vectorization_mode=mode, **settings)
    singles = [gymnasium.make(simengine.gym.ENV_ID, **settings) for _ in range(2)]
    seen, _ = vector.reset(seed=5)
    for k, env in enumerate(singles):
        np.testing.assert_array_equal(seen[k], env.reset(seed=5 + k)[0])
    actions = np.array([[0.1, 0.0], [-0.1, 0.05]], np.float32)
    for _ in range(8):
        seen, rewards, _, truncated, info = vector.step(actions)
        for k, env in enumerate(singles):
            one = env.step(actions[k])
            np.testing.assert_array_equal(seen[k], one[0])
            assert rewards[k] == pytest.approx(one[1])
    assert truncated.tolist() == [True, True]
    assert info["is_success"].shape == (2,)
    # The next step starts the next episode.
    vector.step(actions)
    vector.close()


def test_a_built_in_split_can_be_driven_by_name():
    env = gymnasium.make("simengine.gym:simengine/ClosedLoop-v0", num_scenarios=1)
    seen, info = env.reset(seed=0)
    assert info["token"] == "demo_0000"
    assert env.observation_space.contains(seen)
