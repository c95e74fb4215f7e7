import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from alg_factories import make_log, make_observation
from algengine.engine.weights import load_checkpoint, load_weights
from algengine.errors import CheckpointError
from algengine.on_policy.collect import collect, taken
from algengine.on_policy.eyes import Eyes
from algengine.on_policy.train import OnPolicyConfig, draw_scenarios, train_on_policy
from algengine.post_training.adapt import AdapterConfig
from algengine.post_training.objective import ExpectationObjective
from algengine.serving.load import load_planner
from on_policy_factories import PLANS, ToyWorld
from post_training_factories import make_base
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm
CONFIG = OnPolicyConfig(
    rounds=14,
    scenes=4,
    explore=0.0,
    passes=2,
    batch_size=6,
    objective=ExpectationObjective(kl_weight=0.01),
    adapters=AdapterConfig(rank=4, alpha=4.0),
    lr=0.01,
    warmup=2,
)


class KilledError(Exception):
    """Stands for a lost process."""


@pytest.fixture(scope="module")
def base():
    # Sums are split over threads, so equal bits take an equal number of them.
    torch.set_num_threads(1)
    return make_base(PLANS)


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    return train_on_policy(CONFIG, base, ToyWorld(), tmp_path_factory.mktemp("work"))


def test_earns_more_and_drives_what_earns(base, trained):
    log = json.loads((trained.parent / "summary.json").read_text())["log"]
    assert len(log) == CONFIG.rounds
    assert log[-1]["expected"] > 0.9 > 0.3 > log[0]["expected"]
    assert log[-1]["driven"] > log[0]["driven"]
    assert (log[0]["clean"], log[-1]["clean"]) == (0.0, 1.0)
    world, planner = ToyWorld(), load_planner(checkpoint=trained, device="cpu", threads=1)
    chosen = [planner.plan_batch(world.begin([k]))[0].vocabulary_index for k in range(6)]
    assert chosen == [world.right(k) for k in range(6)]


def test_a_killed_run_goes_on_to_the_same_weights(base, trained, tmp_path):
    def kill(row):
        if row["round"] == 5:
            raise KilledError

    with pytest.raises(KilledError):
        train_on_policy(CONFIG, base, ToyWorld(), tmp_path, progress=kill)
    again = train_on_policy(CONFIG, base, ToyWorld(), tmp_path)
    ours, theirs = load_checkpoint(again)["state_dict"], load_checkpoint(trained)["state_dict"]
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (again.parent / "summary.json").read_bytes() == (trained.parent / "summary.json").read_bytes()


def test_only_the_head_learns(base, trained):
    found = load_weights(trained).state_dict
    changed = {name for name, value in found.items() if not torch.equal(value, base.state_dict[name])}
    assert changed
    assert all(name.startswith("head.") for name in changed)


def test_a_state_of_another_run_is_refused(base, tmp_path):
    train_on_policy(replace(CONFIG, rounds=1), base, ToyWorld(), tmp_path)
    with pytest.raises(CheckpointError, match="another"):
        train_on_policy(replace(CONFIG, rounds=1, seed=1), base, ToyWorld(), tmp_path)


def test_unknown_rewards_teach_nothing(base, tmp_path):
    world = ToyWorld(scenarios=2, unknown="toy_0")
    weights = train_on_policy(replace(CONFIG, scenes=2, rounds=2), base, world, tmp_path)
    log = json.loads((weights.parent / "summary.json").read_text())["log"]
    assert all(np.isfinite(row["loss"]) and np.isfinite(row["driven"]) for row in log)


def _collect(base, explore, seed=0):
    network = base.build()
    generator = torch.Generator().manual_seed(seed)
    world = ToyWorld(right=(7, 2))
    return world, collect(world, network, network, Eyes(network, base.cameras), range(4), explore, generator)


def test_without_exploring_it_drives_as_at_the_wheel(base):
    world, experience = _collect(base, 0.0)
    likeliest = base.build().head(experience.batch.bev, experience.batch.status)["imitation"].argmax(-1)
    assert experience.batch.outcomes.behaviour.tolist() == likeliest.tolist()
    assert np.concatenate(world.driven).tolist() == likeliest.tolist()


def test_exploring_follows_the_seed(base):
    first, again, other = (_collect(base, 1.0, seed)[0].driven for seed in (0, 0, 1))
    assert first == again != other


def test_rewards_stay_with_their_scenes(base):
    _, experience = _collect(base, 0.0)
    best = experience.batch.outcomes.rewards["score"].argmax(-1).reshape(3, 4)
    assert best.tolist() == [[7, 2, 7, 2]] * 3
    part = taken(experience.batch, torch.tensor([5, 0]))
    assert torch.equal(part.outcomes.rewards["score"], experience.batch.outcomes.rewards["score"][[5, 0]])
    assert torch.equal(part.bev, experience.batch.bev[[5, 0]])


def test_eyes_see_what_the_served_planner_sees(base, trained):
    """The maps that are learned from give the plans of the planner that serves, scene by scene."""
    planner, logs = (
        load_planner(checkpoint=trained, device="cpu", threads=1),
        [make_log("a", 4.0), make_log("b", 9.0)],
    )
    weights = load_weights(trained)
    network = replace(base, state_dict=weights.state_dict).build()
    eyes = Eyes(network, base.cameras)
    for step in range(3):
        observations = [make_observation(log, step) for log in logs]
        bev, status = eyes.look(observations)
        ours = network.head.predict(network.head(bev, status))[1].tolist()
        assert ours == [plan.vocabulary_index for plan in planner.plan_batch(observations)]


def test_every_scenario_comes_before_any_comes_again():
    rounds = [draw_scenarios(7, 3, 0, number) for number in range(4)]
    assert len(set(rounds[0] + rounds[1])) == 6
    assert len(set(rounds[2] + rounds[3])) == 6
    assert draw_scenarios(2, 5, 0, 3) in ([0, 1], [1, 0])
    assert draw_scenarios(7, 3, 1, 0) != rounds[0]


@pytest.mark.parametrize(
    "change",
    [{"rounds": 0}, {"scenes": 0}, {"explore": 1.5}, {"lr": 0.0}, {"lr": float("nan")}, {"seed": -1}],
)
def test_senseless_options_are_one_sentence(change):
    with pytest.raises(ConfigError, match="expected"):
        replace(CONFIG, **change)


def test_a_place_that_cannot_be_written_is_found_before_the_first_drive(base, tmp_path):
    (tmp_path / "file").touch()
    world = ToyWorld()
    world.begin = None  # nobody may drive
    with pytest.raises(ConfigError, match="work dir .* cannot be made"):
        train_on_policy(CONFIG, base, world, tmp_path / "file" / "work")
