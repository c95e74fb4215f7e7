"""A ResNet that folds its norms into its convolutions at inference, and then passes over memory once after each.

On a GPU a frozen backbone spends more time on norms, shortcuts and ReLUs, one after the other, than on convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from algengine.models.layers.bias_relu import bias_relu_
from algengine.models.layers.precision import as_computed
from algengine.registry import MODELS

# The registry makes MMCV importable first.
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck  # isort: skip
from mmdet.models.backbones.resnet import ResNet as PlainResNet  # isort: skip


@MODELS.register_module()
class ResNet(PlainResNet):
    """MMDetection's ResNet, with its arguments, weights and results; on a GPU without gradients it is faster.

    Then its norms are folded into its convolutions, which changes results by rounding. Folded weights are kept until a
    weight or a statistic changes.
    """

    _kept: dict[str, tuple[Tensor, Tensor]]
    _state: tuple = ()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps (B, C, h, w) of images (B, 3, H, W)."""
        learns = torch.is_grad_enabled() and (
            x.requires_grad or any(p.requires_grad for p in self.parameters())
        )
        if not x.is_cuda or learns or self._compiled_call_impl is not None or not self.is_foldable():
            return super().forward(x)
        return self.forward_folded(x)

    def is_foldable(self) -> bool:
        """Return whether this is a ResNet of plain blocks in evaluation mode."""
        blocks = [block for name in self.res_layers for block in getattr(self, name)]
        plain = all(
            type(block) in (BasicBlock, Bottleneck)
            and not getattr(block, "with_plugins", False)
            and (block.downsample is None or len(block.downsample) == 2)
            for block in blocks
        )
        return (
            plain
            and not self.deep_stem
            and all(
                type(conv) is nn.Conv2d and isinstance(norm, nn.BatchNorm2d) and not norm.training
                for conv, norm in self._pairs().values()
            )
        )

    @torch.no_grad()
    def forward_folded(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return what `forward` returns in evaluation mode, without gradients."""
        x = as_computed(x).contiguous(memory_format=torch.channels_last)
        outputs = []
        with torch.autocast(x.device.type, enabled=False):
            self._refresh(x.dtype)
            x = self.maxpool(self._step("conv1", self.conv1, x))
            for i, name in enumerate(self.res_layers):
                for j, block in enumerate(getattr(self, name)):
                    x = self._block(f"{name}.{j}.", block, x)
                if i in self.out_indices:
                    outputs.append(x)
        return tuple(outputs)

    def _block(self, prefix: str, block: nn.Module, x: Tensor) -> Tensor:
        shortcut = x
        if block.downsample is not None:
            weight, bias = self._kept[f"{prefix}downsample.0"]
            shortcut = _convolve(block.downsample[0], x, weight, bias.to(x.dtype))
        names = ("conv1", "conv2", "conv3") if isinstance(block, Bottleneck) else ("conv1", "conv2")
        for name in names:
            added = shortcut if name == names[-1] else None
            x = self._step(prefix + name, getattr(block, name), x, added)
        return x

    def _step(self, name: str, conv: nn.Conv2d, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        weight, bias = self._kept[name]
        return bias_relu_(_convolve(conv, x, weight), bias, shortcut)

    def _refresh(self, dtype: torch.dtype) -> None:
        state = (dtype, *((tensor.data_ptr(), tensor._version) for tensor in self.state_dict().values()))
        if state != self._state:
            self._kept = {name: fold(*pair, dtype) for name, pair in self._pairs().items()}
            self._state = state

    def _pairs(self) -> dict[str, tuple[nn.Module, nn.Module]]:
        """Return all convolutions by name, each with its norm."""
        pairs = {"conv1": (self.conv1, self.norm1)}
        for layer in self.res_layers:
            for j, block in enumerate(getattr(self, layer)):
                prefix = f"{layer}.{j}."
                for i in range(1, 4 if isinstance(block, Bottleneck) else 3):
                    pairs[f"{prefix}conv{i}"] = getattr(block, f"conv{i}"), getattr(block, f"norm{i}")
                if block.downsample is not None:
                    pairs[f"{prefix}downsample.0"] = tuple(block.downsample)
        return pairs


def fold(conv: nn.Conv2d, norm: nn.Module, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return weight in `dtype` and bias in single precision of one convolution that does what `conv` and `norm` do."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = (conv.weight * scale[:, None, None, None]).to(dtype, memory_format=torch.channels_last)
    bias = norm.bias - norm.running_mean * scale
    return weight, bias if conv.bias is None else bias + conv.bias * scale


def _convolve(conv: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
