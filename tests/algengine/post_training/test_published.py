import itertools
import math
from dataclasses import replace

import pytest
import torch

from algengine.post_training.published import PublishedObjective, imitation_weights, shaped_log_policy
from oracles.post_training import published_losses
from post_training_factories import make_outcomes, make_outputs

pytestmark = pytest.mark.mm


@pytest.mark.parametrize("importance, orig_il, no_imi", itertools.product((True, False), repeat=3))
def test_equals_the_loop(importance, orig_il, no_imi):
    outputs, outcomes = make_outputs(3, 9), make_outcomes(3, 9)
    options = {"importance_sampling": importance, "orig_il": orig_il, "hard_case_no_imi": no_imi}
    objective = PublishedObjective(rank_weight=2.0, **options)
    # The nearest plan of some decisions is perfect, so that they are imitated.
    outcomes.nearest[::2] = 0
    losses = objective(outputs, outcomes)
    expected = published_losses(
        {n: v.tolist() for n, v in outputs.items()},
        {n: v.tolist() for n, v in outcomes.reference.items()},
        {n: v.tolist() for n, v in outcomes.rewards.items()},
        outcomes.nearest.tolist(),
        outcomes.fail_mask.tolist(),
        options,
    )
    assert expected["loss_imitation"] > 0
    assert {n for n in losses if n.startswith("loss_")} == set(expected)
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-9), name


def flat(plans: int = 2):
    """Two plans, all sub-scores 0.5: both policies are 1/2, 1/2 (log pi = -log 2)."""
    outputs = {n: torch.zeros(1, plans, dtype=torch.float64) for n in make_outputs(0)}
    outcomes = make_outcomes(0, 1, plans)
    score = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    ones = {n: torch.ones(1, plans, dtype=torch.float64) for n in outcomes.rewards}
    return outputs, replace(
        outcomes,
        rewards=ones | {"score": score},
        nearest=torch.tensor([0]),
        fail_mask=torch.tensor([0]),
        reference=outputs,
    )


def test_by_hand():
    outputs, outcomes = flat()
    losses = PublishedObjective(rank_weight=2.0)(outputs, outcomes)
    # rho = 1: - 0.01 * mean(1 * -log 2, 0.5 * -log 2)
    assert losses["loss_pg"].item() == pytest.approx(0.01 * 0.75 * math.log(2))
    assert losses["loss_entropy"].item() == pytest.approx(-math.log(2))
    assert losses["loss_rank"].item() == pytest.approx(2.0 * 0.2)  # 0.5 + 0.2 - 0.5
    assert losses["loss_imitation"].item() == pytest.approx(math.log(2))
    assert losses["loss_no_at_fault_collisions"].item() == pytest.approx(3.0 * math.log(2))
    assert losses["loss_time_to_collision_within_bound"].item() == pytest.approx(2.0 * math.log(2))


def test_who_is_imitated():
    outputs, outcomes = flat()

    def imitation(**changes):
        objective = PublishedObjective(hard_case_no_imi=changes.pop("no_imi", False))
        return objective(outputs, replace(outcomes, **changes))["loss_imitation"].item()

    assert imitation(fail_mask=torch.tensor([1])) > 0
    assert imitation(fail_mask=torch.tensor([1]), no_imi=True) == 0
    assert imitation(fail_mask=torch.tensor([-1])) == 0
    bad = outcomes.rewards | {"score": torch.tensor([[0.8, 1.0]], dtype=torch.float64)}
    assert imitation(rewards=bad) == 0  # strictly above 0.8


def test_weights_of_an_unchanged_policy_are_one_and_bounded():
    logits = make_outputs(1)["imitation"]
    mask = torch.tensor([0, 0, 0, 1])
    assert torch.equal(imitation_weights(logits, logits, mask), torch.ones_like(logits))
    far = imitation_weights(50 * logits, -50 * logits, mask)
    assert far[:3].max() == 10.0
    assert far[:3].min() == 0.01
    assert (far[3] == 1).all()


def test_extreme_outputs_stay_finite():
    outputs, outcomes = make_outputs(2), make_outcomes(2)
    hard = {n: (300.0 * v).float().requires_grad_() for n, v in outputs.items()}
    losses = PublishedObjective(rank_weight=2.0)(hard, outcomes)
    total = sum(v for n, v in losses.items() if n.startswith("loss_"))
    total.backward()
    assert torch.isfinite(total)
    assert all(torch.isfinite(v.grad).all() for v in hard.values())
    assert torch.allclose(shaped_log_policy(outputs).exp().sum(-1), torch.ones(4, dtype=torch.float64))


def test_unknown_rewards_are_masked_not_zero():
    outputs, outcomes = make_outputs(4, 3), make_outcomes(4, 3)
    outcomes.rewards["comfort"][1] = float("nan")
    rows = torch.tensor([0, 2])
    kept = replace(
        outcomes,
        rewards={n: v[rows] for n, v in outcomes.rewards.items()},
        nearest=outcomes.nearest[rows],
        driven=outcomes.driven[rows],
        fail_mask=outcomes.fail_mask[rows],
        behaviour=outcomes.behaviour[rows],
        reference={n: v[rows] for n, v in outcomes.reference.items()},
    )
    objective = PublishedObjective()
    with_hole, without = (
        objective(outputs, outcomes),
        objective({n: v[rows] for n, v in outputs.items()}, kept),
    )
    assert with_hole["known"] == pytest.approx(2 / 3)
    for name in without:
        if name.startswith("loss_"):
            assert with_hole[name].item() == pytest.approx(without[name].item(), rel=1e-12), name


def test_decisions_of_which_nothing_is_known_teach_nothing():
    outputs, outcomes = make_outputs(5), make_outcomes(5)
    outputs = {name: value.requires_grad_() for name, value in outputs.items()}
    unknown = {name: torch.full_like(value, torch.nan) for name, value in outcomes.rewards.items()}
    values = PublishedObjective(rank_weight=2.0)(outputs, replace(outcomes, rewards=unknown))
    losses = [value for name, value in values.items() if name.startswith("loss_")]
    sum(losses).backward()
    assert values["known"] == 0 and all(loss == 0 for loss in losses)
    assert all((value.grad == 0).all() for value in outputs.values())
