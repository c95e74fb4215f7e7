import pytest
import torch

from algengine.heads.tracking.following import TrainingNoise, flat_overlap

pytestmark = pytest.mark.mm

ALL = torch.ones(1, 4, dtype=torch.bool)


def box(x: float, y: float, yaw: float = 0.0) -> torch.Tensor:
    return torch.tensor([x, y, 0.0, 4.0, 2.0, 1.5, yaw, 0.0, 0.0])


def test_overlap_by_hand():
    assert flat_overlap(box(0, 0), box(0, 0)) == pytest.approx(1.0)
    assert flat_overlap(box(0, 0), box(2, 0)) == pytest.approx(4.0 / 12.0)  # half of 8 m2 in common
    assert flat_overlap(box(0, 0), box(0, 0, torch.pi / 2)) == pytest.approx(4.0 / 12.0)
    assert flat_overlap(box(0, 0), box(0, 0, -torch.pi)) == pytest.approx(1.0)
    assert flat_overlap(box(0, 0), box(5, 0)) == 0.0


def test_what_overlaps_its_object_is_carried():
    noise = TrainingNoise(overlap=0.5, drop=0.0, false_positives=0.0)
    assigned, overlap = torch.tensor([[0, 1, -1, 2]]), torch.tensor([[0.9, 0.4, 0.9, 0.5]])
    allowed = torch.tensor([[True, True, True, False]])
    rank = noise.rank(assigned, overlap, torch.full((1, 4), 0.5), allowed)
    assert (rank > 0).tolist() == [[True, False, False, False]]


def test_false_positives_are_the_best_of_the_idle_ones():
    noise = TrainingNoise(overlap=0.0, drop=0.0, false_positives=1.0)
    assigned, scores = torch.tensor([[0, -1, -1, -1]]), torch.tensor([[0.9, 0.1, 0.3, 0.2]])
    rank = noise.rank(assigned, torch.ones(1, 4), scores, ALL)
    assert (rank > 0).tolist() == [[True, False, True, False]]
    assert rank[0, 0] > rank[0, 2]


def test_noise_has_its_rates():
    torch.manual_seed(0)
    count = 20_000
    assigned, scores = (
        torch.cat([torch.zeros(count), -torch.ones(count)]).long()[None],
        torch.rand(1, 2 * count),
    )
    allowed = torch.ones(1, 2 * count, dtype=torch.bool)
    rank = TrainingNoise(0.0, 0.1, 0.3).rank(assigned, torch.ones(1, 2 * count), scores, allowed)
    assert (rank[0, :count] > 0).float().mean() == pytest.approx(0.9, abs=0.01)
    assert (rank[0, count:] > 0).float().mean() == pytest.approx(0.27, abs=0.01)
