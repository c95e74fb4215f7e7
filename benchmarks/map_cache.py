"""Samples per second of training a head on a frozen encoder, from images and from kept maps, as JSON.

Records some scenarios of the built-in split `demo`, then trains the head of vadv2_demo on the shipped encoder, reading
and decoding included, in one process:

    python benchmarks/map_cache.py [--scenarios 4] [--steps 20] [--threads 1] [--device cpu]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from mmengine.config import Config

from algengine import registry
from algengine.engine.configs import load_config
from algengine.engine.map_cache import use_map_cache
from algengine.engine.train import choose_device
from algengine.engine.weights import load_checkpoint
from algengine.planners.bev_model import SENSES


def make_config(recordings: Path, maps: Path) -> Config:
    config = load_config("vadv2_demo")
    config.model.merge({"frozen": SENSES, "bev_head": None})
    config.load_from = str(Path(registry.__file__).parent / "assets" / "vadv2_demo" / "weights.pth")
    config.map_cache.root = str(maps)
    config.train_dataloader.dataset.merge({"root": str(recordings), "part": "all", "label_grid": None})
    config.val_dataloader = None
    return config


def step_times(config: Config, device: torch.device, steps: int) -> list[float]:
    """Return the time of each training step [s]."""
    torch.manual_seed(0)
    dataset = registry.DATASETS.build(config.train_dataloader.dataset.to_dict())
    collate = registry.FUNCTIONS.get("planning_collate")
    loader = torch.utils.data.DataLoader(
        dataset, config.train_dataloader.batch_size, shuffle=True, drop_last=True, collate_fn=collate
    )
    model = registry.MODELS.build(config.model.to_dict())
    model.load_state_dict(load_checkpoint(Path(config.load_from))["state_dict"], strict=False)
    model.to(device).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    times: list[float] = []
    while len(times) <= steps:
        begun = time.perf_counter()
        for batch in loader:
            losses = model(**model.data_preprocessor(batch, training=True), mode="loss")
            optimizer.zero_grad()
            sum(value for name, value in losses.items() if "loss" in name).backward()
            optimizer.step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - begun)
            begun = time.perf_counter()
    return times[1 : steps + 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenarios", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record = ["run", "--config-name", "record", "split=demo", f"num_scenarios={arguments.scenarios}"]
        command = [sys.executable, "-m", "simengine.cli.main", *record, f"output_dir={folder / 'run'}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        config = make_config(folder / "run" / "observations", folder / "maps")
        size = config.train_dataloader.batch_size
        images = statistics.median(step_times(config, device, arguments.steps))
        begun = time.perf_counter()
        use_map_cache(config, device)
        encoding = time.perf_counter() - begun
        maps = statistics.median(step_times(config, device, arguments.steps))
    figures = {
        "batch": size,
        "images_samples_per_s": round(size / images, 2),
        "maps_samples_per_s": round(size / maps, 2),
        "ratio": round(images / maps, 1),
        "encoding_s_per_drive": round(encoding / arguments.scenarios, 2),
        "ego_frames_per_drive": 1 + config.map_cache.variants,
        "device": str(device),
        "threads": arguments.threads,
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
