import math

import pytest
import torch

from algengine.losses.distillation import SUB_SCORE_WEIGHTS, distill_sub_scores


def test_by_hand():
    # Probability 3/4 for two plans, one true and one half true.
    logits = {"no_at_fault_collisions": torch.full((1, 2), math.log(3.0))}
    losses = distill_sub_scores(logits, {"no_at_fault_collisions": torch.tensor([[1.0, 0.5]])})
    each = [-math.log(0.75), -0.5 * math.log(0.75) - 0.5 * math.log(0.25)]
    assert losses["loss_no_at_fault_collisions"].item() == pytest.approx(3.0 * sum(each) / 2)


def test_samples_without_a_cache_do_not_count():
    generator = torch.Generator().manual_seed(0)
    logits = {name: torch.randn(3, 4, generator=generator) for name in SUB_SCORE_WEIGHTS}
    targets = {name: torch.rand(3, 4, generator=generator) for name in SUB_SCORE_WEIGHTS}
    known = torch.tensor([True, False, True])
    part = distill_sub_scores(
        {k: v[known] for k, v in logits.items()}, {k: v[known] for k, v in targets.items()}
    )
    whole = distill_sub_scores(logits, targets, known)
    for name, value in whole.items():
        assert value.item() == pytest.approx(part[name].item(), rel=1e-5)
    nothing = distill_sub_scores(logits, targets, torch.zeros(3, dtype=torch.bool))
    assert all(value == 0.0 for value in nothing.values())


def test_gradients_match_finite_differences():
    # `float()` in the loss: differences of single precision, so a coarse step and tolerance.
    logits = torch.tensor([[0.3, -1.2, 2.0]], requires_grad=True)
    target = {"comfort": torch.tensor([[1.0, 0.0, 0.5]])}
    distill_sub_scores({"comfort": logits}, target)["loss_comfort"].backward()
    for i in range(3):
        step = torch.zeros_like(logits)
        step[0, i] = 1e-2
        with torch.no_grad():
            up, down = (
                distill_sub_scores({"comfort": logits + sign * step}, target)["loss_comfort"]
                for sign in (1, -1)
            )
        assert ((up - down) / 2e-2).item() == pytest.approx(logits.grad[0, i].item(), abs=1e-4)
