"""Times deformable sampling in its three forms at full size and prints JSON.

python benchmarks/deformable.py [--batch 2] [--repeat 10] [--dtype bfloat16]
"""

from __future__ import annotations

import argparse
import json
import time

import torch

from algengine.models.layers.deformable import choose_form, deformable_sample
from simengine.errors import ConfigError

CASES = {
    # Eight cameras stacked with rows of zeros between; a cell is seen by 1.3 cameras on average.
    "cameras": {"shapes": ((553, 120), (281, 60), (145, 30), (81, 15)), "queries": 52_000, "points": 8},
    "maps": {"shapes": ((200, 200), (200, 200)), "queries": 40_000, "points": 4},
    "plans": {"shapes": ((200, 200),), "queries": 8 * 8192, "points": 4},
}
HEADS, DIMS = 8, 256


def measure(case: dict, form: str, batch: int, repeat: int, dtype: torch.dtype, device: torch.device) -> dict:
    """Return milliseconds of the forward pass, of both passes, and the peak of memory in GiB."""
    torch.manual_seed(0)
    values = [torch.randn(batch, DIMS, *shape, device=device, dtype=dtype) for shape in case["shapes"]]
    shape = (batch, case["queries"], HEADS, len(values), case["points"])
    locations = torch.rand(*shape, 2, device=device)
    weights = torch.rand(shape, device=device)
    inputs = [x.requires_grad_() for x in (*values, locations, weights)]
    times: dict[str, list[float]] = {"forward_ms": [], "both_ms": []}
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for i in range(repeat + 2):
        start = _now(device)
        out = deformable_sample(values, locations, weights, form)
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
    for name, case in CASES.items():
        small = case | {"queries": case["queries"] // options.shrink}
        report[name] = {
            form: measure(small, form, options.batch, options.repeat, getattr(torch, options.dtype), device)
            for form in forms
        }
    print(json.dumps(report, indent=2))


def _runs(form: str, device: torch.device) -> bool:
    try:
        return choose_form(form, device) == form
    except ConfigError:
        return False


if __name__ == "__main__":
    main()
