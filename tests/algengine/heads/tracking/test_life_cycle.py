import pytest
import torch

from algengine.heads.tracking.life_cycle import LifeCycle

pytestmark = pytest.mark.mm

CYCLE = LifeCycle(birth=0.4, keep=0.35, tolerance=3)


def live(scores: list[list[float]], allowed: list[bool] | None = None) -> list[list[int]]:
    """Return the identities of two queries after each frame."""
    owner, misses = torch.full((1, 2), -1), torch.zeros(1, 2, dtype=torch.int64)
    born, history = torch.zeros(1, dtype=torch.int64), []
    may = torch.tensor([allowed or [True, True]])
    for frame in scores:
        owner, misses, born = CYCLE.update(owner, misses, torch.tensor([frame]), may, born)
        history.append(owner[0].tolist())
    return history


def test_birth_needs_the_score_and_ids_count_on():
    assert live([[0.39, 0.1], [0.4, 0.1], [0.4, 0.9]]) == [[-1, -1], [0, -1], [0, 1]]


def test_some_queries_never_get_an_identity():
    assert live([[0.9, 0.9]], [False, True]) == [[-1, 0]]


def test_a_short_absence_keeps_the_identity():
    assert live([[0.9, 0.0], [0.1, 0.0], [0.1, 0.0], [0.9, 0.0], [0.1, 0.0], [0.1, 0.0]])[-1] == [0, -1]


def test_scores_between_the_two_are_no_miss_but_do_not_heal():
    # 0.36 keeps the count of two misses; the next miss is the third.
    history = live([[0.9, 0.0], [0.1, 0.0], [0.1, 0.0], [0.36, 0.0], [0.1, 0.0]])
    assert [frame[0] for frame in history] == [0, 0, 0, 0, -1]


def test_a_dead_identity_never_comes_back():
    history = live([[0.9, 0.0], *[[0.1, 0.0]] * 3, [0.9, 0.0]])
    assert [frame[0] for frame in history] == [0, 0, 0, -1, 1]


def test_samples_of_a_batch_count_for_themselves():
    owner, misses = torch.full((2, 3), -1), torch.zeros(2, 3, dtype=torch.int64)
    scores = torch.tensor([[0.9, 0.1, 0.9], [0.1, 0.9, 0.9]])
    owner, _, born = CYCLE.update(
        owner, misses, scores, torch.ones(2, 3, dtype=torch.bool), torch.tensor([0, 5])
    )
    assert owner.tolist() == [[0, -1, 1], [-1, 5, 6]]
    assert born.tolist() == [2, 7]
