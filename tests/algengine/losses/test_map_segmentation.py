import itertools

import pytest
import torch

from algengine.losses.map_segmentation import box_distance, dice_loss, generalized_iou, sigmoid_focal
from algengine.losses.map_segmentation_matching import assign, class_cost, dice_cost, location_cost


def test_dice_by_hand():
    masks = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.5, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    target = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    # 1 - 2 * 1 / (2 + 2); 1 - 2 * 2.5 / (4.25 + 2): too strong a mask costs as well; nothing found costs all.
    assert torch.allclose(dice_loss(masks, target), torch.tensor([0.5, 0.2, 1.0]), atol=1e-5)
    assert dice_loss(target, target).item() == pytest.approx(0.0, abs=1e-5)
    pairs = dice_cost(masks, torch.cat([target, 1 - target]))
    assert pairs.shape == (3, 2)
    assert torch.allclose(pairs[:, 0], 2.0 * dice_loss(masks, target, eps=1e-3))
    assert torch.allclose(pairs[:, 1], 2.0 * dice_loss(masks, 1 - target, eps=1e-3))


def test_generalized_iou_by_hand():
    # Unit squares: the same, half over each other, and two apart.
    first = torch.tensor([[0.5, 0.5, 1.0, 1.0]]).expand(3, 4)
    second = torch.tensor([[0.5, 0.5, 1.0, 1.0], [1.0, 0.5, 1.0, 1.0], [3.5, 0.5, 1.0, 1.0]])
    # Overlap 0.5, union 1.5, hull 1.5; then overlap 0, union 2, hull 4.
    assert torch.allclose(generalized_iou(first, second), torch.tensor([1.0, 1 / 3, -0.5]))
    assert torch.allclose(box_distance(first, second), torch.tensor([0.0, 0.5, 3.0]))
    flat = torch.zeros(1, 4, requires_grad=True)
    generalized_iou(flat, flat.detach()).sum().backward()
    assert flat.grad.isfinite().all()


def test_focal_is_its_formula():
    torch.manual_seed(0)
    logits, target = torch.randn(50), (torch.rand(50) > 0.5).float()
    p = logits.double().sigmoid()
    expected = torch.where(target > 0, -0.25 * (1 - p) ** 2 * p.log(), -0.75 * p**2 * (1 - p).log())
    assert torch.allclose(sigmoid_focal(logits, target).double(), expected, atol=1e-6)
    cost = class_cost(logits[:, None].expand(50, 2), torch.tensor([0]))[:, 0].double()
    assert torch.allclose(cost, -0.25 * (1 - p) ** 2 * p.log() + 0.75 * p**2 * (1 - p).log(), atol=1e-6)


def test_location_cost_is_the_sum_of_its_parts():
    torch.manual_seed(0)
    logits, boxes = torch.randn(4, 3), torch.rand(4, 4)
    labels, gt_boxes = torch.tensor([2, 0]), torch.rand(2, 4)
    for factor in (1.0, 2.0):
        cost = location_cost(logits, boxes, labels, gt_boxes, classes=factor)
        for q, n in itertools.product(range(4), range(2)):
            expected = (
                factor * 2.0 * class_cost(logits[q : q + 1], labels[n : n + 1])
                + 5.0 * box_distance(boxes[q], gt_boxes[n])
                - 2.0 * generalized_iou(boxes[q], gt_boxes[n])
            )
            assert cost[q, n].item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize(("queries", "elements"), [(5, 3), (3, 3), (2, 4), (4, 0)])
def test_assignment_is_the_cheapest_of_all(queries, elements):
    torch.manual_seed(queries)
    cost = torch.randn(queries, elements)
    query, element = assign(cost)
    pairs = min(queries, elements)
    assert len(query) == len(set(query.tolist())) == len(set(element.tolist())) == pairs
    sums = [
        sum(cost[q, n].item() for q, n in zip(chosen, order, strict=True))
        for chosen in itertools.permutations(range(queries), pairs)
        for order in itertools.combinations(range(elements), pairs)
    ]
    assert cost[query, element].sum().item() == pytest.approx(min(sums), abs=1e-5)


def test_rounds_give_each_element_its_next_best_query():
    cost = torch.tensor([[0.0, 9.0], [1.0, 9.0], [9.0, 0.0], [2.0, 2.5], [9.0, 9.5]])
    query, element = assign(cost, rounds=3)
    # 0 and 2 are perfect; then 1 and 3 (1 + 2.5); one is left for the last round, and element 0 is the cheaper one.
    found = sorted(zip(query.tolist(), element.tolist(), strict=True))
    assert found == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 0)]
