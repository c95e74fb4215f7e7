"""The world of our simulator gives the learner what a run of the simulator writes into its files."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from algengine.datasets.vocabulary import save_vocabulary
from algengine.on_policy.collect import collect
from algengine.on_policy.eyes import Eyes
from algengine.on_policy.simulator import SimulatedWorld
from algengine.post_training.base import load_base
from simengine.datatypes.record_io import load_record
from simengine.errors import ConfigError
from simengine.rewards.reward_file import open_rewards
from table_factories import write_tiny_weights

pytestmark = [pytest.mark.mm, pytest.mark.slow]
WORDS = ("split=rare_train", "num_scenarios=2", "render.width_px=96", "render.height_px=54")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return load_base(write_tiny_weights(tmp_path_factory.mktemp("base")))


def drive(base, threads):
    torch.set_num_threads(1)
    network, world = base.build(), SimulatedWorld(WORDS, base.vocabulary, 2, threads)
    try:
        eyes = Eyes(network, base.cameras)
        return collect(world, network, network, eyes, (0, 1), 0.0, torch.Generator().manual_seed(0)).batch
    finally:
        world.close()


@pytest.fixture(scope="module")
def driven(base):
    return drive(base, 1)


def test_rewards_and_plans_are_those_of_a_run(base, driven, tmp_path):
    weights = write_tiny_weights(tmp_path / "base")
    save_vocabulary(base.vocabulary.plans.astype(np.float32), tmp_path / "plans.npy")
    run = (
        *(
            "output_dir=run",
            "report=false",
            f"model_name={weights.parent.name}",
            "rewards.vocabulary=plans.npy",
        ),
        "bridge.in_process=algengine.post_training.load:load_post_trained",
    )
    command = [sys.executable, "-m", "simengine.cli.main", "run", *WORDS, *run]
    subprocess.run(command, cwd=tmp_path, check=True)
    decisions = len(driven.bev) // 2
    for scene in range(2):
        token = f"rare_train_{scene:04d}"
        plans = load_record(tmp_path / "run" / "records" / f"{token}.npz").plan_indices
        assert driven.outcomes.behaviour.view(decisions, 2)[:, scene].tolist() == list(plans)
        file = open_rewards(tmp_path / "run" / "rewards" / f"{token}.npz")
        for step in range(decisions):
            for name in ("score", "no_at_fault_collisions", "ego_progress"):
                ours = driven.outcomes.rewards[name][2 * step + scene].numpy()
                np.testing.assert_array_equal(ours, file.column(name, step))


def test_threads_change_nothing(base, driven):
    again = drive(base, 2)
    assert torch.equal(again.bev, driven.bev)
    assert torch.equal(again.outcomes.rewards["score"], driven.outcomes.rewards["score"])


def test_as_many_everyday_scenarios_follow_and_none_comes_twice(base):
    rare = [f"rare_train_{i:04d}" for i in range(2)]
    for only, common, tokens in (
        (None, "common_train", [*rare, "common_train_0000", "common_train_0001"]),
        (rare[1:], "common_train", [rare[1], "common_train_0000"]),
        (rare[1:], "rare_train", [rare[1], rare[0]]),
    ):
        world = SimulatedWorld(WORDS, base.vocabulary, 2, 1, only, common)
        assert world.tokens == tuple(tokens)
        assert world.describe()["common"] == common
        assert [one.token for one in world.begin([0, 1])] == tokens[:2]
        world.close()
    with pytest.raises(ConfigError, match=r"no scenario of the split rare_train is left.*check --common"):
        SimulatedWorld(WORDS, base.vocabulary, 2, common="rare_train")


def test_a_split_without_the_wanted_tokens_is_one_sentence(base):
    with pytest.raises(ConfigError, match="no scenario"):
        SimulatedWorld(WORDS, base.vocabulary, 2, only=("nobody",))
    with pytest.raises(ConfigError, match="no scenario"):
        SimulatedWorld(WORDS, base.vocabulary, 2, only=())
    with pytest.raises(ConfigError, match="--threads is 0, expected at least 1"):
        SimulatedWorld(WORDS, base.vocabulary, 2, threads=0)
