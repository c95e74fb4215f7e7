import math

import pytest
import torch

from algengine.losses.tracking import Targets, focal_cost, focal_loss, match_cost, query_losses


def test_focal_loss_is_its_formula():
    for logit in (-3.0, 0.0, 2.5):
        p = 1.0 / (1.0 + math.exp(-logit))
        found = focal_loss(torch.tensor([logit, logit]), torch.tensor([1.0, 0.0]))
        assert found[0].item() == pytest.approx(-0.25 * (1 - p) ** 2 * math.log(p), rel=1e-5)
        assert found[1].item() == pytest.approx(-0.75 * p**2 * math.log(1 - p), rel=1e-5)


def test_cost_is_the_difference_that_a_class_makes():
    logits = torch.tensor([-2.0, 0.3, 4.0])
    difference = focal_loss(logits, torch.ones(3)) - focal_loss(logits, torch.zeros(3))
    assert torch.allclose(focal_cost(logits), difference, atol=1e-5)


def test_match_cost_by_loops():
    torch.manual_seed(0)
    logits, codes = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 10)
    labels, wanted = torch.randint(0, 5, (3, 6)), torch.randn(3, 6, 10)
    found = match_cost(logits, codes, labels, wanted, 2.0, 0.25)
    assert found.shape == (2, 3, 4, 6)
    for layer, b, k, m in ((0, 0, 0, 0), (1, 2, 3, 5), (0, 1, 2, 4)):
        classes = focal_cost(logits[layer, b, k])[labels[b, m]]
        boxes = (codes[layer, b, k] - wanted[b, m])[:8].abs().sum()
        assert found[layer, b, k, m].item() == pytest.approx((2.0 * classes + 0.25 * boxes).item(), rel=1e-4)


def test_losses_by_loops():
    torch.manual_seed(0)
    layers, batch, count, objects, classes, steps = 2, 2, 4, 3, 5, 7
    logits, codes = torch.randn(layers, batch, count, classes), torch.randn(layers, batch, count, 10)
    tracks = torch.randn(layers, batch, count, steps, 2)
    targets = Targets(
        torch.randint(0, classes, (batch, objects)),
        torch.randn(batch, objects, 10),
        torch.randn(batch, objects, steps, 2),
        torch.rand(batch, objects, steps) > 0.3,
    )
    assigned = torch.tensor([[[0, -1, 2, -1], [1, -1, -1, 0]], [[-1, 0, 2, -1], [1, -1, 0, -1]]])
    used = torch.tensor([[True, True, True, False], [True, True, True, True]])
    weights = torch.rand(10)
    wanted = {"cls": 0.0, "bbox": 0.0, "past_trajs": 0.0}
    for layer in range(layers):
        for b in range(batch):
            for k in range(count):
                m = int(assigned[layer, b, k])
                if used[b, k]:
                    goal = torch.zeros(classes)
                    if m >= 0:
                        goal[targets.labels[b, m]] = 1.0
                    wanted["cls"] += focal_loss(logits[layer, b, k], goal).sum()
                if m >= 0:
                    wanted["bbox"] += ((codes[layer, b, k] - targets.codes[b, m]).abs() * weights).sum()
                    gap = (tracks[layer, b, k] - targets.tracks[b, m]).abs().sum(-1)
                    wanted["past_trajs"] += gap[targets.tracks_valid[b, m]].sum()
    found = query_losses(logits, codes, tracks, used, assigned, targets, weights)
    for name, value in wanted.items():
        assert found[name].item() == pytest.approx(float(value), rel=1e-4), name
