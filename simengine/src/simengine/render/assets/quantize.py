"""Gaussians as small integers: what the compact format stores, and how far it may be off.

| what | stored | error at most |
|---|---|---|
| means | 16 bits an axis inside blocks of 256 neighbours | 0.25 mm; in a block wider than 32 m half a step of it |
| rotations | the three smaller components, 10 bits each | 0.2 degrees |
| scales | logarithms in steps of 1/32 | 1.6 % |
| opacities | 8 bits | 0.2 % |
| colours | steps of 1/64 in band 0 and 0.02, 0.025, 0.03 in bands 1, 2, 3 | 0.6 of 255 from band 0 |

Steps instead of ranges keep errors where images would show them, whatever outliers a scene has; the planes then
compress to little more than the information in them. Blocks follow a Morton curve.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simengine.render.gaussians import FlatGaussians

BLOCK = 256
GRID = 0.0005
"""Finest distance between stored places [m]."""
_FAR = 1e9
_SCALE_STEP = 1.0 / 32.0
_COLOR_STEPS = (1.0 / 64.0, 0.02, 0.025, 0.03)
_QUAT_LEVELS = 1023
_THINNEST = 1e-9


def quantized(gaussians: FlatGaussians) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the arrays that stand for `gaussians`, and the order (N,) in which they hold them."""
    order = block_order(gaussians.means)
    low, step, cells = _blocks(gaussians.means[order])
    arrays = {
        "block_low": low,
        "block_step": step,
        "means": _byte_planes(cells),
        "quats": _smallest_three(gaussians.quats[order]),
        "scales": _steps(np.log(np.maximum(gaussians.scales[order], _THINNEST)), _SCALE_STEP),
        "opacities": np.rint(np.clip(gaussians.opacities[order], 0.0, 1.0) * 255.0).astype(np.uint8),
    }
    for degree in range(gaussians.sh_degree + 1):
        band = gaussians.sh[order, degree**2 : (degree + 1) ** 2]
        arrays[f"band_{degree}"] = _steps(
            band.reshape(len(order), 3 * (2 * degree + 1)), _COLOR_STEPS[degree]
        )
    return arrays, order


def restored(arrays: Mapping[str, np.ndarray]) -> FlatGaussians:
    """Return the Gaussians that `arrays` of `quantized` stand for, in their order."""
    count = len(arrays["opacities"])
    bands = [
        _from_steps(arrays[f"band_{degree}"], _COLOR_STEPS[degree]).reshape(count, 2 * degree + 1, 3)
        for degree in range(4)
        if f"band_{degree}" in arrays
    ]
    return FlatGaussians(
        means=_from_blocks(arrays["block_low"], arrays["block_step"], _from_byte_planes(arrays["means"])),
        quats=_from_smallest_three(arrays["quats"]),
        scales=np.exp(_from_steps(arrays["scales"], _SCALE_STEP)),
        opacities=arrays["opacities"].astype(np.float32) / 255.0,
        sh=np.concatenate(bands, axis=1),
    )


def block_order(points: np.ndarray) -> np.ndarray:
    """Return the order (N,) of points (N, 3) in blocks of neighbours, those of a block as they came."""
    curve = morton_order(points)
    return curve[np.lexsort((curve, np.arange(len(curve)) // BLOCK))]


def morton_order(points: np.ndarray) -> np.ndarray:
    """Return the order (N,) of points (N, 3) along a curve that keeps neighbours together."""
    if not len(points):
        return np.zeros(0, np.int64)
    low, high = points.min(axis=0), points.max(axis=0)
    cells = ((points - low) / np.maximum((high - low).max(), 1e-9) * 2097151.0).astype(np.uint64)
    code = np.zeros(len(points), np.uint64)
    for axis in range(3):
        code |= _spread_bits(cells[:, axis]) << np.uint64(axis)
    return np.argsort(code, kind="stable")


def _spread_bits(x: np.ndarray) -> np.ndarray:
    """Return 21-bit numbers with two zero bits after each bit."""
    for shift, mask in (
        (32, 0x1F00000000FFFF), (16, 0x1F0000FF0000FF), (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3), (2, 0x1249249249249249),
    ):  # fmt: skip
        x = (x | (x << np.uint64(shift))) & np.uint64(mask)
    return x


def _blocks(means: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return corner (B, 3) int64 and step (B, 3) int32 of each block in grid cells, and steps (N, 3) uint16.

    All blocks share one grid, so that what lay in one plane stays there: depth order is sensitive to that.
    """
    starts = np.arange(0, len(means), BLOCK)
    if not len(starts):
        return np.zeros((0, 3), np.int64), np.zeros((0, 3), np.int32), np.zeros((0, 3), np.uint16)
    cells = np.rint(np.clip(means.astype(np.float64), -_FAR, _FAR) / GRID).astype(np.int64)
    low, high = np.minimum.reduceat(cells, starts), np.maximum.reduceat(cells, starts)
    step = np.maximum(-(-(high - low) // 65535), 1)
    block = np.arange(len(means)) // BLOCK
    return low, step.astype(np.int32), ((cells - low[block]) // step[block]).astype(np.uint16)


def _from_blocks(low: np.ndarray, step: np.ndarray, steps: np.ndarray) -> np.ndarray:
    block = np.arange(len(steps)) // BLOCK
    # The middle of a coarse step.
    cells = low[block] + step[block] * steps.astype(np.int64) + step[block] // 2
    return (cells * GRID).astype(np.float32)


def _smallest_three(quats: np.ndarray) -> np.ndarray:
    """Return rotations (N, 4) as uint32 (N,): which component is largest, then 10 bits for each other."""
    norm = np.linalg.norm(quats, axis=1, keepdims=True)
    unit = np.where(norm > 0, quats / np.where(norm > 0, norm, 1.0), [1.0, 0.0, 0.0, 0.0])
    largest = np.argmax(np.abs(unit), axis=1)
    sign = np.sign(np.take_along_axis(unit, largest[:, None], axis=1))
    others = _others(unit * sign, largest)
    levels = np.rint((others * np.sqrt(0.5) + 0.5) * _QUAT_LEVELS).astype(np.uint32)
    packed = largest.astype(np.uint32) << 30
    return packed | (levels[:, 0] << 20) | (levels[:, 1] << 10) | levels[:, 2]


def _from_smallest_three(packed: np.ndarray) -> np.ndarray:
    levels = np.stack([packed >> 20 & 1023, packed >> 10 & 1023, packed & 1023], axis=1).astype(np.float64)
    others = (levels / _QUAT_LEVELS - 0.5) * np.sqrt(2.0)
    largest = (packed >> 30).astype(np.int64)
    unit = np.empty((len(packed), 4))
    np.put_along_axis(unit, _other_places(largest), others, axis=1)
    rest = np.sqrt(np.maximum(1.0 - (others**2).sum(axis=1), 0.0))
    np.put_along_axis(unit, largest[:, None], rest[:, None], axis=1)
    return unit.astype(np.float32)


def _others(unit: np.ndarray, largest: np.ndarray) -> np.ndarray:
    return np.take_along_axis(unit, _other_places(largest), axis=1)


def _other_places(largest: np.ndarray) -> np.ndarray:
    """Return which components (N, 3) are not the largest."""
    table = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    return table[largest]


def _steps(values: np.ndarray, step: float) -> np.ndarray:
    """Return values (N, C) as multiples (C, N) of `step`, in the smallest type that holds them."""
    numbers = np.rint(np.asarray(values, np.float64).T / step)
    reach = np.abs(numbers).max(initial=0.0)
    if reach <= 127:
        return np.ascontiguousarray(numbers, np.int8)
    return _byte_planes(np.clip(numbers, -32767, 32767).astype(np.int16).view(np.uint16))


def _from_steps(stored: np.ndarray, step: float) -> np.ndarray:
    numbers = stored if stored.dtype == np.int8 else _from_byte_planes(stored).view(np.int16)
    return (numbers.T * step).astype(np.float32)


def _byte_planes(words: np.ndarray) -> np.ndarray:
    """Return uint16 (..., ) as uint8 (2, ...): high bytes repeat and compress, low bytes do not."""
    return np.stack([words >> 8, words & 255]).astype(np.uint8)


def _from_byte_planes(planes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray((planes[0].astype(np.uint16) << 8) | planes[1])
