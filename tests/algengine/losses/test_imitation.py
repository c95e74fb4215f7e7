import math

import torch

from algengine.losses.imitation import (
    hard_imitation,
    masked_mean,
    soft_imitation,
    soft_target,
    trajectory_distance,
)


def test_distance_by_hand():
    # Ten poses, stride five: poses 4 and 9 count. Plan 1 is 3 m beside the drive at both, plan 0 on it.
    vocabulary = torch.zeros(2, 10, 3)
    vocabulary[1, :, 1] = 3.0
    driven = torch.zeros(1, 10, 3)
    driven[0, :, 2] = 1.0  # the yaw does not count
    valid = torch.ones(1, 10, dtype=torch.bool)
    assert trajectory_distance(vocabulary, driven, valid).tolist() == [[0.0, 6.0]]
    valid[0, 9] = False
    assert trajectory_distance(vocabulary, driven, valid).tolist() == [[0.0, 3.0]]


def test_hard_imitation_by_hand():
    logits = torch.tensor([[0.0, math.log(3.0)]])  # probabilities 1/4 and 3/4
    nearest = torch.tensor([[5.0, 1.0]]).argmin(-1)
    assert torch.allclose(hard_imitation(logits, nearest, 0.0), torch.tensor([-math.log(0.75)]))
    # Smoothing 0.2 over two classes: 0.9 on the target, 0.1 on the other.
    expected = -(0.9 * math.log(0.75) + 0.1 * math.log(0.25))
    assert torch.allclose(hard_imitation(logits, nearest, 0.2), torch.tensor([expected]))


def test_soft_target_by_hand():
    # exp(0) : exp(-2 / 2) = 1 : 1/e
    target = soft_target(torch.tensor([[0.0, 2.0]]), temperature=2.0)
    first = 1 / (1 + math.exp(-1))
    assert torch.allclose(target, torch.tensor([[first, 1 - first]]))


def test_soft_imitation_is_least_at_its_target():
    distance = torch.rand(3, 7, generator=torch.Generator().manual_seed(0)) * 4
    best = soft_imitation(-distance, distance)
    entropy = -(soft_target(distance) * soft_target(distance).log()).sum(-1)
    assert torch.allclose(best, entropy)
    assert (soft_imitation(torch.zeros(3, 7), distance) > best).all()


def test_gradients_match_finite_differences():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    distance = torch.rand(2, 5, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: soft_imitation(x, distance), (logits,))
    assert torch.autograd.gradcheck(lambda x: hard_imitation(x, distance.argmin(-1)), (logits,))


def test_masked_mean():
    values = torch.tensor([1.0, 5.0, 100.0])
    assert masked_mean(values, torch.tensor([True, True, False])) == 3.0
    assert masked_mean(values, torch.zeros(3, dtype=torch.bool)) == 0.0
