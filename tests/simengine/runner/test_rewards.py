"""Rewards of a run: the traffic they see, the files they leave, and that nobody notices who computed them."""

import csv
import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from factories import make_tracks
from rewards_factories import DT, FRAMES, busy_scenario, make_plans, make_vocabulary, save_plans
from simengine.agents.simple import BrakePolicy, LogReplayPolicy
from simengine.agents.traffic import IdmTraffic, LogReplay
from simengine.cli.main import main
from simengine.config.build import check
from simengine.config.compose import compose_run
from simengine.dynamics.tracking import LqrTracking, PerfectTracking
from simengine.errors import ConfigError
from simengine.rewards.columns import COLUMNS
from simengine.rewards.logged import logged_moment
from simengine.rewards.pdms_pkl import read_pdms_pkl
from simengine.rewards.place import place_of
from simengine.rewards.reward_file import open_rewards
from simengine.rewards.scorer import VocabularyScorer
from simengine.runner.local import run_sequential
from simengine.runner.process_pool import run_processes
from simengine.runner.rewards import RewardRecorder
from simengine.runner.run_directory import RunDirectory
from simengine.runner.simulated_traffic import simulated_tracks, states_on_plan
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import Protocol


@dataclass(frozen=True)
class BusyHandle:
    token: str

    def load(self):
        return busy_scenario(self.token, 3.0 + int(self.token[-1]))


@dataclass(frozen=True)
class GivenHandle:
    scenario: object

    @property
    def token(self):
        return self.scenario.token

    def load(self):
        return self.scenario


def make_worker(
    root, mode="navsim_v1", formats="both", traffic=LogReplay, policy=LogReplayPolicy, tracker=None, threads=1
):
    tracker = tracker or PerfectTracking()
    recorder = RewardRecorder(VocabularyScorer(make_vocabulary(), mode, threads), tracker, formats)
    source = PolicySource(lambda scenario, _: policy(scenario))
    simulation = Simulation(Protocol(), tracker, traffic)
    return Worker(simulation, source, RunDirectory(root), WorkerSettings(0, "NR", "navsim_v1"), recorder)


def stopping_lead() -> object:
    """A lead that brakes to a stop in the log for no reason; a driver with a free road would go on."""
    times = DT * np.arange(FRAMES)
    poses = np.zeros((1, FRAMES, 3))
    poses[0, :, 0] = 40.0 + 8.0 * np.minimum(times, 2.0)
    return replace(busy_scenario(), agents=make_tracks(poses, DT))


def files_of(root: Path) -> dict[str, bytes]:
    kept = [*root.glob("rewards/*"), *root.glob("pdms_pkl/*")]
    return {path.name: path.read_bytes() for path in kept}


def test_every_decision_is_kept_in_both_formats(tmp_path):
    row = make_worker(tmp_path).run(BusyHandle("a1"))
    assert row.status == "ok"
    file = open_rewards(RunDirectory(tmp_path).rewards("a1"))
    assert file.steps == tuple(range(8))
    file.verify()
    for step in range(8):
        path = tmp_path / "pdms_pkl" / f"log-1-a1_step_{3 + step}_scores.pkl"
        legacy, imitation = read_pdms_pkl(path, file.size)
        for name in COLUMNS:
            np.testing.assert_array_equal(legacy.columns[name].astype(np.float32), file.column(name, step))
        assert imitation.index == file.imitation(step).index
        # The log drives straight on at 8 m/s, which is in the vocabulary.
        assert np.abs(make_vocabulary().plans[imitation.index, -1, :2] - (32.0, 0.0)).max() < 1e-9


def test_first_decision_of_replayed_traffic_is_the_open_loop_score(tmp_path):
    make_worker(tmp_path).run(BusyHandle("a1"))
    scenario = BusyHandle("a1").load()
    scorer = VocabularyScorer(make_vocabulary())
    expected = scorer.score(place_of(scenario), logged_moment(scenario, scorer.rules))
    file = open_rewards(RunDirectory(tmp_path).rewards("a1"))
    for name in COLUMNS:
        np.testing.assert_array_equal(file.column(name), expected.columns[name].astype(np.float32))


@pytest.mark.parametrize("mode", ["navsim_v1", "corrected", "worldengine_v1"])
def test_rewards_follow_the_simulated_traffic_except_published_ones(mode, tmp_path):
    files = {}
    for traffic in (LogReplay, IdmTraffic):
        root = tmp_path / traffic.__name__
        row = make_worker(root, mode, traffic=traffic).run(GivenHandle(stopping_lead()))
        assert row.status == "ok", row.error
        files[traffic] = open_rewards(RunDirectory(root).rewards("busy"))
    logged, simulated = (files[t].column("no_at_fault_collisions") for t in (LogReplay, IdmTraffic))
    if mode == "worldengine_v1":
        np.testing.assert_array_equal(logged, simulated)
    else:
        # The logged lead stops in front of fast entries, the simulated one drives on.
        assert (logged <= simulated).all()
        assert (logged < simulated).any()


def test_the_traffic_is_the_one_that_the_simulation_then_steps():
    simulation = Simulation(Protocol(), LqrTracking(), IdmTraffic)
    state = simulation.reset(stopping_lead())
    scenario = simulation.episode.scenario
    plan = LogReplayPolicy(scenario).plan(None, state)
    ego = states_on_plan(scenario, LqrTracking(), state, plan, 49)
    tracks = simulated_tracks(scenario, simulation.episode.traffic, state, ego)
    assert tracks.num_frames == 50
    after = simulation.finish(state, plan)
    for k, agents in enumerate(after.agent_trail):
        np.testing.assert_array_equal(tracks.pose[:, k], agents.pose)
    np.testing.assert_array_equal(ego[: after.frame - state.frame], after.ego_trail[state.frame + 1 :])


def test_replayed_traffic_is_its_log():
    simulation = Simulation(Protocol(), LqrTracking(), LogReplay)
    state = simulation.reset(busy_scenario())
    scenario = simulation.episode.scenario
    plan = BrakePolicy(scenario).plan(None, state)
    ego = states_on_plan(scenario, LqrTracking(), state, plan, 49)
    tracks = simulated_tracks(scenario, simulation.episode.traffic, state, ego)
    np.testing.assert_array_equal(tracks.pose, scenario.agents.pose[:, state.frame : state.frame + 50])


def test_beyond_its_plan_the_ego_goes_straight_on():
    simulation = Simulation(Protocol(), PerfectTracking(), LogReplay)
    state = simulation.reset(busy_scenario())
    plan = LogReplayPolicy(simulation.episode.scenario).plan(None, state)  # 4 s
    ego = states_on_plan(simulation.episode.scenario, PerfectTracking(), state, plan, 49)
    np.testing.assert_allclose(ego[:, 0], 12.0 + 0.8 * np.arange(1, 50), atol=1e-9)


def test_published_rewards_also_judge_where_the_episode_ends(tmp_path):
    make_worker(tmp_path, "worldengine_v1").run(BusyHandle("a1"))
    assert open_rewards(RunDirectory(tmp_path).rewards("a1")).steps == tuple(range(9))
    assert (tmp_path / "pdms_pkl" / "log-1-a1_step_11_scores.pkl").exists()


def test_a_short_log_leaves_unknown_steps_and_no_pickle_for_them(tmp_path):
    scenario = busy_scenario("short", frames=90)  # 7.4 s after the first decision, 4.9 s are needed
    assert make_worker(tmp_path).run(GivenHandle(scenario)).status == "ok"
    file = open_rewards(RunDirectory(tmp_path).rewards("short"))
    unknown = [bool(file.unknown(row)) for row in range(8)]
    assert unknown == [False] * 6 + [True] * 2
    assert "the log ends 4.4 s later" in file.unknown(6)["score"]
    assert len(list((tmp_path / "pdms_pkl").iterdir())) == 6


@pytest.mark.parametrize("formats", ["native", "pdms_pkl"])
def test_one_format_only(formats, tmp_path):
    make_worker(tmp_path, formats=formats).run(BusyHandle("a1"))
    assert (tmp_path / "rewards").exists() == (formats == "native")
    assert (tmp_path / "pdms_pkl").exists() == (formats == "pdms_pkl")


class KilledPolicy(LogReplayPolicy):
    """A run that is killed in the third decision of scenario `a2`."""

    def __init__(self, scenario):
        super().__init__(scenario)
        self._token, self._left = scenario.token, 3

    def plan(self, observation, state):
        self._left -= 1
        if self._token == "a2" and self._left == 0:
            raise KeyboardInterrupt
        return super().plan(observation, state)


def test_a_killed_run_goes_on_and_leaves_the_same_files(tmp_path):
    handles = [BusyHandle("a1"), BusyHandle("a2"), BusyHandle("a3")]
    with pytest.raises(KeyboardInterrupt):
        list(run_sequential(handles, lambda: make_worker(tmp_path / "killed", policy=KilledPolicy)))
    directory = RunDirectory(tmp_path / "killed")
    assert [row.token for row in directory.finished(["a1", "a2", "a3"])] == ["a1"]
    assert not directory.rewards("a2").exists()
    list(run_sequential(handles[1:], lambda: make_worker(tmp_path / "killed")))
    list(run_sequential(handles, lambda: make_worker(tmp_path / "whole", threads=2)))
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_starting_over_forgets_rewards(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.open({}, resume=True)
    make_worker(tmp_path).run(BusyHandle("a1"))
    directory.open({}, resume=True)
    assert len(files_of(tmp_path)) == 9
    directory.open({}, resume=False)
    assert files_of(tmp_path) == {}


@pytest.mark.slow
def test_two_processes_leave_the_files_of_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    handles = [BusyHandle(f"a{i}") for i in range(4)]
    list(run_sequential(handles, lambda: make_worker(tmp_path / "one")))
    list(run_processes(handles, functools.partial(make_worker, tmp_path / "two"), num_workers=2))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two") != {}


RUN = ("run", "--config-name", "replay", "split=demo", "num_scenarios=2", "report=false")


def test_from_the_command_line(tmp_path, capsys):
    plans = save_plans(tmp_path / "plans.npy")
    words = [
        *RUN,
        f"output_dir={tmp_path / 'out'}",
        f"rewards.vocabulary={plans}",
        "rewards.format=both",
        "traffic=R",
    ]
    assert main(words) == 0
    with (tmp_path / "out" / "all_scenes_pdm_pkl_paths_R.csv").open() as table:
        paths = [row["pkl_path"] for row in csv.DictReader(table)]
    assert len(paths) == 16
    assert all((tmp_path / "out" / path).is_file() for path in paths)
    file = open_rewards(tmp_path / "out" / "rewards" / "demo_0001.npz")
    assert (file.size, file.mode, len(file.steps)) == (len(make_plans()), "navsim_v1", 8)
    before = files_of(tmp_path / "out")
    assert main(words) == 0
    assert files_of(tmp_path / "out") == before
    # The same file name with other plans in it is another run.
    save_plans(plans, make_plans() * 0.5)
    capsys.readouterr()
    assert main(words) == 1
    assert "differs in rewards_vocabulary" in capsys.readouterr().err


def test_off_by_default(tmp_path):
    assert main([*RUN, f"output_dir={tmp_path}"]) == 0
    assert not files_of(tmp_path)
    assert not list(tmp_path.glob("all_scenes_pdm_pkl_paths*"))
    assert "rewards_vocabulary" not in (tmp_path / "fingerprint.json").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rewards.vocabulary=/nowhere.npy"], "cannot be read"),
        (["rewards.mode=best"], "rewards.mode is 'best', expected one of navsim_v1"),
        (["rewards.format=csv"], "rewards.format is 'csv', expected one of native"),
        (["rewards.vocabulary={plans}", "rewards.vocabulary_dt=0.05"], "expected them to reach 4.0 s"),
        (["rewards.vocabulary={plans}", "protocol.dt=0.05"], "protocol.dt is 0.05 s, expected 0.1 s"),
        (
            ["rewards.vocabulary={plans}", "rewards.mode=worldengine_v1", "protocol.decision_interval=1.0"],
            "protocol.decision_interval is 1.0 s, expected 0.5 s",
        ),
    ],
)
def test_wrong_keys_are_told_before_anything_runs(words, said, tmp_path):
    plans = save_plans(tmp_path / "plans.npy")
    with pytest.raises(ConfigError, match=said):
        check(compose_run([word.format(plans=plans) for word in words], "replay"))
