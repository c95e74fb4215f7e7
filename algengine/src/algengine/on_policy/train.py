"""On-policy training: collect, update, repeat; resumable at every round."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from algengine.engine.work_dir import work_dir_of
from algengine.on_policy.collect import Experience, collect, taken
from algengine.on_policy.eyes import Eyes
from algengine.on_policy.world import World
from algengine.planners.vadv2 import VADv2
from algengine.post_training.adapt import AdapterConfig, adapt, only_adapters_in_training
from algengine.post_training.base import BasePlanner, make_student
from algengine.post_training.config import PostTrainingConfig, ScheduleConfig
from algengine.post_training.export import export_student
from algengine.post_training.feature_cache import planner_key
from algengine.post_training.objective import ExpectationObjective
from algengine.post_training.recipe import DataConfig
from algengine.post_training.schedule import learning_rate
from algengine.post_training.train import SUMMARY_NAME, check_finite, numbers_of, update
from algengine.post_training.training_state import STATE_NAME, load_state, save_state
from simengine.errors import ConfigError
from simengine.files.atomic import write_atomically


@dataclass(frozen=True)
class OnPolicyConfig:
    """A run; objective, adapters and rate are by default those of our recipes.

    Attributes:
        rounds: of collecting and updating.
        scenes: episodes per round, driven at once; no more than there are scenarios.
        passes: over the decisions of a round.
        batch_size: decisions per update.
        explore: see `collect`.
        objective: what is earned; imitation and distillation have nothing to act on here.
        adapters: what learns.
        lr: highest learning rate; warm-up and cosine as in `ScheduleConfig`.
        warmup: updates.
        clip: largest norm of the gradient.
        seed: of adapters, scenarios, draws and order.
    """

    rounds: int = 30
    scenes: int = 16
    passes: int = 4
    batch_size: int = 20
    explore: float = 0.25
    objective: ExpectationObjective = field(default_factory=ExpectationObjective)
    adapters: AdapterConfig = field(default_factory=lambda: AdapterConfig(alpha=16.0))
    lr: float = 1e-3
    warmup: int = 20
    clip: float = 35.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "scenes", "passes", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected at least 1")
        if not self.lr > 0.0 or self.seed < 0:
            raise ConfigError(
                f"lr is {self.lr} and seed {self.seed}, expected a rate above 0 and a seed of at least 0"
            )
        if not 0.0 <= self.explore <= 1.0:
            raise ConfigError(f"explore is {self.explore}, expected a share from 0 to 1")


Progress = Callable[[dict], None]
"""Called with the row of the log of each round."""


def train_on_policy(
    config: OnPolicyConfig,
    base: BasePlanner,
    world: World,
    work_dir: Path,
    device: torch.device | str = "cpu",
    progress: Progress = lambda _: None,
) -> Path:
    """Train, or go on where a run in `work_dir` stopped, and return the path of the exported weights.

    On the CPU a run that was interrupted gives the same weights, bit by bit, as one that was not: every random number
    derives from the seed and the number of the round.

    Args:
        config: what to do.
        base: planner to start from and to stay near to.
        world: where to drive.
        work_dir: for `state.pth`, `summary.json` (with the log) and `weights.pth`.
        device: where to compute.
        progress: see `Progress`.

    Raises:
        ConfigError: the loss is no number any more, or `work_dir` cannot be written or another process trains in it.
        CheckpointError: the state in `work_dir` belongs to another run.
    """
    with work_dir_of(Path(work_dir)) as folder:
        return _train(config, base, world, folder, device, progress)


def _train(
    config: OnPolicyConfig,
    base: BasePlanner,
    world: World,
    work_dir: Path,
    device: torch.device | str,
    progress: Progress,
) -> Path:
    key = _key(config, base, world)
    reference = base.build().to(device)
    eyes = Eyes(reference, base.cameras, device)
    student, model = make_student(base, {}, config.seed)
    torch.manual_seed(config.seed)
    adapt(student, config.adapters)
    student.to(device)
    learning = {n: p for n, p in student.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(learning.values(), lr=config.lr, weight_decay=0.01)
    done, log, state = 0, [], work_dir / STATE_NAME
    if state.is_file():
        done, log = load_state(state, learning, optimizer, key)
    for number in range(done, config.rounds):
        student.eval()
        scenarios = draw_scenarios(len(world.tokens), config.scenes, config.seed, number)
        generator = torch.Generator().manual_seed(_seed(config.seed, number))
        experience = collect(world, student, reference, eyes, scenarios, config.explore, generator)
        values = _learn(student, experience, config, optimizer, list(learning.values()), number)
        row = {"driven": experience.driven, "expected": experience.expected, "clean": experience.clean}
        log.append({"round": number, "scenarios": [world.tokens[s] for s in scenarios], **row, **values})
        progress(log[-1])
        save_state(state, number + 1, learning, optimizer, log, key)
    rows = [{key: _known(value) for key, value in row.items()} for row in log]
    summary = {"config": asdict(config), "world": world.describe(), "log": rows}
    write_atomically(
        work_dir / SUMMARY_NAME, (json.dumps(summary, indent=1, allow_nan=False) + "\n").encode()
    )
    metadata = base.metadata | {"cameras": list(base.cameras), "on_policy": asdict(config.objective)}
    return export_student(student, model, base.state_dict, metadata, work_dir)


def draw_scenarios(total: int, count: int, seed: int, number: int) -> list[int]:
    """Return which scenarios round `number` drives: every one once before any comes again."""
    count = min(count, total)
    epoch, part = divmod(number, total // count)
    order = np.random.default_rng([seed, epoch]).permutation(total)
    return order[part * count : (part + 1) * count].tolist()


def _learn(
    student: VADv2,
    experience: Experience,
    config: OnPolicyConfig,
    optimizer: torch.optim.Optimizer,
    learning: list[torch.nn.Parameter],
    number: int,
) -> dict[str, float]:
    """Update on the decisions of one round and return the means of what the objective tells."""
    only_adapters_in_training(student)
    torch.manual_seed(_seed(config.seed, number))
    count = len(experience.batch.bev)
    size = min(config.batch_size, count)
    per_pass = math.ceil(count / size)
    schedule = ScheduleConfig(
        steps=config.rounds * config.passes * per_pass, lr=config.lr, warmup=config.warmup, clip=config.clip
    )
    training = PostTrainingConfig(DataConfig(), config.objective, config.adapters, schedule)
    names, rows = ("loss", "kl", "entropy", "gradient"), []
    for turn in range(config.passes):
        order = torch.from_numpy(np.random.default_rng([config.seed, number, turn]).permutation(count))
        for part, chosen in enumerate(order.to(experience.batch.bev.device).split(size)):
            step = (number * config.passes + turn) * per_pass + part
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(schedule, step, per_pass)
            values = update(student, taken(experience.batch, chosen), training, optimizer, learning)
            rows.append(torch.stack([values[name] for name in names]))
    means = torch.stack(rows).double().mean(0)
    numbers = numbers_of(dict(zip(names, means, strict=True)), step)
    check_finite(learning, step)
    return numbers


def _known(value: object) -> object:
    """Return a value of the log, None for a mean over nothing."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _key(config: OnPolicyConfig, base: BasePlanner, world: World) -> str:
    facts = [asdict(config), planner_key(base.build(), base.model), world.tokens, world.describe()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
