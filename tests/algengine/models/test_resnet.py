import importlib.util

import pytest
import torch
from torch import nn

from algengine.models.layers.bias_relu import bias_relu_
from algengine.models.resnet import ResNet

pytestmark = pytest.mark.mm
HAS_TRITON = importlib.util.find_spec("triton") is not None


def make(depth: int, **options) -> ResNet:
    """Return a small backbone with statistics away from their start."""
    torch.manual_seed(0)
    model = ResNet(
        depth=depth,
        base_channels=8,
        stem_channels=8,
        out_indices=(1, 3),
        norm_cfg={"type": "BN"},
        norm_eval=False,
        **options,
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.2)
            nn.init.normal_(module.bias, 0.0, 0.2)
            nn.init.normal_(module.running_mean, 0.0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    model.eval()
    return model


@pytest.mark.parametrize(("depth", "style"), [(18, "pytorch"), (50, "pytorch"), (50, "caffe")])
def test_folded_equals_plain(depth, style):
    model, images = make(depth, style=style), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        for one, other in zip(model(images), model.forward_folded(images), strict=True):
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(one.abs().max()))


def test_folded_weights_follow_the_weights():
    model, images = make(18), torch.randn(1, 3, 32, 32)
    before = model.forward_folded(images)[0]
    assert torch.equal(model.forward_folded(images)[0], before)
    with torch.no_grad():
        model.layer1[0].norm1.running_mean.add_(0.5)
        changed, wanted = model.forward_folded(images)[0], model(images)[0]
    assert not torch.allclose(changed, before, atol=1e-3)
    assert torch.allclose(changed, wanted, atol=1e-4)


def test_what_cannot_be_folded():
    assert make(18).is_foldable()
    learning = make(18)
    learning.train()
    assert not learning.is_foldable()
    assert not make(50, deep_stem=True).is_foldable()
    assert not make(50, avg_down=True).is_foldable()


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.skipif(not HAS_TRITON or torch.cuda.is_available(), reason="Triton's interpreter is for CPUs")
def test_bias_relu_by_interpreter(monkeypatch, shortcut):
    maps, bias, added = torch.randn(2, 6, 5, 7), torch.randn(6), torch.randn(2, 6, 5, 7) if shortcut else None
    expected = bias_relu_(maps.clone(), bias, added)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    last = [x if x is None else x.contiguous(memory_format=torch.channels_last) for x in (maps, added)]
    assert torch.allclose(bias_relu_(last[0], bias, last[1]), expected, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("depth", [18, 50])
def test_folded_on_a_gpu(dtype, depth):
    model, images = make(depth).cuda().to(memory_format=torch.channels_last), torch.randn(2, 3, 64, 96).cuda()
    with torch.no_grad(), torch.autocast("cuda", dtype=dtype, enabled=dtype != torch.float32):
        plain = super(ResNet, model).forward(images)
        for one, other in zip(plain, model(images), strict=True):
            assert one.dtype == other.dtype == dtype
            gap = (one - other).float().norm() / one.float().norm()
            assert gap < (1e-3 if dtype == torch.float32 else 3e-2)
