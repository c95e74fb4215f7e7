import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from alg_factories import make_vocabulary, tiny_model_config
from algengine import registry
from algengine.checkpoints.lora import to_published
from algengine.checkpoints.lora_names import adapter_names
from algengine.checkpoints.original import convert_original
from algengine.errors import CheckpointError
from algengine.post_training.adapt import (
    AdapterConfig,
    LoRARule,
    adapt,
    count_trainable,
    only_adapters_in_training,
)
from algengine.post_training.lora import adapted, attach, merge
from published_factories import SMALL, build_small, small_state
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


def make_planner(sub_scores: bool = True) -> nn.Module:
    torch.manual_seed(0)
    config = tiny_model_config(12)
    config["head"]["sub_scores"] = sub_scores
    planner = registry.MODELS.build(config)
    planner.head.vocabulary.copy_(torch.from_numpy(make_vocabulary(12)))
    return planner.eval()


def inputs(batch: int = 2):
    generator = torch.Generator().manual_seed(1)
    status = {
        "history": torch.randn(batch, 4, 3, generator=generator),
        "velocity": torch.randn(batch, 4, 2, generator=generator),
        "acceleration": torch.randn(batch, 4, 2, generator=generator),
        "command": torch.ones(batch, 4, dtype=torch.int64),
        "history_valid": torch.ones(batch, 4, dtype=torch.bool),
    }
    return torch.randn(batch, 16, 8, 10, generator=generator), status


def randomise(planner: nn.Module) -> None:
    for _, layer in adapted(planner):
        nn.init.normal_(layer.lora.B, std=0.5)


@pytest.fixture(scope="module")
def outcome():
    """A planner, its outputs, and a copy with adapters."""
    planner = make_planner()
    with torch.no_grad():
        before = planner.head(*inputs())
    student = copy.deepcopy(planner)
    adapt(student, AdapterConfig(rank=4))
    return planner, before, student


def test_new_adapters_change_nothing_bitwise(outcome):
    _, before, student = outcome
    after = student.head(*inputs())
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_only_adapters_learn_and_every_one_is_reached(outcome):
    planner, _, student = outcome
    student = copy.deepcopy(student)
    randomise(student)
    only_adapters_in_training(student)
    sum(v.square().sum() for v in student.head(*inputs()).values()).backward()
    learning = {n: p for n, p in student.named_parameters() if p.requires_grad}
    assert all(".lora." in name for name in learning)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learning.values())
    # Rank 4: 4 (in + out) of each layer, three times 4 in + 4 out of the fused one.
    expected = sum(
        4 * (m.weight.shape[0] + m.weight.shape[1] * (3 if n == "head.encoder.qkv" else 1))
        for n, m in planner.named_modules()
        if n.startswith("head.")
        and (isinstance(m, nn.Linear) or (isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)))
    )
    total = sum(p.numel() for p in planner.parameters())
    assert count_trainable(student) == (expected, total + expected)
    assert set(planner.state_dict()) < set(student.state_dict())


def test_merged_equals_unmerged(outcome):
    _, before, student = outcome
    student = copy.deepcopy(student)
    randomise(student)
    with torch.no_grad():
        unmerged = student.eval().head(*inputs())
        merge(student)
        merged = student.eval().head(*inputs())
    assert list(adapted(student)) == []
    for name in before:
        assert not torch.allclose(unmerged[name], before[name], atol=1e-3)
        assert torch.allclose(merged[name], unmerged[name], atol=1e-4)


def test_a_fused_projection_has_three_adapters():
    layer = nn.Linear(5, 6)
    branch = attach(layer, 2, 1.0, 0.0, 3)
    nn.init.normal_(branch.B)
    delta = branch.delta()
    for part in range(3):
        rows = slice(2 * part, 2 * part + 2)
        assert torch.allclose(delta[rows], 0.5 * branch.B[part] @ branch.A[part])
        assert torch.linalg.matrix_rank(delta[rows]) <= 2
    x = torch.randn(7, 5)
    assert torch.allclose(layer(x), x @ (layer.weight + delta).T + layer.bias, atol=1e-5)


@pytest.mark.parametrize("sub_scores", [True, False])
def test_published_adapters_beside_published_weights_are_the_student(sub_scores):
    sizes = replace(SMALL, sub_scores=sub_scores)
    published, planner = small_state(sizes), build_small(sizes, compat=True)
    planner.load_state_dict(published)
    student = copy.deepcopy(planner)
    adapt(student, AdapterConfig(rank=3))
    randomise(student)
    named = to_published(student.state_dict())
    assert all(name.startswith("planning_head.") and name.endswith("weight") for name in named)
    assert named["planning_head.encoder.self_attn.lora_to_k.B.weight"].shape == (sizes.dims, 3)
    assert ("planning_head.heads_lora.lora_progress.lora_2.A.weight" in named) == sub_scores
    layer = "planning_head.transformer.bev_interaction_layers.0.ffns.0.lora_layers.lora_0.lora_0"
    assert f"{layer}.A.weight" in named
    converted, report = convert_original(published | named, planner)
    assert report.lora == len(named) / 2
    merge(student)
    for name, value in student.state_dict().items():
        assert torch.allclose(converted[name], value, atol=1e-5), name


def test_layers_and_adapters_without_published_names_are_refused():
    with pytest.raises(CheckpointError, match="no published name"):
        adapter_names("backbone.conv1")
    with pytest.raises(CheckpointError, match="belongs to no part of the published planner"):
        convert_original({"planning_head.vocab_lora.lora_0.A.weight": torch.zeros(1, 1)}, make_planner())


def test_what_cannot_be_adapted_is_refused():
    with pytest.raises(ConfigError, match="linear layer or 1 x 1"):
        attach(nn.Conv2d(3, 3, 3), 2, 1.0, 0.0, 1)
    with pytest.raises(ConfigError, match="multiple of 4 parts"):
        attach(nn.Linear(3, 6), 2, 1.0, 0.0, 4)
    planner = make_planner(sub_scores=False)
    with pytest.raises(ConfigError, match="nothing of the planner would learn"):
        adapt(planner, AdapterConfig(rules=(LoRARule("nobody.*"),)))
    with pytest.raises(ConfigError, match="fits no parameter"):
        adapt(planner, AdapterConfig(trainable=("head.sub_scores.*",)))


def test_new_heads_may_learn_beside_their_adapters():
    planner = make_planner()
    adapt(planner, AdapterConfig(rank=2, trainable=("head.sub_scores.*",)))
    learning = [n for n, p in planner.named_parameters() if p.requires_grad and ".lora." not in n]
    assert learning
    assert all(name.startswith("head.sub_scores.") for name in learning)


@pytest.mark.parametrize("sub_scores, learning, adapters", [(True, 1.98e6, 656e3), (False, 472e3, 472e3)])
def test_counts_of_the_full_size_head_are_the_published_ones(sub_scores, learning, adapters):
    # Reference: algengine.md 2.7; the vocabulary's size adds nothing that learns.
    head = registry.MODELS.build(
        {
            "type": "TrajectoryScoringHead",
            "vocabulary_size": 8,
            "dims": 256,
            "heads": 8,
            "num_layers": 3,
            "points": 4,
            "hidden": 1024,
            "sub_scores": sub_scores,
            "compat": True,
        }
    )
    planner = nn.ModuleDict({"head": head})
    layers = adapt(planner, AdapterConfig(trainable=("head.sub_scores.*",) if sub_scores else ()))
    assert count_trainable(planner)[0] == pytest.approx(learning, rel=2e-3)
    size = sum(p.numel() for n, p in planner.named_parameters() if ".lora." in n)
    assert size == pytest.approx(adapters, rel=2e-3)
    assert all(adapter_names(layer) for layer in layers)
