"""Times deformable attention in its three forms at full size and prints JSON.

python benchmarks/deformable.py [--batch 2] [--repeat 10] [--dtype bfloat16]

`cameras` and `maps` are the attentions of the bird's-eye-view encoder, from what the linear layers give to what is
read, with places at random; `plans` are the reads of the trajectory decoder at given places with given weights.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from algengine.models.layers.deformable import choose_form, deformable_sample
from algengine.models.layers.deformable_attention import Pairs, attend
from simengine.errors import ConfigError

HEADS, DIMS, CELLS, CAMERAS, PLANS, STEPS = 8, 256, 40_000, 8, 8192, 8
LEVELS = ((68, 120), (34, 60), (17, 30), (9, 15))
MAP = (200, 200)

Read = Callable[[str], Tensor]


def cameras(batch: int, shrink: int, dtype: torch.dtype, device: torch.device) -> tuple[Read, list[Tensor]]:
    """Return reads of 8 cameras by cells, every third of which is seen by two of them, and what wants gradients."""
    cells = CELLS // shrink
    counts = (torch.arange(cells, device=device) % 3 == 0).long()[None].expand(batch, -1) + 1
    starts = functional.pad(counts.cumsum(1), (1, 0)).int()
    queries = torch.repeat_interleave(torch.arange(cells, device=device), counts[0])[None].expand(batch, -1)
    which = queries * CAMERAS // cells
    pairs = Pairs(queries, which, torch.ones_like(which, dtype=torch.bool), starts, counts)
    places = torch.rand(batch, queries.shape[1], 4, 2, device=device)
    total = sum(rows * cols for rows, cols in LEVELS)
    tokens = torch.randn(batch, CAMERAS, total, DIMS, device=device, dtype=dtype, requires_grad=True)
    raw = torch.randn(batch, cells, 3 * HEADS * 32, device=device, dtype=dtype, requires_grad=True)
    return lambda form: attend(tokens, LEVELS, raw, places, HEADS, pairs, form=form), [tokens, raw]


def maps(batch: int, shrink: int, dtype: torch.dtype, device: torch.device) -> tuple[Read, list[Tensor]]:
    """Return reads of two maps by cells, and what wants gradients."""
    cells = CELLS // shrink
    tokens = torch.randn(batch, 1, 2 * CELLS, DIMS, device=device, dtype=dtype, requires_grad=True)
    raw = torch.randn(batch, cells, 3 * HEADS * 8, device=device, dtype=dtype, requires_grad=True)
    places = torch.rand(1, cells, 1, 2, device=device)
    return lambda form: attend(tokens, (MAP, MAP), raw, places, HEADS, joint=False, form=form), [tokens, raw]


def plans(batch: int, shrink: int, dtype: torch.dtype, device: torch.device) -> tuple[Read, list[Tensor]]:
    """Return reads of one map along plans, and what wants gradients."""
    value = torch.randn(batch, DIMS, *MAP, device=device, dtype=dtype, requires_grad=True)
    shape = (batch, STEPS * PLANS // shrink, HEADS, 1, 4)
    places = torch.rand(*shape, 2, device=device, requires_grad=True)
    weights = torch.rand(shape, device=device, requires_grad=True)
    return lambda form: deformable_sample([value], places, weights, form), [value, places, weights]


def measure(read: Read, inputs: list[Tensor], form: str, repeat: int, device: torch.device) -> dict:
    """Return milliseconds of the forward pass, of both passes, and the peak of memory in GiB."""
    times: dict[str, list[float]] = {"forward_ms": [], "both_ms": []}
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for i in range(repeat + 2):
        start = _now(device)
        out = read(form)
        middle = _now(device)
        torch.autograd.grad(out.sum(), inputs)
        end = _now(device)
        if i >= 2:
            times["forward_ms"].append(1e3 * (middle - start))
            times["both_ms"].append(1e3 * (end - start))
    result = {name: round(sorted(rows)[len(rows) // 2], 3) for name, rows in times.items()}
    if device.type == "cuda":
        result["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return result


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    """Print times of every form that runs here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--shrink", type=int, default=1, help="divide the number of queries by this")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    forms = ["torch", *(form for form in ("triton", "mmcv") if _runs(form, device))]
    report: dict = {"device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu"}
    for case in (cameras, maps, plans):
        torch.manual_seed(0)
        read, inputs = case(options.batch, options.shrink, getattr(torch, options.dtype), device)
        report[case.__name__] = {form: measure(read, inputs, form, options.repeat, device) for form in forms}
    print(json.dumps(report, indent=2))


def _runs(form: str, device: torch.device) -> bool:
    try:
        return choose_form(form, device) == form
    except ConfigError:
        return False


if __name__ == "__main__":
    main()
