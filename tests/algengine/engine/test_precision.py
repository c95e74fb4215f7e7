import pytest
import torch
from torch import nn

from algengine.engine.precision import PlannerOptimWrapper
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


def make(dtype: str, **options) -> tuple[nn.Module, PlannerOptimWrapper]:
    torch.manual_seed(0)
    model = nn.Linear(8, 4)
    return model, PlannerOptimWrapper(dtype, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), **options)


def step(model: nn.Module, wrapper: PlannerOptimWrapper, inputs: torch.Tensor) -> torch.dtype:
    with wrapper.optim_context(model):
        output = model(inputs)
    wrapper.update_params(output.float().pow(2).mean())
    return output.dtype


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_losses_are_computed_in_the_dtype_and_weights_stay_single(dtype):
    inputs = torch.randn(16, 8, generator=torch.Generator().manual_seed(1))
    exact, close = make("float32"), make(dtype)
    assert step(*close, inputs) == getattr(torch, dtype)
    step(*exact, inputs)
    assert close[0].weight.dtype == torch.float32
    assert torch.allclose(close[0].weight, exact[0].weight, atol=1e-3)
    assert (dtype == "float32") == torch.equal(close[0].weight, exact[0].weight)


def test_an_overflow_leaves_the_weights_alone_and_lowers_the_scale():
    model, wrapper = make("float16", clip_grad={"max_norm": 1.0})
    before, scale = model.weight.clone(), wrapper.scaler.get_scale()
    step(model, wrapper, torch.full((2, 8), 6e4))
    assert torch.equal(model.weight, before)
    assert wrapper.scaler.get_scale() < scale
    again = make("float16")[1]
    again.load_state_dict(wrapper.state_dict())
    assert again.scaler.get_scale() == wrapper.scaler.get_scale()


def test_accumulated_gradients_are_those_of_one_batch():
    inputs = torch.randn(16, 8, generator=torch.Generator().manual_seed(1))
    whole, parts = make("float32"), make("float32", accumulative_counts=2)
    step(*whole, inputs)
    first = parts[0].weight.clone()
    step(*parts, inputs[:8])
    assert torch.equal(parts[0].weight, first)
    step(*parts, inputs[8:])
    assert torch.allclose(parts[0].weight, whole[0].weight, atol=1e-6)


def test_unknown_dtype():
    with pytest.raises(ConfigError, match="expected one of float32"):
        make("int8")
