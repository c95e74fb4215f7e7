"""Losses and gradients of a whole planner do not depend on the form of deformable attention."""

import importlib.util

import pytest
import torch

from alg_factories import make_vocabulary, tiny_model_config
from algengine import registry
from algengine.datasets.collate import planning_collate
from algengine.engine.synthetic import synthetic_sample

pytestmark = pytest.mark.mm
HAS_TRITON = importlib.util.find_spec("triton") is not None


def learn(form: str, compat: bool, device: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return loss and gradients of two clips of two frames, with offsets away from whole cells."""
    torch.manual_seed(0)
    config = tiny_model_config(12)
    planner = registry.MODELS.build(config | {"deformable": form, "compat": compat})
    planner.head.vocabulary.copy_(torch.from_numpy(make_vocabulary(12)))
    for module in planner.modules():
        if hasattr(module, "offsets"):
            torch.nn.init.normal_(module.offsets.weight, std=0.1)
            torch.nn.init.normal_(module.weights.weight, std=0.3)
    batch = planning_collate([synthetic_sample(config, 2, seed) for seed in range(2)])
    planner.to(device)
    parts = planner.forward(**planner.data_preprocessor(batch, training=True), mode="loss")
    parts["loss_imitation"].backward()
    grads = {name: p.grad for name, p in planner.named_parameters() if p.grad is not None}
    return parts["loss_imitation"].detach(), grads


def assert_forms_agree(compat: bool, device: str, tolerance: float) -> None:
    loss, grads = learn("torch", compat, device)
    other_loss, other_grads = learn("triton", compat, device)
    assert torch.allclose(loss, other_loss, rtol=tolerance)
    assert grads.keys() == other_grads.keys()
    for name, grad in grads.items():
        assert (grad - other_grads[name]).norm() <= tolerance * grad.norm() + 1e-6, name


@pytest.mark.slow
@pytest.mark.skipif(not HAS_TRITON or torch.cuda.is_available(), reason="Triton's interpreter is for CPUs")
@pytest.mark.parametrize("compat", [False, True])
def test_by_interpreter(monkeypatch, compat):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert_forms_agree(compat, "cpu", 1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("compat", [False, True])
def test_on_a_gpu(compat):
    assert_forms_agree(compat, "cuda", 1e-2)
