import itertools

import pytest
import torch

from algengine.losses.tracking_match import assign


def slow_assign(cost, owner, free, present):
    """Return what `assign` does, query by query and permutation by permutation."""
    layers, batch, queries, objects = cost.shape
    found = torch.full((layers, batch, queries), -1)
    for layer, b in itertools.product(range(layers), range(batch)):
        followed = set()
        for k in range(queries):
            row = int(owner[b, k])
            if row >= 0:
                followed.add(row)
                if present[b, row]:
                    found[layer, b, k] = row
        open_rows = [m for m in range(objects) if present[b, m] and m not in followed]
        open_queries = [k for k in range(queries) if free[b, k]]
        pairs = min(len(open_rows), len(open_queries))
        best, choice = float("inf"), ()
        for chosen in itertools.permutations(open_queries, pairs):
            for rows in itertools.combinations(open_rows, pairs):
                total = sum(float(cost[layer, b, k, m]) for k, m in zip(chosen, rows, strict=True))
                if total < best:
                    best, choice = total, tuple(zip(chosen, rows, strict=True))
        for k, m in choice:
            found[layer, b, k] = m
    return found


@pytest.mark.parametrize("seed", range(12))
def test_the_same_as_trying_everything(seed):
    generator = torch.Generator().manual_seed(seed)
    cost = torch.rand(2, 2, 6, 4, generator=generator)
    owner = torch.full((2, 6), -1)
    owner[0, 5], owner[1, 4], owner[1, 5] = 2, 0, 3
    free = (torch.rand(2, 6, generator=generator) > 0.3) & (owner < 0)
    present = torch.rand(2, 4, generator=generator) > 0.25
    assert torch.equal(assign(cost, owner, free, present), slow_assign(cost, owner, free, present))


def test_a_follower_keeps_its_object_although_another_is_cheaper():
    cost = torch.tensor([[[[0.0], [9.0]]]])
    owner, free = torch.tensor([[-1, 0]]), torch.tensor([[True, False]])
    assert assign(cost, owner, free, torch.tensor([[True]])).tolist() == [[[-1, 0]]]


def test_an_object_out_of_sight_is_nobodys_and_its_follower_is_not_free():
    cost = torch.zeros(1, 1, 2, 2)
    owner, free = torch.tensor([[0, -1]]), torch.tensor([[False, False]])
    assert assign(cost, owner, free, torch.tensor([[False, True]])).tolist() == [[[-1, -1]]]


def test_more_objects_than_queries():
    cost = torch.tensor([[[[3.0, 1.0, 2.0]]]])
    found = assign(cost, torch.tensor([[-1]]), torch.tensor([[True]]), torch.ones(1, 3, dtype=torch.bool))
    assert found.tolist() == [[[1]]]
