"""Samples per second of head-only post-training from cached features, as JSON beside the budget.

The planner's shape is real, its weights, maps and rewards are random: a cache of --logs recordings of 8 decisions is
written to a temporary folder and read back, so the figure includes reading, the head forwards and backwards, the
objective and the update of the adapters:

    python benchmarks/post_training.py                                   # shape of the shipped demo planner
    python benchmarks/post_training.py --config CONFIG --device cuda --dtype float16 --batch 16
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from algengine import registry
from algengine.engine.configs import load_config
from algengine.planners.vadv2 import VADv2
from algengine.post_training.adapt import AdapterConfig, adapt, count_trainable, only_adapters_in_training
from algengine.post_training.batches import DecisionBatches
from algengine.post_training.config import PostTrainingConfig, ScheduleConfig
from algengine.post_training.feature_cache import FORMAT, VERSION, FeatureCache
from algengine.post_training.recipe import DataConfig
from algengine.post_training.runs import Decision
from algengine.post_training.train import numbers_of, update
from simengine.files.arrays import write_arrays
from simengine.files.atomic import write_atomically
from simengine.rewards.columns import COLUMNS
from simengine.rewards.reward_file import save_rewards
from simengine.rewards.scores import VocabularyScores
from simengine.rewards.vocabulary import Vocabulary

BUDGET = {"config": "full-size VADv2", "device": "one H200", "samples_per_s": 100}
DECISIONS, STEPS = 8, 4


def random_plans(size: int, poses: int, rng: np.random.Generator) -> np.ndarray:
    speed, rate = rng.uniform(0, 14, size), rng.uniform(-0.2, 0.2, size)
    times = 0.1 * np.arange(1, poses + 1)
    yaw = rate[:, None] * times
    steps = 0.1 * speed[:, None, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
    return np.concatenate([steps.cumsum(1), yaw[..., None]], axis=-1).astype(np.float32)


def write_log(
    run: Path, token: str, cache: FeatureCache, planner: VADv2, vocabulary: Vocabulary, dtype: str
) -> None:
    rng = np.random.default_rng(len(token) + int(token))
    grid, size, poses = planner.bev_encoder.grid, vocabulary.size, planner.head.vocabulary.shape[1]
    recording = run / "observations" / f"{token}.npz"
    write_atomically(recording, token.encode())
    channels = planner.head.decoder[0].attention.value.in_channels
    arrays = {
        "bev": rng.standard_normal((DECISIONS, channels, grid.rows, grid.cols), np.float32).astype(dtype),
        "history": rng.standard_normal((DECISIONS, STEPS, 3), np.float32),
        "velocity": rng.standard_normal((DECISIONS, STEPS, 2), np.float32),
        "acceleration": rng.standard_normal((DECISIONS, STEPS, 2), np.float32),
        "command": np.ones((DECISIONS, STEPS), np.int64),
        "history_valid": np.ones((DECISIONS, STEPS), bool),
        "driven": random_plans(DECISIONS, poses, rng),
        "driven_valid": np.ones((DECISIONS, poses), bool),
        "reference.imitation": rng.standard_normal((DECISIONS, size), np.float32),
    }
    header = {"format": FORMAT, "version": VERSION, "token": token}
    write_arrays(cache.path(recording), header, arrays, compress=False)
    scores = [
        VocabularyScores(
            token,
            step,
            "navsim_v1",
            **{n: rng.integers(0, 2, size).astype(np.float32) for n in COLUMNS},
            reference_progress=1.0,
            reference="pdm_closed",
            unknown={},
        )
        for step in range(DECISIONS)
    ]
    save_rewards(run / "rewards" / f"{token}.npz", scores, vocabulary)


def rate(work: Callable[[], int], seconds: float) -> float:
    """Return samples per second of `work`, which returns how many it did; the first call warms up."""
    work()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        done += work()
    return done / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", default="vadv2_demo")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float16", help="of the cached maps")
    parser.add_argument("--autocast", default="", help="bfloat16 for mixed precision on CUDA")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--logs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()

    model = load_config(arguments.config).model.to_dict() | {"bev_head": None}
    if arguments.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
    planner = registry.MODELS.build(model)
    size, poses = planner.head.vocabulary.shape[:2]
    plans = random_plans(size, poses, np.random.default_rng(0))
    planner.head.vocabulary.copy_(torch.from_numpy(plans))
    vocabulary = Vocabulary(plans)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        cache = FeatureCache(run / "features", planner, model, dtype=arguments.dtype)
        tokens = [str(i) for i in range(arguments.logs)]
        for token in tokens:
            write_log(run, token, cache, planner, vocabulary, arguments.dtype)
        decisions = [Decision(run, token, step, step) for token in tokens for step in range(DECISIONS)]
        pinned = arguments.device == "cuda"
        batches = DecisionBatches(decisions, cache, torch.from_numpy(plans), arguments.batch, pinned=pinned)
        adapt(planner, AdapterConfig())
        only_adapters_in_training(planner.to(arguments.device))
        config = PostTrainingConfig(DataConfig(), schedule=ScheduleConfig(autocast=arguments.autocast))
        learning = [p for p in planner.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(learning, lr=1e-6)

        def stream() -> Iterator:
            return batches.stream(0, 1_000_000)

        source, reading = stream(), stream()

        def train() -> int:
            # As in training, losses are looked at now and then.
            for _ in range(config.schedule.log_every):
                values = update(planner, next(source).to(arguments.device), config, optimizer, learning)
            numbers_of(values, 0)
            return batches.size * config.schedule.log_every

        def read() -> int:
            next(reading)
            return batches.size

        result = {
            "config": arguments.config,
            "device": arguments.device,
            "plans": size,
            "batch": batches.size,
            "dtype": arguments.dtype,
            "autocast": arguments.autocast,
            "map_bytes_per_sample": cache.open(decisions[0].observations).bev[0].nbytes,
            "parameters_learning": count_trainable(planner)[0],
            "samples_per_s": round(rate(train, arguments.seconds), 2),
            "samples_per_s_reading_only": round(rate(read, arguments.seconds / 2), 1),
            "budget": BUDGET,
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
