import torch
from torch import nn

from algengine.models.layers.norm import LeanNorm


def make() -> tuple[LeanNorm, nn.LayerNorm, torch.Tensor]:
    torch.manual_seed(0)
    lean, plain = LeanNorm(16), nn.LayerNorm(16)
    nn.init.normal_(lean.weight)
    nn.init.normal_(lean.bias)
    plain.load_state_dict(lean.state_dict())
    return lean, plain, 3.0 + 5.0 * torch.randn(4, 7, 16)


def test_is_a_layer_norm_in_single_precision():
    lean, plain, x = make()
    assert torch.equal(lean(x), plain(x))


def test_keeps_the_precision_of_autocast():
    lean, plain, x = make()
    with torch.autocast("cpu", torch.bfloat16):
        found = lean(x)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), plain(x), rtol=2e-2, atol=3e-2)
    found.float().pow(2).sum().backward()
    assert lean.weight.grad.dtype == torch.float32
