"""Learning rate of a step: linear warm-up, cosine decay, per update or per epoch."""

from __future__ import annotations

import math

from algengine.post_training.config import ScheduleConfig


def num_steps(config: ScheduleConfig, per_epoch: int) -> int:
    """Return how many updates there are."""
    return config.steps or config.epochs * per_epoch


def learning_rate(config: ScheduleConfig, step: int, per_epoch: int) -> float:
    """Return the rate at `step`; by epoch it is that of the original (reference: algengine.md 2.8)."""
    total = num_steps(config, per_epoch)
    phase = step / max(total, 1)
    if config.by_epoch:
        phase = (step // per_epoch) / max(math.ceil(total / per_epoch), 1)
    least = config.least_lr * config.lr
    rate = least + 0.5 * (config.lr - least) * (1.0 + math.cos(math.pi * phase))
    if step < config.warmup:
        rate *= config.warmup_start + (1.0 - config.warmup_start) * step / config.warmup
    return rate
