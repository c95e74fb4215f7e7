import itertools
from dataclasses import replace

import pytest
import torch

from algengine.post_training.divergence import divergence, entropy
from algengine.post_training.expectation import advantage, exact_expectation, sampled_expectation
from algengine.post_training.importance import importance_weights
from algengine.post_training.objective import ExpectationObjective, driven_importance
from post_training_factories import make_outcomes, make_outputs
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm
REWARD = torch.tensor([0.2, 0.9, 0.5, 0.0, 0.7], dtype=torch.float64)
START = torch.tensor([1.0, -1.0, 0.5, 2.0, 0.0], dtype=torch.float64)


def total(losses: dict) -> torch.Tensor:
    return sum(value for name, value in losses.items() if name.startswith("loss_"))


def test_gradient_of_the_exact_expectation_by_finite_differences():
    logits, gains = make_outputs(0)["imitation"], make_outputs(1)["imitation"]
    leaf = logits.clone().requires_grad_()
    exact_expectation(leaf.log_softmax(-1), gains).sum().backward()
    step = 1e-6
    for b, k in ((0, 0), (1, 3), (3, 6)):
        ends = []
        for sign in (1, -1):
            moved = logits.clone()
            moved[b, k] += sign * step
            ends.append(sum(moved.softmax(-1)[i] @ gains[i] for i in range(4)))
        assert leaf.grad[b, k].item() == pytest.approx((ends[0] - ends[1]).item() / (2 * step), rel=1e-6)


@pytest.mark.parametrize("kl", ["policy_reference", "reference_policy"])
def test_gradient_of_the_whole_objective(kl):
    outcomes = make_outcomes(0, sub_scores=False)
    # Without baseline and normalisation, which are held constant on purpose.
    objective = ExpectationObjective(
        baseline="none", kl=kl, kl_weight=0.3, entropy_weight=0.1, imitation_weight=0.5
    )
    names, leaves = zip(*make_outputs(0, sub_scores=False).items(), strict=True)

    def loss(*values):
        return total(objective(dict(zip(names, values, strict=True)), outcomes))

    assert torch.autograd.gradcheck(loss, tuple(v.requires_grad_() for v in leaves))


@pytest.mark.parametrize("baseline", ["reference", "policy"])
def test_a_baseline_leaves_the_exact_gradient_as_it_is(baseline):
    gradients = []
    for choice in ("none", baseline):
        leaf = make_outputs(2)["imitation"].requires_grad_()
        log_pi = leaf.log_softmax(-1)
        gains = advantage(make_outcomes(2).rewards["score"], log_pi, log_pi.detach().flip(0), choice)
        exact_expectation(log_pi, gains).sum().backward()
        gradients.append(leaf.grad)
    assert torch.allclose(*gradients, atol=1e-12)


def test_normalised_advantages_weigh_decisions_alike():
    reward = torch.tensor([[0.0, 1.0], [0.5, 0.6], [0.3, 0.3]], dtype=torch.float64)
    even = torch.full((3, 2), 0.5, dtype=torch.float64).log()
    gains = advantage(reward, even, even, normalize=True)
    assert torch.allclose(gains, torch.tensor([[-1.0, 1], [-1, 1], [0, 0]], dtype=torch.float64))


def test_importance_weights_of_an_unchanged_policy_are_one():
    log_pi = make_outputs(3)["imitation"].log_softmax(-1)
    log_pi[0, 2] = -torch.inf  # impossible under both
    assert torch.equal(importance_weights(log_pi, log_pi), torch.ones_like(log_pi))
    doubled = importance_weights(log_pi + torch.log(torch.tensor(2.0)), log_pi, most=1.5)
    assert (doubled[1:] == 1.5).all()


def test_importance_of_driven_plans_counts_known_ones_only():
    log_mu = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.25, 0.75]]).log()
    log_pi = torch.tensor([[0.25, 0.75], [0.1, 0.9], [0.5, 0.5]]).log()
    known = driven_importance(log_pi, log_mu, torch.tensor([0, -1, 0]), 10.0)
    assert known["importance_driven"].item() == pytest.approx((0.5 + 2.0) / 2)
    assert driven_importance(log_pi, log_mu, torch.full((3,), -1), 10.0)["importance_driven"].isnan()


def test_divergences_by_hand_and_by_torch():
    p, q = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()
    expected = 0.5 * torch.log(torch.tensor(2.0)) + 0.5 * torch.log(torch.tensor(2 / 3))
    assert torch.allclose(divergence(p, q), expected)
    assert divergence(p, p) == 0
    a, b = (make_outputs(seed)["imitation"].log_softmax(-1) for seed in (1, 2))
    truth = torch.distributions.kl_divergence(*(torch.distributions.Categorical(logits=x) for x in (a, b)))
    assert torch.allclose(divergence(a, b), truth)
    assert torch.allclose(entropy(a), torch.distributions.Categorical(logits=a).entropy())


@pytest.mark.parametrize("kl", ["policy_reference", "reference_policy"])
@pytest.mark.parametrize("estimator", ["exact", "sampled"])
def test_no_nan_where_probabilities_vanish(kl, estimator):
    outcomes = make_outcomes(4, sub_scores=False)
    logits = (1e4 * make_outputs(4)["imitation"]).float()
    logits[:, 0] = -torch.inf
    leaf = logits.clone().requires_grad_()
    reference = {"imitation": -logits.nan_to_num(neginf=-1e4)}
    objective = ExpectationObjective(estimator=estimator, kl=kl, entropy_weight=0.1)
    loss = total(objective({"imitation": leaf}, replace(outcomes, reference=reference)))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(leaf.grad).all()


def test_unknown_rewards_are_masked_never_zero():
    outcomes = make_outcomes(5, sub_scores=False)
    objective = ExpectationObjective(imitation_weight=1.0, entropy_weight=0.0, kl_weight=0.0)
    outputs = {"imitation": make_outputs(5)["imitation"].requires_grad_()}
    outcomes.rewards["score"][1, 3] = float("nan")
    losses = objective(outputs, outcomes)
    total(losses).backward()
    assert losses["known"] == 0.75
    assert (outputs["imitation"].grad[1] == 0).all()
    assert (outputs["imitation"].grad[[0, 2, 3]] != 0).any(-1).all()
    rest = torch.tensor([0, 2, 3])
    earned = (outputs["imitation"].softmax(-1) * outcomes.rewards["score"])[rest].sum(-1).mean()
    assert losses["reward"].item() == pytest.approx(earned.item())


def test_nothing_known_is_no_loss_of_reward():
    outcomes = make_outcomes(6, sub_scores=False)
    outcomes.rewards["score"][:] = float("nan")
    outputs = {"imitation": make_outputs(6)["imitation"].requires_grad_()}
    losses = ExpectationObjective()(outputs, outcomes)
    total(losses).backward()
    assert losses["loss_reward"] == 0
    assert torch.isfinite(outputs["imitation"].grad).all()


def test_only_normal_decisions_that_the_drive_serves_well_are_imitated():
    outcomes = make_outcomes(7, 3, sub_scores=False)
    outcomes.nearest[:] = 0  # plan 0 is perfect
    outputs = {"imitation": make_outputs(7, 3)["imitation"].requires_grad_()}
    objective = ExpectationObjective(reward_weight=0.0, kl="none", imitation_weight=1.0)
    total(objective(outputs, outcomes)).backward()
    assert (outputs["imitation"].grad != 0).any(-1).tolist() == [True, False, False]


def test_policies_of_two_kinds_are_refused():
    with pytest.raises(ConfigError, match="two policies of one kind"):
        ExpectationObjective()(make_outputs(0), make_outcomes(0, sub_scores=False))
    with pytest.raises(ConfigError, match=r"objective\.kl is 'both'"):
        ExpectationObjective(kl="both")


def ascend(gradient_of, steps: int, rate: float = 2.0) -> torch.Tensor:
    logits = START.clone()
    for _ in range(steps):
        leaf = logits.clone().requires_grad_()
        gradient_of(leaf.log_softmax(-1)[None]).sum().backward()
        logits = logits + rate * leaf.grad
    return logits.softmax(-1)


def test_bandit_exact_gradient_finds_the_best_arm_and_never_gets_worse():
    earned, logits = [], START.clone()
    for _ in range(400):
        leaf = logits.clone().requires_grad_()
        exact_expectation(leaf.log_softmax(-1)[None], REWARD[None]).sum().backward()
        earned.append((logits.softmax(-1) @ REWARD).item())
        logits = logits + 2.0 * leaf.grad
    assert logits.softmax(-1)[1] > 0.97
    assert all(later >= earlier for earlier, later in itertools.pairwise(earned))


def test_bandit_with_divergence_converges_to_the_closed_form():
    # max J - c KL(pi || ref) has the solution pi = ref exp(r / c) / Z.
    c, reference = 0.3, START.log_softmax(-1)
    found = ascend(
        lambda log_pi: exact_expectation(log_pi, REWARD[None]) - c * divergence(log_pi, reference), 600
    )
    assert torch.allclose(found, (reference + REWARD / c).softmax(-1), atol=1e-4)


def test_bandit_sampled_gradient_is_unbiased_off_policy_and_a_baseline_calms_it():
    generator = torch.Generator().manual_seed(0)
    log_mu = torch.zeros(1, 5, dtype=torch.float64).log_softmax(-1)  # another policy than the one that learns
    actions = torch.multinomial(log_mu.exp(), 20000, replacement=True, generator=generator)
    leaf = START.clone().requires_grad_()
    exact_expectation(leaf.log_softmax(-1)[None], REWARD[None]).sum().backward()
    spread = []
    for baseline in ("none", "policy"):
        rows = []
        for part in actions.split(100, dim=1):
            other = START.clone().requires_grad_()
            log_pi = other.log_softmax(-1)[None]
            gains = advantage(REWARD[None], log_pi, log_mu, baseline)
            sampled_expectation(log_pi, log_mu, part, gains).sum().backward()
            rows.append(other.grad)
        stacked = torch.stack(rows)
        # 200 estimates: four standard errors of their mean.
        error = 4 * stacked.std(0) / len(rows) ** 0.5
        assert ((stacked.mean(0) - leaf.grad).abs() < error).all()
        spread.append(stacked.var(0).sum())
    assert spread[1] < spread[0]


def test_bandit_sampled_gradient_finds_the_best_arm():
    generator = torch.Generator().manual_seed(1)

    def surrogate(log_pi):
        drawn = torch.multinomial(log_pi.detach().exp(), 32, replacement=True, generator=generator)
        return sampled_expectation(log_pi, log_pi, drawn, advantage(REWARD[None], log_pi, log_pi, "policy"))

    assert ascend(surrogate, 600)[1] > 0.9
