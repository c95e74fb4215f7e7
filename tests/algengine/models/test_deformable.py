import importlib.util

import pytest
import torch

from algengine.models.layers import deformable_mmcv, deformable_triton
from algengine.models.layers.deformable import choose_form, deformable_sample, sample_torch
from oracles.deformable import sample_by_loop
from simengine.errors import ConfigError

HAS_TRITON = importlib.util.find_spec("triton") is not None


def make_problem(seed=0, heads=3, depth=2, queries=4, points=2, dtype=torch.float32, device="cpu", batch=2):
    """Return maps of two levels, places (some outside) and weights, all wanting gradients."""
    generator = torch.Generator().manual_seed(seed)
    values = [
        torch.randn(batch, heads * depth, height, width, generator=generator, dtype=torch.float64)
        for height, width in ((5, 7), (3, 4))
    ]
    shape = (batch, queries, heads, 2, points)
    locations = torch.rand(*shape, 2, generator=generator, dtype=torch.float64) * 1.6 - 0.3
    weights = torch.rand(shape, generator=generator, dtype=torch.float64)
    make = [x.to(device=device, dtype=dtype).requires_grad_() for x in (*values, locations, weights)]
    return make[:2], make[2], make[3]


@pytest.mark.parametrize("seed", range(3))
def test_sampling_equals_the_loop(seed):
    values, locations, weights = make_problem(seed)
    fast = deformable_sample(values, locations, weights)
    assert torch.allclose(fast, sample_by_loop(values, locations, weights), atol=1e-5)


def test_a_cell_centre_reads_its_cell():
    value = torch.arange(12.0).reshape(1, 1, 3, 4)
    place = torch.tensor([(2 + 0.5) / 4, (1 + 0.5) / 3]).reshape(1, 1, 1, 1, 1, 2)
    assert deformable_sample([value], place, torch.ones(1, 1, 1, 1, 1)).item() == pytest.approx(6.0)


def test_gradients_of_the_torch_form_match_finite_differences():
    values, locations, weights = make_problem(dtype=torch.float64, queries=2, heads=2, batch=1)
    assert torch.autograd.gradcheck(
        lambda a, b, where, weight: sample_torch([a, b], where, weight), (*values, locations, weights)
    )


def test_forms_are_chosen_by_name_and_machine():
    cpu = torch.device("cpu")
    assert choose_form("auto", cpu) == "torch"
    assert choose_form("mmcv", cpu) == "torch"
    assert not deformable_mmcv.is_available(cpu)
    with pytest.raises(ConfigError, match="expected one of auto, torch, triton, mmcv"):
        choose_form("cuda", cpu)


def gradients(form, values, locations, weights, upper):
    """Return the samples and the gradients of `upper` with respect to all inputs."""
    for x in (*values, locations, weights):
        x.grad = None
    out = deformable_sample(values, locations, weights, form)
    (out * upper).sum().backward()
    return out.detach(), [x.grad.detach().clone().float() for x in (*values, locations, weights)]


def assert_same_as_torch(form, tolerance, **problem):
    values, locations, weights = make_problem(**problem)
    upper = torch.randn(len(values[0]), locations.shape[1], values[0].shape[1]).to(locations.device)
    expected, wanted = gradients("torch", values, locations, weights, upper)
    got, found = gradients(form, values, locations, weights, upper)
    assert got.dtype == torch.float32
    assert torch.allclose(got, expected, atol=tolerance)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=tolerance * max(1.0, float(other.abs().max())))


@pytest.mark.skipif(not HAS_TRITON or torch.cuda.is_available(), reason="Triton's interpreter is for CPUs")
@pytest.mark.parametrize("depth", [2, 3])
def test_triton_kernels_by_interpreter(monkeypatch, depth):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert choose_form("triton", torch.device("cpu")) == "triton"
    assert_same_as_torch("triton", 1e-5, depth=depth)


def test_without_triton_the_cpu_falls_back(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert choose_form("triton", torch.device("cpu")) == "torch"


def test_level_table_by_hand():
    table = deformable_triton.level_table(((5, 7), (3, 4)), torch.device("cpu"))
    assert table.tolist() == [[5, 7, 0], [3, 4, 35]]


@pytest.mark.gpu
@pytest.mark.parametrize("form", ["triton", "mmcv"])
@pytest.mark.parametrize("queries", [1, 33, 5000])
def test_gpu_forms_equal_torch(form, queries):
    if form == "mmcv" and not deformable_mmcv.is_available(torch.device("cuda")):
        pytest.skip("mmcv has no compiled operators here")
    assert_same_as_torch(form, 1e-4, heads=8, depth=32, points=4, queries=queries, device="cuda")


@pytest.mark.gpu
def test_triton_reads_bfloat16_maps():
    values, locations, weights = make_problem(heads=8, depth=32, queries=100, device="cuda")
    narrow = [value.detach().bfloat16().requires_grad_() for value in values]
    upper = torch.randn(2, 100, 256, device="cuda")
    expected, wanted = gradients("torch", narrow, locations, weights, upper)
    got, found = gradients("triton", narrow, locations, weights, upper)
    assert torch.allclose(got, expected, atol=1e-4)
    for one, other in zip(found, wanted, strict=True):
        # Gradients of the maps are rounded to bfloat16 in both forms.
        assert torch.allclose(one, other, rtol=2e-2, atol=2e-2 * float(other.abs().max()))


@pytest.mark.gpu
def test_triton_gradients_match_finite_differences():
    # Single precision: a step of 1e-2 in the maps and weights, in which the result is linear.
    values, locations, weights = make_problem(heads=2, depth=16, device="cuda")
    upper = torch.randn(2, 4, 32, device="cuda")
    _, found = gradients("triton", values, locations, weights, upper)
    for changed, grad in ((values[0], found[0]), (weights, found[3])):
        step = torch.randn_like(changed)
        with torch.no_grad():
            before = (deformable_sample(values, locations, weights, "triton") * upper).sum()
            changed.add_(step, alpha=1e-2)
            after = (deformable_sample(values, locations, weights, "triton") * upper).sum()
            changed.sub_(step, alpha=1e-2)
        assert torch.allclose((after - before) / 1e-2, (grad * step).sum(), rtol=1e-2, atol=1e-2)
