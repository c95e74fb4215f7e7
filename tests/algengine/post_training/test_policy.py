"""A planner with sub-scores and ranking weights of its own is judged and taught by the policy that it drives with."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from alg_factories import make_log
from algengine.heads.sub_score_heads import PUBLISHED_RANKING, Ranking
from algengine.on_policy.collect import collect
from algengine.on_policy.eyes import Eyes
from algengine.post_training.adapt import AdapterConfig
from algengine.post_training.base import make_student
from algengine.post_training.batches import DecisionBatches
from algengine.post_training.config import CacheConfig, PostTrainingConfig, ScheduleConfig
from algengine.post_training.evaluate import evaluate
from algengine.post_training.export import export_student
from algengine.post_training.feature_cache import FeatureCache
from algengine.post_training.objective import ExpectationObjective
from algengine.post_training.policy import log_policy
from algengine.post_training.published import PublishedObjective, shaped_log_policy
from algengine.post_training.recipe import DataConfig, select_decisions
from algengine.post_training.train import post_train
from algengine.table.open_loop import score_open_loop
from on_policy_factories import ToyWorld
from post_training_factories import make_base, make_outcomes, make_outputs, write_run

pytestmark = pytest.mark.mm
OWN = {"imitation": 2.0, "multipliers": 0.1, "average": 1.0}
LOGS = [make_log(f"log_{i}", 3.0 + 4 * i, 0.02 * i, decisions=4) for i in range(3)]


@pytest.fixture(scope="module")
def base():
    return make_base(sub_scores=True, ranking=OWN)


@pytest.fixture(scope="module")
def run(base, tmp_path_factory):
    # Every plan has a score of its own, so a score tells which plan was chosen.
    plans = base.vocabulary.plans.astype(np.float32)
    return write_run(tmp_path_factory.mktemp("data") / "run", plans, LOGS, 11, lambda *_: np.arange(12) / 16)


@pytest.fixture(scope="module")
def batches(base, run, tmp_path_factory):
    decisions = select_decisions(
        DataConfig(rollouts=[str(run)], filter="none", normal_ratio=0.0), base.vocabulary.key
    )
    cache = FeatureCache(tmp_path_factory.mktemp("features"), base.build(), base.model, base.cameras)
    cache.fill(sorted({decision.observations for decision in decisions}))
    return DecisionBatches(decisions, cache, base.state_dict["head.vocabulary"].float(), 12)


@pytest.fixture(scope="module")
def at_the_wheel(base, batches):
    """Plans (12,) that the planner chooses, which are others than the published weights would choose."""
    batch, head = batches.load(range(12)), base.build().head
    with torch.no_grad():
        outputs = head(batch.bev, batch.status)
    chosen = head.predict(outputs)[1]
    assert (chosen != log_policy(outputs).argmax(-1)).any()
    return chosen


def test_what_it_earns_is_what_it_earns_at_the_wheel(base, batches, at_the_wheel):
    found = evaluate(base.build(), batches)
    earned = (at_the_wheel / 16).mean().item()
    assert found["reference"]["all"]["chosen"] == pytest.approx(earned)
    assert found["policy"]["all"]["chosen"] == pytest.approx(earned)


def test_the_open_loop_scores_what_it_chooses(base, run, at_the_wheel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    metadata = base.metadata | {"cameras": list(base.cameras)}
    export_student(make_student(base, {}, 0)[0], base.model, base.state_dict, metadata, tmp_path / "base")
    score_open_loop(tmp_path, tmp_path / "base", run, {"base": tmp_path / "base"}, "cpu")
    rows = list(csv.DictReader((tmp_path / "base.csv").open()))
    expected = (at_the_wheel / 16).view(3, 4).mean(-1).tolist()
    assert [float(row["score"]) for row in rows] == pytest.approx(expected, abs=1e-5)


def test_it_drives_to_learn_as_at_the_wheel(base):
    network = base.build()
    generator = torch.Generator().manual_seed(0)
    found = collect(ToyWorld(), network, network, Eyes(network, base.cameras), range(4), 0.0, generator)
    chosen = network.head.predict(network.head(found.batch.bev, found.batch.status))[1]
    assert found.batch.outcomes.behaviour.tolist() == chosen.tolist()


def test_before_the_first_update_policy_and_reference_are_one(base, run, at_the_wheel, tmp_path):
    config = PostTrainingConfig(
        DataConfig(rollouts=[str(run)], filter="none", normal_ratio=0.0),
        adapters=AdapterConfig(rank=2),
        schedule=ScheduleConfig(steps=1, batch_size=12),
        cache=CacheConfig(str(tmp_path / "features")),
    )
    post_train(config, base, tmp_path)
    first = json.loads((tmp_path / "summary.json").read_text())["log"][0]
    assert first["kl"] == pytest.approx(0.0, abs=1e-6)
    assert first["reward_chosen"] == pytest.approx((at_the_wheel / 16).mean().item())
    assert first["reward_chosen_reference"] == first["reward_chosen"]


def test_the_objective_is_that_of_the_ranking_policy():
    """With weights that count imitation alone the objective is that of a planner without sub-scores."""
    outputs, outcomes = make_outputs(0), make_outcomes(0)
    alone = {"imitation": outputs["imitation"]}
    without = replace(outcomes, reference={"imitation": outcomes.reference["imitation"]})
    objective = ExpectationObjective(kl_weight=0.3, distillation_weight=0.0)
    ours, theirs = objective(outputs, outcomes, Ranking(1.0, 0.0, 0.0)), objective(alone, without)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        # Nobody knows what was driven, so some values are NaN.
        assert torch.allclose(value.double(), theirs[name].double(), atol=1e-6, equal_nan=True), name
    assert not torch.allclose(objective(outputs, outcomes)["loss_kl"], ours["loss_kl"])


def test_the_published_objective_shapes_by_the_planners_weights():
    outputs, outcomes = make_outputs(1), make_outcomes(1)
    shaped = shaped_log_policy(outputs, Ranking(**OWN))
    assert torch.allclose(shaped, log_policy(outputs, Ranking(**OWN)).double(), atol=1e-4)
    losses = [
        PublishedObjective()(outputs, outcomes, r)["loss_pg"] for r in (PUBLISHED_RANKING, Ranking(**OWN))
    ]
    assert torch.equal(losses[0], PublishedObjective()(outputs, outcomes)["loss_pg"])
    assert not torch.allclose(*losses)
