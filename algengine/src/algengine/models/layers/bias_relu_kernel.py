"""The Triton kernel of `bias_relu`; imports Triton, so it is imported only when used."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 2048


def launch(maps: Tensor, bias: Tensor, shortcut: Tensor | None) -> None:
    """Write `relu(maps + bias + shortcut)` over `maps`; all are laid out with channels last."""
    count = maps.numel()
    if count == 0:
        return
    _kernel[(triton.cdiv(count, _BLOCK),)](
        maps,
        bias,
        maps if shortcut is None else shortcut,
        count,
        CHANNELS=maps.shape[1],
        ADDED=shortcut is not None,
        BLOCK=_BLOCK,
    )


@triton.jit
def _kernel(maps, bias, shortcut, count, CHANNELS: tl.constexpr, ADDED: tl.constexpr, BLOCK: tl.constexpr):
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = index < count
    value = tl.load(maps + index, mask=inside, other=0.0).to(tl.float32)
    value += tl.load(bias + index % CHANNELS, mask=inside, other=0.0).to(tl.float32)
    if ADDED:
        value += tl.load(shortcut + index, mask=inside, other=0.0).to(tl.float32)
    tl.store(maps + index, tl.maximum(value, 0.0), mask=inside)
