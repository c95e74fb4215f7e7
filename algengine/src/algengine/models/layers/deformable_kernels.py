"""Triton kernels of deformable attention; imports Triton, so only `deformable_triton` imports this, when needed.

One program computes a block of queries of one head of one sample, from what the linear layers give to what is read:
places, weights and single reads never leave the chip. Cells are stored with channels last, so each corner of a read is
one contiguous load. Dimensions and layouts are those of `deformable_triton`.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _shares(
    logits, first, inside, SIZE: tl.constexpr, WIDTH: tl.constexpr, GROUPS: tl.constexpr, SPAN: tl.constexpr
):
    """Largest logit of a group (BLOCK,), and what exponentials are divided by so that all groups sum to one."""
    lane = tl.max_contiguous(tl.arange(0, WIDTH), SPAN)
    mask = inside[:, None] & (lane < SIZE)[None, :]
    tile = tl.load(logits[:, None] + first + lane[None, :], mask=mask, other=-float("inf")).to(tl.float32)
    top = tl.where(inside, tl.max(tile, axis=1), 0.0)
    total = tl.sum(tl.where(mask, tl.exp(tile - top[:, None]), 0.0), axis=1)
    return top, tl.where(inside, GROUPS * total, 1.0)


@triton.jit
def _weight(logits, index, top, total, inside, NORMALISED: tl.constexpr):
    """Weights (BLOCK,) of the samples `index`."""
    weight = tl.load(logits + index, mask=inside, other=0.0).to(tl.float32)
    if NORMALISED:
        weight = tl.where(inside, tl.exp(weight - top) / total, 0.0)
    return weight


@triton.jit
def _offset(offsets, index, cos, sin, inside, TURNED: tl.constexpr):
    """Offsets x, y in cells (BLOCK,) of the samples `index`."""
    x = tl.load(offsets + 2 * index, mask=inside, other=0.0).to(tl.float32)
    y = tl.load(offsets + 2 * index + 1, mask=inside, other=0.0).to(tl.float32)
    if TURNED:
        turned = cos * x - sin * y
        y = sin * x + cos * y
        x = turned
    return x, y


@triton.jit
def _turn(turns, sample, query, turn_stride, inside, TURNED: tl.constexpr):
    """Cosine and sine (BLOCK,) by which offsets are turned and scaled."""
    if TURNED:
        cos = tl.load(turns + sample * turn_stride + 2 * query, mask=inside, other=0.0)
        sin = tl.load(turns + sample * turn_stride + 2 * query + 1, mask=inside, other=0.0)
    else:
        cos = inside.to(tl.float32)
        sin = cos
    return cos, sin


@triton.jit
def _place(x, y, rows, cols):
    """Upper left corner of reads around x, y in cells, and their fractions along y and x."""
    # Farther outside all corners read zero as well; the bound keeps the conversion to integers sound.
    x = tl.minimum(tl.maximum(x - 0.5, -2.0), cols + 1.0)
    y = tl.minimum(tl.maximum(y - 0.5, -2.0), rows + 1.0)
    col = tl.floor(x)
    row = tl.floor(y)
    return row.to(tl.int32), col.to(tl.int32), y - row, x - col


@triton.jit
def _corner(row, col, rows, cols, fy, fx, on, BELOW: tl.constexpr, RIGHT: tl.constexpr):
    """One corner of the reads: its cell in the level, whether it is on the map, its shares along y and x."""
    row = row + BELOW
    col = col + RIGHT
    there = on & (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    return row * cols + col, there, fy if BELOW == 1 else 1.0 - fy, fx if RIGHT == 1 else 1.0 - fx


@triton.jit
def _pairs(starts, counts, sample, query, queries, inside, PAIRED: tl.constexpr):
    """First pair of each query, number of pairs, the largest number, and the factor of what is read (BLOCK,)."""
    if PAIRED:
        start = tl.load(starts + sample * (queries + 1) + query, mask=inside, other=0)
        number = tl.load(starts + sample * (queries + 1) + query + 1, mask=inside, other=0) - start
        count = tl.load(counts + sample * queries + query, mask=inside, other=1)
        most = tl.max(number, axis=0)
        share = 1.0 / tl.maximum(count, 1).to(tl.float32)
    else:
        start = query
        number = tl.where(inside, 1, 0)
        most = 1
        share = number.to(tl.float32)
    return start, number, most, share


@triton.jit
def _reference(
    places,
    maps,
    sample,
    pair,
    pairs,
    place_stride,
    height,
    on,
    HEIGHTS: tl.constexpr,
    PLACED: tl.constexpr,
    PAIRED: tl.constexpr,
):
    """Map (BLOCK,) and fractions x, y of it around which `pair` reads."""
    which = tl.zeros_like(pair)
    x = tl.zeros(pair.shape, dtype=tl.float32)
    y = x
    if PAIRED:
        which = tl.load(maps + sample * pairs + pair, mask=on, other=0).to(pair.dtype)
    if PLACED:
        place = places + sample * place_stride + (pair * HEIGHTS + height) * 2
        x = tl.load(place, mask=on, other=0.0)
        y = tl.load(place + 1, mask=on, other=0.0)
    return which, x, y


@triton.jit
def forward_kernel(
    tokens,
    table,
    raw,
    places,
    turns,
    maps,
    starts,
    counts,
    out,
    queries,
    pairs,
    place_stride,
    turn_stride,
    sample_cells,
    map_cells,
    HEADS: tl.constexpr,
    DEPTH: tl.constexpr,
    LEVELS: tl.constexpr,
    HEIGHTS: tl.constexpr,
    POINTS: tl.constexpr,
    GROUPS: tl.constexpr,
    NORMALISED: tl.constexpr,
    PLACED: tl.constexpr,
    TURNED: tl.constexpr,
    PAIRED: tl.constexpr,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """Write `out` (B, Q, M * D)."""
    query = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    sample = (tl.program_id(1) // HEADS).to(tl.int64)
    head = tl.program_id(1) % HEADS
    lane = tl.arange(0, LANES)
    inside = query < queries
    channel = lane < DEPTH
    stride: tl.constexpr = HEADS * DEPTH
    samples: tl.constexpr = LEVELS * HEIGHTS * POINTS
    size: tl.constexpr = samples // GROUPS
    group_levels: tl.constexpr = LEVELS // GROUPS
    base = tokens + sample * sample_cells * stride + head * DEPTH
    item = sample * queries + query
    offsets = raw + item * (3 * HEADS * samples) + head * (2 * samples)
    logits = raw + item * (3 * HEADS * samples) + 2 * HEADS * samples + head * samples
    start, number, most, share = _pairs(starts, counts, sample, query, queries, inside, PAIRED)
    cos, sin = _turn(turns, sample, query, turn_stride, inside, TURNED)
    top = share
    divisor = share
    result = tl.zeros([BLOCK, LANES], dtype=tl.float32)
    for group in range(GROUPS):
        if NORMALISED:
            top, divisor = _shares(logits, group * size, inside, size, WIDTH, GROUPS, 8)
        for level in range(group * group_levels, (group + 1) * group_levels):
            rows = tl.load(table + 3 * level)
            cols = tl.load(table + 3 * level + 1)
            first = tl.load(table + 3 * level + 2)
            for height in range(HEIGHTS):
                for point in tl.static_range(POINTS):
                    index = (level * HEIGHTS + height) * POINTS + point
                    offset_x, offset_y = _offset(offsets, index, cos, sin, inside, TURNED)
                    weight = _weight(logits, index, top, divisor, inside, NORMALISED)
                    for i in range(most):
                        on = inside & (i < number)
                        which, px, py = _reference(
                            places,
                            maps,
                            sample,
                            start + i,
                            pairs,
                            place_stride,
                            height,
                            on,
                            HEIGHTS,
                            PLACED,
                            PAIRED,
                        )
                        origin = which * map_cells + first
                        row, col, fy, fx = _place(offset_x + px * cols, offset_y + py * rows, rows, cols)
                        for corner in tl.static_range(4):
                            cell, there, share_y, share_x = _corner(
                                row, col, rows, cols, fy, fx, on, corner // 2, corner % 2
                            )
                            value = tl.load(
                                base + ((origin + cell) * stride)[:, None] + lane[None, :],
                                mask=there[:, None] & channel[None, :],
                                other=0.0,
                            )
                            result += (weight * share_y * share_x)[:, None] * value.to(tl.float32)
    place = out + item[:, None] * stride + head * DEPTH + lane[None, :]
    tl.store(place, result * share[:, None], mask=inside[:, None] & channel[None, :])


@triton.jit
def backward_kernel(
    tokens,
    table,
    raw,
    places,
    turns,
    maps,
    starts,
    counts,
    grad,
    grad_tokens,
    grad_raw,
    grad_weights,
    queries,
    pairs,
    place_stride,
    turn_stride,
    sample_cells,
    map_cells,
    HEADS: tl.constexpr,
    DEPTH: tl.constexpr,
    LEVELS: tl.constexpr,
    HEIGHTS: tl.constexpr,
    POINTS: tl.constexpr,
    GROUPS: tl.constexpr,
    NORMALISED: tl.constexpr,
    PLACED: tl.constexpr,
    TURNED: tl.constexpr,
    PAIRED: tl.constexpr,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """Add to `grad_tokens` float32 and write `grad_raw`; `grad_weights` (B, Q, M, L * Z * P) float32 is scratch."""
    query = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    sample = (tl.program_id(1) // HEADS).to(tl.int64)
    head = tl.program_id(1) % HEADS
    # As wide as one atomic addition, so that loads and additions share a layout and nothing is exchanged in between.
    lane = tl.max_contiguous(tl.arange(0, LANES), 4)
    inside = query < queries
    channel = lane < DEPTH
    stride: tl.constexpr = HEADS * DEPTH
    samples: tl.constexpr = LEVELS * HEIGHTS * POINTS
    size: tl.constexpr = samples // GROUPS
    group_levels: tl.constexpr = LEVELS // GROUPS
    corner_of_sample = sample * sample_cells * stride + head * DEPTH
    base = tokens + corner_of_sample
    grad_base = grad_tokens + corner_of_sample
    item = sample * queries + query
    raw_offsets = item * (3 * HEADS * samples) + head * (2 * samples)
    raw_logits = item * (3 * HEADS * samples) + 2 * HEADS * samples + head * samples
    offsets = raw + raw_offsets
    logits = raw + raw_logits
    by_weights = grad_weights + (item * HEADS + head) * samples
    start, number, most, share = _pairs(starts, counts, sample, query, queries, inside, PAIRED)
    cos, sin = _turn(turns, sample, query, turn_stride, inside, TURNED)
    top = share
    divisor = share
    upper = tl.load(
        grad + item[:, None] * stride + head * DEPTH + lane[None, :],
        mask=inside[:, None] & channel[None, :],
        other=0.0,
    )
    upper = upper.to(tl.float32) * share[:, None]
    for group in range(GROUPS):
        if NORMALISED:
            top, divisor = _shares(logits, group * size, inside, size, WIDTH, GROUPS, 4)
        for level in range(group * group_levels, (group + 1) * group_levels):
            rows = tl.load(table + 3 * level)
            cols = tl.load(table + 3 * level + 1)
            first = tl.load(table + 3 * level + 2)
            for height in range(HEIGHTS):
                for point in range(POINTS):
                    index = (level * HEIGHTS + height) * POINTS + point
                    offset_x, offset_y = _offset(offsets, index, cos, sin, inside, TURNED)
                    weight = _weight(logits, index, top, divisor, inside, NORMALISED)
                    by_weight = tl.zeros([BLOCK], dtype=tl.float32)
                    by_x = tl.zeros([BLOCK], dtype=tl.float32)
                    by_y = tl.zeros([BLOCK], dtype=tl.float32)
                    for i in range(most):
                        on = inside & (i < number)
                        which, px, py = _reference(
                            places,
                            maps,
                            sample,
                            start + i,
                            pairs,
                            place_stride,
                            height,
                            on,
                            HEIGHTS,
                            PLACED,
                            PAIRED,
                        )
                        origin = which * map_cells + first
                        row, col, fy, fx = _place(offset_x + px * cols, offset_y + py * rows, rows, cols)
                        for corner in tl.static_range(4):
                            cell, there, share_y, share_x = _corner(
                                row, col, rows, cols, fy, fx, on, corner // 2, corner % 2
                            )
                            mask = there[:, None] & channel[None, :]
                            where = ((origin + cell) * stride)[:, None] + lane[None, :]
                            value = tl.load(base + where, mask=mask, other=0.0).to(tl.float32)
                            dot = tl.sum(value * upper, axis=1)
                            by_weight += share_y * share_x * dot
                            by_x += (corner % 2 * 2 - 1) * share_y * dot
                            by_y += (corner // 2 * 2 - 1) * share_x * dot
                            added = (weight * share_y * share_x)[:, None] * upper
                            tl.atomic_add(grad_base + where, added, mask=mask, sem="relaxed")
                    back_x = (cos * by_x + sin * by_y) * weight if TURNED else by_x * weight
                    back_y = (cos * by_y - sin * by_x) * weight if TURNED else by_y * weight
                    tl.store(grad_raw + raw_offsets + 2 * index, back_x, mask=inside)
                    tl.store(grad_raw + raw_offsets + 2 * index + 1, back_y, mask=inside)
                    if NORMALISED:
                        tl.store(by_weights + index, by_weight, mask=inside)
                    else:
                        tl.store(grad_raw + raw_logits + index, by_weight, mask=inside)
    if NORMALISED:
        # What other threads of this program have written is read below.
        tl.debug_barrier()
        column = tl.max_contiguous(tl.arange(0, WIDTH), 4)
        mask = inside[:, None] & (column < size)[None, :]
        for group in range(GROUPS):
            index = group * size + column[None, :]
            top, divisor = _shares(logits, group * size, inside, size, WIDTH, GROUPS, 4)
            tile = tl.load(logits[:, None] + index, mask=mask, other=-float("inf")).to(tl.float32)
            weight = tl.where(mask, tl.exp(tile - top[:, None]) / divisor[:, None], 0.0)
            by_weight = tl.load(by_weights[:, None] + index, mask=mask, other=0.0)
            # The weights of a group sum to one over the number of groups.
            mean = GROUPS * tl.sum(weight * by_weight, axis=1)
            tl.store(grad_raw + raw_logits[:, None] + index, weight * (by_weight - mean[:, None]), mask=mask)
