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


def slow_update(cycle, owner, misses, scores, allowed, born):
    """Return what `LifeCycle.update` does to one sample, query by query."""
    for k in range(len(owner)):
        if scores[k] >= cycle.birth:
            misses[k] = 0
        if owner[k] == -1:
            if allowed[k] and scores[k] >= cycle.birth:
                owner[k], born = born, born + 1
        elif scores[k] < cycle.keep:
            misses[k] += 1
            if misses[k] >= cycle.tolerance:
                owner[k] = -1
    return owner, misses, born


def test_the_same_as_a_loop_over_queries():
    generator = torch.Generator().manual_seed(0)
    owner, misses = torch.full((3, 8), -1), torch.zeros(3, 8, dtype=torch.int64)
    allowed, born = torch.rand(3, 8, generator=generator) > 0.2, torch.zeros(3, dtype=torch.int64)
    slow = [(owner[b].tolist(), misses[b].tolist(), 0) for b in range(3)]
    for _ in range(40):
        scores = torch.rand(3, 8, generator=generator) * 0.6
        owner, misses, born = CYCLE.update(owner, misses, scores, allowed, born)
        slow = [slow_update(CYCLE, o, m, scores[b], allowed[b], n) for b, (o, m, n) in enumerate(slow)]
        assert owner.tolist() == [o for o, _, _ in slow]
        assert born.tolist() == [n for _, _, n in slow]
    assert (born > 10).all()
