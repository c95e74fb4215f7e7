"""Speed of imitation training and of inference on synthetic inputs, as JSON beside budgets and a plain fp32 run.

    python benchmarks/training.py                                                  # shape of the demo planner
    python benchmarks/training.py --config worldengine/e2e_vadv2_50pct --batch 4   # full size, on a GPU
    torchrun --standalone --nproc-per-node 2 benchmarks/training.py --config worldengine/e2e_vadv2_50pct --no-plain

Training: what the runner does in a step, from uint8 images in pinned host memory to the step of the optimiser; reading
and decoding of files is not in it. Inference: `VadPlanner.plan_batch`, from images in host memory to plans in host
memory, one new frame per decision, earlier frames as maps. `plain` is the same model in eager fp32 without TF32,
deformable sampling by PyTorch, the vocabulary embedded anew at every decision. Several processes are timed before they
talk to each other and then together; efficiency is the ratio.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import torch
import torch.distributed
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from algengine import registry
from algengine.datasets.collate import planning_collate
from algengine.engine.configs import load_config
from algengine.engine.distributed import join_processes, leave_processes
from algengine.engine.layout import compile_parts, prefer_channels_last
from algengine.engine.switches import apply_switches
from algengine.engine.synthetic import synthetic_observation, synthetic_sample, synthetic_vocabulary
from algengine.engine.train import choose_device
from algengine.serving.planner import VadPlanner

BUDGETS = {
    "config": "full size (960x544, 4 frames, 8 cameras), one H200",
    "training_samples_per_s": 8,
    "inference_scenes_per_s": 30,
    "inference_p50_ms": 60,
}


def build(config: Config, plain: bool) -> nn.Module:
    """Return the model, in its own precision or plain."""
    model = config.model.to_dict() | ({"autocast": "", "deformable": "torch"} if plain else {})
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not plain
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    planner = registry.MODELS.build(model | {"init_cfg": None})
    plans = synthetic_vocabulary(*planner.head.vocabulary.shape[:2])
    planner.head.vocabulary.copy_(torch.from_numpy(plans))
    return planner


def measure_training(config: Config, options: argparse.Namespace, device: torch.device, plain: bool) -> dict:
    """Return samples per second of one process alone and, if there are several, of all together."""
    frames = options.frames
    samples = [synthetic_sample(config.model, frames, seed) for seed in range(2 * options.batch)]
    batches = [planning_collate(samples[i :: len(samples) // options.batch]) for i in range(2)]
    if device.type == "cuda":
        batches = [b | {"inputs": {k: v.pin_memory() for k, v in b["inputs"].items()}} for b in batches]
    model = build(config, plain).to(device).train()
    if device.type == "cuda" and not plain:
        prefer_channels_last(model)
    compile_parts(model, () if plain else config.get("compile_parts", ()))
    settings = config.optim_wrapper.to_dict() | ({"dtype": "float32"} if plain else {})
    wrapper = build_optim_wrapper(model, settings)
    _reset_peak(device)
    alone = options.batch / _seconds(lambda i: model.train_step(batches[i % 2], wrapper), options, device)
    result = {"samples_per_s": round(alone, 3), "peak_gib": _peak(device)}
    processes = _processes()
    if processes > 1:
        torch.distributed.barrier()
        several = MMDistributedDataParallel(
            model, device_ids=[device] if device.type == "cuda" else None, broadcast_buffers=False
        )
        together = options.batch / _seconds(
            lambda i: several.train_step(batches[i % 2], wrapper), options, device
        )
        rates = torch.tensor([alone, together], device=device)
        torch.distributed.all_reduce(rates)
        result = {
            "samples_per_s": round(float(rates[1]), 3),
            "one_process": round(float(rates[0]) / processes, 3),
            "efficiency": round(float(rates[1] / rates[0]), 3),
            "peak_gib": _peak(device),
        }
    return result


def measure_inference(config: Config, options: argparse.Namespace, device: torch.device, plain: bool) -> dict:
    """Return scenes per second of the best batch size and the median latency of single requests."""
    planner = VadPlanner(
        build(config, plain),
        device=device,
        threads=options.threads,
        accelerate="none" if plain else options.accelerate,
    )
    head = planner._model.head
    result: dict = {"scenes_per_s": {}}
    _reset_peak(device)
    for batch in options.scenes:
        seen = [synthetic_observation(config.model, f"scene_{i}", 0, i) for i in range(batch)]
        steps = count(1)

        def decide(_: int, seen: list = seen, steps: Iterator[int] = steps) -> None:
            step = next(steps)
            if plain:
                head._cached = None
            planner.plan_batch([replace(one, step=step) for one in seen])

        times = _times(decide, options, device)
        result["scenes_per_s"][batch] = round(batch / statistics.mean(times), 2)
        if batch == 1:
            result["p50_ms"] = round(1e3 * statistics.median(times), 2)
    result["peak_gib"] = _peak(device)
    return result


def _unless_too_large(
    measure: Callable[..., dict], config: Config, options: argparse.Namespace, device: torch.device
) -> dict:
    """Return the figures of the plain run, which needs several times the memory of ours."""
    try:
        return measure(config, options, device, True)
    except torch.OutOfMemoryError:
        return {"out_of_memory": f"a batch of {options.batch}: try --batch 1"}


def _times(step: Callable[[int], object], options: argparse.Namespace, device: torch.device) -> list[float]:
    for i in range(options.warm_up):
        step(i)
    times = []
    for i in range(options.repeat):
        _wait(device)
        start = time.perf_counter()
        step(i)
        _wait(device)
        times.append(time.perf_counter() - start)
    return times


def _seconds(step: Callable[[int], object], options: argparse.Namespace, device: torch.device) -> float:
    """Return the mean time of a step when nothing waits for the GPU in between."""
    for i in range(options.warm_up):
        step(i)
    _wait(device)
    start = time.perf_counter()
    for i in range(options.repeat):
        step(i)
    _wait(device)
    return (time.perf_counter() - start) / options.repeat


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak(device: torch.device) -> float:
    """Return the peak of GPU memory, or of the whole process on the CPU [GiB]."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def _processes() -> int:
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="vadv2_demo")
    parser.add_argument("--cfg-options", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--parts", nargs="*", default=["training", "inference"], choices=["training", "inference"]
    )
    parser.add_argument("--batch", type=int, help="samples per process; default: the config's")
    parser.add_argument("--frames", type=int, default=4, help="frames of a clip")
    parser.add_argument("--scenes", type=int, nargs="*", default=[1, 4, 8, 16], help="batches of inference")
    parser.add_argument("--accelerate", default="none", help="of inference: none, graphs or compile")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--no-plain", action="store_true", help="leave the plain run out")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    return parser.parse_args()


def main() -> None:
    """Print one JSON object."""
    options = parse()
    # Which parameters are frozen is told once for each of them.
    logging.disable(logging.WARNING)
    torch.set_num_threads(options.threads)
    launcher = "pytorch" if "LOCAL_RANK" in os.environ else "none"
    device = join_processes(launcher, choose_device(options.device))
    config = load_config(options.config, options.cfg_options)
    registry.MODELS.import_from_location()
    DefaultScope.get_instance("benchmark", scope_name="algengine")
    apply_switches(config)
    options.batch = options.batch or config.train_dataloader.batch_size
    parts = {"training": measure_training, "inference": measure_inference}
    report: dict = {
        "config": options.config,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "processes": _processes(),
        "batch": options.batch,
        "frames": options.frames,
        "cfg_options": options.cfg_options,
        "accelerate": options.accelerate,
        "budget": BUDGETS,
    }
    for part in options.parts:
        report[part] = {"ours": parts[part](config, options, device, False)}
        if not options.no_plain:
            report[part]["plain"] = _unless_too_large(parts[part], config, options, device)
    if int(os.environ.get("RANK", "0")) == 0:
        print(json.dumps(report, indent=2))
    leave_processes()


if __name__ == "__main__":
    main()
