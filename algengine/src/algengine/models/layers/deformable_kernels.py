"""Triton kernels of deformable sampling; imports Triton, so only `deformable_triton` imports this, when needed.

One program computes a block of queries of one head of one sample. Cells are stored head by head with channels last, so
each corner of a bilinear read is one contiguous load.
"""

from __future__ import annotations

from collections.abc import Callable

import triton
import triton.language as tl
from torch import Tensor

_BLOCK_ELEMENTS = 1024
_WARPS = 4


def launch(
    kernel: Callable,
    tokens: Tensor,
    table: Tensor,
    locations: Tensor,
    weights: Tensor,
    others: tuple[Tensor, ...],
) -> None:
    """Run `kernel` over all queries, heads and samples; shapes as in `deformable_triton.sample`."""
    batch, queries, heads, levels, points = weights.shape
    depth = tokens.shape[3]
    lanes = triton.next_power_of_2(depth)
    block = max(1, _BLOCK_ELEMENTS // lanes)
    grid = (triton.cdiv(queries, block), batch * heads)
    if queries == 0:
        return
    kernel[grid](
        tokens,
        table,
        locations,
        weights,
        *others,
        queries,
        tokens.shape[1],
        HEADS=heads,
        DEPTH=depth,
        LEVELS=levels,
        POINTS=points,
        BLOCK=block,
        LANES=lanes,
        num_warps=_WARPS,
    )


@triton.jit
def _place(table, locations, level, index, inside):
    """Upper left corner and fractions of the reads `index` (BLOCK,) in a level of `rows` x `cols` cells."""
    rows = tl.load(table + 3 * level)
    cols = tl.load(table + 3 * level + 1)
    first = tl.load(table + 3 * level + 2)
    x = tl.load(locations + 2 * index, mask=inside, other=-1.0) * cols - 0.5
    y = tl.load(locations + 2 * index + 1, mask=inside, other=-1.0) * rows - 0.5
    # Farther outside all corners read zero as well; the bound keeps the conversion to integers sound.
    x = tl.minimum(tl.maximum(x, -2.0), cols + 1.0)
    y = tl.minimum(tl.maximum(y, -2.0), rows + 1.0)
    col = tl.floor(x)
    row = tl.floor(y)
    return rows, cols, first, row.to(tl.int32), col.to(tl.int32), y - row, x - col


@triton.jit
def _corner(
    row,
    col,
    rows,
    cols,
    first,
    fy,
    fx,
    inside,
    BELOW: tl.constexpr,
    RIGHT: tl.constexpr,
    STRIDE: tl.constexpr,
):
    """One corner of the reads: its offset in a sample's tokens, whether it is on the map, its shares along y and x."""
    row = row + BELOW
    col = col + RIGHT
    there = inside & (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    offset = (first + row * cols + col).to(tl.int64) * STRIDE
    return offset, there, fy if BELOW == 1 else 1.0 - fy, fx if RIGHT == 1 else 1.0 - fx


@triton.jit
def forward_kernel(
    tokens,
    table,
    locations,
    weights,
    out,
    queries,
    cells,
    HEADS: tl.constexpr,
    DEPTH: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
):
    """Write `out` (B, Q, M * D)."""
    query = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    sample = (tl.program_id(1) // HEADS).to(tl.int64)
    head = tl.program_id(1) % HEADS
    lane = tl.arange(0, LANES)
    inside = query < queries
    channel = lane < DEPTH
    base = tokens + sample * cells * (HEADS * DEPTH) + head * DEPTH + lane[None, :]
    item = (sample * queries + query) * HEADS + head
    total = tl.zeros([BLOCK, LANES], dtype=tl.float32)
    for level in range(LEVELS):
        for point in range(POINTS):
            index = (item * LEVELS + level) * POINTS + point
            rows, cols, first, row, col, fy, fx = _place(table, locations, level, index, inside)
            weight = tl.load(weights + index, mask=inside, other=0.0)
            for corner in tl.static_range(4):
                offset, there, share_y, share_x = _corner(
                    row, col, rows, cols, first, fy, fx, inside, corner // 2, corner % 2, HEADS * DEPTH
                )
                value = tl.load(base + offset[:, None], mask=there[:, None] & channel[None, :], other=0.0)
                total += (weight * share_y * share_x)[:, None] * value.to(tl.float32)
    place = out + item[:, None] * DEPTH + lane[None, :]
    tl.store(place, total, mask=inside[:, None] & channel[None, :])


@triton.jit
def backward_kernel(
    tokens,
    table,
    locations,
    weights,
    grad,
    grad_tokens,
    grad_locations,
    grad_weights,
    queries,
    cells,
    HEADS: tl.constexpr,
    DEPTH: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
):
    """Add to `grad_tokens` (B, S, M, D) float32 and write `grad_locations` and `grad_weights`."""
    query = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    sample = (tl.program_id(1) // HEADS).to(tl.int64)
    head = tl.program_id(1) % HEADS
    lane = tl.arange(0, LANES)
    inside = query < queries
    channel = lane < DEPTH
    start = sample * cells * (HEADS * DEPTH) + head * DEPTH + lane[None, :]
    item = (sample * queries + query) * HEADS + head
    wanted = inside[:, None] & channel[None, :]
    upper = tl.load(grad + item[:, None] * DEPTH + lane[None, :], mask=wanted, other=0.0)
    for level in range(LEVELS):
        for point in range(POINTS):
            index = (item * LEVELS + level) * POINTS + point
            rows, cols, first, row, col, fy, fx = _place(table, locations, level, index, inside)
            weight = tl.load(weights + index, mask=inside, other=0.0)
            by_weight = tl.zeros([BLOCK], dtype=tl.float32)
            by_x = tl.zeros([BLOCK], dtype=tl.float32)
            by_y = tl.zeros([BLOCK], dtype=tl.float32)
            for corner in tl.static_range(4):
                offset, there, share_y, share_x = _corner(
                    row, col, rows, cols, first, fy, fx, inside, corner // 2, corner % 2, HEADS * DEPTH
                )
                mask = there[:, None] & channel[None, :]
                value = tl.load(tokens + start + offset[:, None], mask=mask, other=0.0).to(tl.float32)
                dot = tl.sum(value * upper, axis=1)
                by_weight += share_y * share_x * dot
                by_x += (corner % 2 * 2 - 1) * share_y * dot
                by_y += (corner // 2 * 2 - 1) * share_x * dot
                added = (weight * share_y * share_x)[:, None] * upper
                tl.atomic_add(grad_tokens + start + offset[:, None], added, mask=mask, sem="relaxed")
            tl.store(grad_weights + index, by_weight, mask=inside)
            tl.store(grad_locations + 2 * index, by_x * weight * cols, mask=inside)
            tl.store(grad_locations + 2 * index + 1, by_y * weight * rows, mask=inside)
