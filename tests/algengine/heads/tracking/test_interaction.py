"""Query interaction and memory bank against loops over queries, without padding."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from algengine.heads.tracking.interaction import MemoryBank, QueryInteraction
from algengine.heads.tracking.queries import NewQueries

pytestmark = pytest.mark.mm

DIMS, HEADS, MEMORIES = 8, 2, 3


def make_queries(used: list[list[bool]]):
    torch.manual_seed(0)
    queries = NewQueries(DIMS, len(used[0]) - 1, MEMORIES)(len(used))
    return replace(
        queries, used=torch.tensor(used), memory=torch.randn(len(used), len(used[0]), MEMORIES, DIMS)
    )


def slow_interaction(module, position, content, embedding):
    heard, _ = module.self_attn(*(x[None] for x in (position + embedding, position + embedding, embedding)))
    target = module.norm1(embedding + heard[0])
    target = module.norm2(target + module.linear2(functional.relu(module.linear1(target))))
    new_position = module.norm_pos(position + module.linear_pos2(functional.relu(module.linear_pos1(target))))
    new_content = module.norm_feat(
        content + module.linear_feat2(functional.relu(module.linear_feat1(target)))
    )
    return new_position, new_content


def test_queries_hear_those_of_their_own_sample_only():
    queries = make_queries([[True, False, True, True], [False, True, False, False], [False] * 4])
    module, embedding = QueryInteraction(DIMS, HEADS), torch.randn(3, 4, DIMS)
    after = module(queries, embedding)
    for b in range(2):
        rows = queries.used[b]
        wanted = slow_interaction(
            module, queries.position[b, rows], queries.content[b, rows], embedding[b, rows]
        )
        assert torch.allclose(after.position[b, rows], wanted[0], atol=1e-5)
        assert torch.allclose(after.content[b, rows], wanted[1], atol=1e-5)
    assert torch.isfinite(after.content).all()  # also where a sample follows nothing


def test_memory_is_heard_as_far_as_it_goes():
    queries = make_queries([[True] * 3])
    recalled = torch.tensor([[[False, False, False], [False, True, True], [True, True, True]]])
    queries = replace(queries, recalled=recalled)
    bank, embedding = MemoryBank(DIMS, HEADS), torch.randn(1, 3, DIMS)
    found = bank.recall(queries, embedding)
    assert torch.equal(found[0, 0], embedding[0, 0])
    for k in (1, 2):
        past = queries.memory[0, k, recalled[0, k]][None]
        heard, _ = bank.temporal_attn(embedding[:, k : k + 1], past, past)
        mixed = bank.temporal_norm1(embedding[0, k] + heard[0, 0])
        mixed = bank.temporal_norm2(mixed + bank.temporal_fc2(functional.relu(bank.temporal_fc1(mixed))))
        assert torch.allclose(found[0, k], mixed, atol=1e-5)


def test_training_keeps_every_embedding_and_forgets_the_oldest():
    queries = make_queries([[True, False]])
    bank, embeddings = MemoryBank(DIMS, HEADS).train(), torch.randn(4, 1, 2, DIMS)
    for embedding in embeddings:
        queries = bank.save(queries, embedding)
    wanted = bank.save_proj(embeddings[1:, 0, 0])
    assert torch.allclose(queries.memory[0, 0], wanted, atol=1e-6)
    assert queries.recalled[0].tolist() == [[True] * 3, [False] * 3]


def test_otherwise_three_frames_are_left_out_between_two_memories():
    queries = make_queries([[True]])
    bank = MemoryBank(DIMS, HEADS, period=3).eval()
    kept = []
    for _ in range(9):
        before = queries.memory
        queries = bank.save(queries, torch.randn(1, 1, DIMS))
        kept.append(not torch.equal(before, queries.memory))
    assert kept == [True, False, False, False] * 2 + [True]
