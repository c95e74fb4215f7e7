"""Post-training of a planner's head from cached features, resumable at any update."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from algengine.engine.work_dir import work_dir_of
from algengine.models.layers.precision import mixed_precision
from algengine.planners.vadv2 import VADv2
from algengine.post_training.adapt import adapt, count_trainable, only_adapters_in_training
from algengine.post_training.base import BasePlanner, make_student
from algengine.post_training.batches import Batch, DecisionBatches
from algengine.post_training.config import PostTrainingConfig
from algengine.post_training.evaluate import evaluate
from algengine.post_training.export import export_student
from algengine.post_training.feature_cache import FeatureCache, planner_key
from algengine.post_training.recipe import select_decisions
from algengine.post_training.runs import Decision
from algengine.post_training.schedule import learning_rate, num_steps
from algengine.post_training.training_state import STATE_NAME, load_state, save_state
from simengine.errors import ConfigError
from simengine.files.atomic import write_atomically

SUMMARY_NAME = "summary.json"
Progress = Callable[[str, int, int, dict], None]
"""Called with what is being done, how much of it, of how much, and the last values."""


@dataclass(frozen=True)
class Prepared:
    """Everything a run works on.

    Attributes:
        student: planner with adapters, on the device.
        model: its config.
        batches: training data.
        key: hash of all that decides the result.
    """

    student: VADv2
    model: dict
    batches: DecisionBatches
    key: str


def post_train(
    config: PostTrainingConfig,
    base: BasePlanner,
    work_dir: Path,
    device: torch.device | str = "cpu",
    progress: Progress = lambda *_: None,
) -> Path:
    """Train, or go on where a run in `work_dir` stopped, and return the path of the exported weights.

    On the CPU a run that was interrupted and resumed gives the same weights, bit by bit, as one that was not.

    Args:
        config: what to do.
        base: planner to start from.
        work_dir: for `state.pth`, `summary.json` (with the log), `weights.pth` and `lora.pth`.
        device: where to compute.
        progress: see `Progress`.

    Raises:
        ConfigError: the loss is no number any more, the config asks for nothing, or `work_dir` cannot be written or
            another process trains in it.
    """
    if torch.device(device).type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
    decisions = select_decisions(config.data, base.vocabulary.key)
    with work_dir_of(Path(work_dir)) as folder:
        return _train(config, base, decisions, folder, device, progress)


def _train(
    config: PostTrainingConfig,
    base: BasePlanner,
    decisions: list[Decision],
    work_dir: Path,
    device: torch.device | str,
    progress: Progress,
) -> Path:
    prepared = prepare(config, base, decisions, device, progress)
    student, batches, schedule = prepared.student, prepared.batches, config.schedule
    total = num_steps(schedule, batches.per_epoch)
    learning = {n: p for n, p in student.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(learning.values(), lr=schedule.lr, weight_decay=schedule.weight_decay)
    torch.manual_seed(schedule.seed)
    done, log = 0, []
    state = work_dir / STATE_NAME
    if state.is_file():
        done, log = load_state(state, learning, optimizer, prepared.key)
    before = evaluate(student, batches, device)["reference"]
    only_adapters_in_training(student)
    for step, batch in enumerate(batches.stream(done, total), start=done):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(schedule, step, batches.per_epoch)
        values = update(student, batch.to(device), config, optimizer, list(learning.values()))
        if step % schedule.log_every == 0 or step == total - 1:
            log.append({"step": step, "lr": optimizer.param_groups[0]["lr"], **numbers_of(values, step)})
            progress("training", step + 1, total, log[-1])
        if (step + 1) % schedule.save_every == 0 or step == total - 1:
            check_finite(learning.values(), step)
            save_state(state, step + 1, learning, optimizer, log, prepared.key)
    after = evaluate(student, batches, device)["policy"]
    return _finish(prepared, config, base, work_dir, {"before": before, "after": after, "log": log})


def prepare(
    config: PostTrainingConfig,
    base: BasePlanner,
    decisions: list[Decision],
    device: torch.device | str,
    progress: Progress,
) -> Prepared:
    """Fill the cache and make the student."""
    frozen = base.build()
    cache = FeatureCache(
        Path(config.cache.root), frozen, base.model, base.cameras, config.cache.dtype, device
    )
    recordings = sorted({decision.observations for decision in decisions})
    count = iter(range(1, len(recordings) + 1))
    cache.fill(
        recordings, lambda path: progress("features", next(count), len(recordings), {"token": path.stem})
    )
    seed, size = config.schedule.seed, config.schedule.batch_size
    student, model = make_student(base, config.model, seed)
    torch.manual_seed(seed)
    adapt(student, config.adapters)
    vocabulary, on_gpu = base.state_dict["head.vocabulary"].float(), torch.device(device).type == "cuda"
    batches = DecisionBatches(decisions, cache, vocabulary, size, seed, pinned=on_gpu)
    chosen = [(cache.path(d.observations).stem, d.step, d.fail_mask) for d in decisions]
    facts = json.dumps([config.describe(), planner_key(frozen.cpu(), base.model), chosen], sort_keys=True)
    return Prepared(student.to(device), model, batches, hashlib.sha256(facts.encode()).hexdigest())


def update(
    student: VADv2,
    batch: Batch,
    config: PostTrainingConfig,
    optimizer: torch.optim.Optimizer,
    learning: list[nn.Parameter],
) -> dict[str, torch.Tensor]:
    """Make one update and return losses and values; the batch is on the student's device, and so are they.

    Nothing is asked of a GPU here, which therefore never waits for the next update to be prepared.
    """
    with mixed_precision(config.schedule.autocast, batch.bev.device):
        outputs = student.head(batch.bev, batch.status)
    outputs = {name: value.float() for name, value in outputs.items()}
    values = config.objective(outputs, batch.outcomes, student.head.ranking)
    loss = sum(value for name, value in values.items() if name.startswith("loss_"))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(learning, config.schedule.clip)
    optimizer.step()
    return {"loss": loss.detach(), "gradient": norm, **{n: v.detach() for n, v in values.items()}}


def numbers_of(values: Mapping[str, torch.Tensor], step: int) -> dict[str, float]:
    """Return losses and values as numbers, but for those that apply to no decision of the batch, which are NaN.

    Raises:
        ConfigError: the loss is no finite number.
    """
    # One copy, not one for each value.
    numbers = dict(zip(values, torch.stack([v.double() for v in values.values()]).tolist(), strict=True))
    if not math.isfinite(numbers["loss"]):
        raise ConfigError(f"the loss at update {step} is {numbers['loss']}, expected a number: lower the lr")
    return {name: number for name, number in numbers.items() if not math.isnan(number)}


def check_finite(learning: Iterable[torch.Tensor], step: int) -> None:
    """Make sure that a state is worth saving: losses are looked at now and then, and before an update only.

    Raises:
        ConfigError: a parameter is no finite number any more.
    """
    if not torch.stack([parameter.detach().isfinite().all() for parameter in learning]).all():
        raise ConfigError(
            f"parameters after update {step} are no numbers any more, expected finite ones: lower the lr"
        )


def _finish(
    prepared: Prepared, config: PostTrainingConfig, base: BasePlanner, work_dir: Path, results: dict
) -> Path:
    student, batches = prepared.student, prepared.batches
    learning, size = count_trainable(student)
    kinds = [decision.fail_mask for decision in batches.decisions]
    facts = {
        "decisions": {"normal": kinds.count(0), "real_failure": kinds.count(1), "synthetic": kinds.count(-1)},
        "parameters": {"learning": learning, "all": size},
    }
    summary = {"config": config.describe(), **facts, **results}
    write_atomically(work_dir / SUMMARY_NAME, (json.dumps(summary, indent=1) + "\n").encode())
    metadata = base.metadata | {
        "cameras": list(base.cameras),
        "post_training": config.describe()["objective"],
    }
    return export_student(student, prepared.model, base.state_dict, metadata, work_dir)
