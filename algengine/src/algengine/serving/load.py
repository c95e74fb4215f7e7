"""From names on the command line to a planner."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

from algengine.engine.configs import load_planner_config
from algengine.engine.train import choose_device
from algengine.engine.weights import (
    FORMAT,
    WEIGHTS_NAME,
    build_planner,
    load_checkpoint,
    load_weights,
    require_planner,
)
from algengine.errors import CheckpointError
from algengine.serving.planner import VadPlanner
from simengine.errors import ConfigError

_ASSETS = Path(__file__).resolve().parent.parent / "assets"


def shipped_models() -> list[str]:
    """Return the names of the weights that ship with the package."""
    return sorted(path.parent.name for path in _ASSETS.glob(f"*/{WEIGHTS_NAME}"))


def shipped_weights(name: str) -> Path:
    """Return the path of shipped weights.

    Raises:
        CheckpointError: there are none of that name.
    """
    path = _ASSETS / name / WEIGHTS_NAME
    if not path.is_file():
        known = ", ".join(shipped_models()) or "none: train them with scripts/train_demo_planner.sh"
        raise CheckpointError(f"there is no shipped model {name!r}, expected one of: {known}")
    return path


def load_shipped(name: str) -> VadPlanner:
    """Return the shipped planner `name`; what `simengine run bridge.in_process=...` calls."""
    return load_planner(model=name)


def load_planner(
    config: str | None = None,
    checkpoint: Path | None = None,
    model: str | None = None,
    device: str = "auto",
    threads: int = 2,
    memory_gib: float = 4.0,
    accelerate: str = "none",
) -> VadPlanner:
    """Return a planner from shipped weights (`model`), or from a checkpoint.

    Args:
        config: needed for a training checkpoint; exported weights carry their own. Alone it may name shipped weights,
            or be the path of exported ones.
        checkpoint: exported weights or a training checkpoint.
        model: name of shipped weights; excludes the other two.
        device: `auto`, `cpu` or `cuda`.
        threads: CPU threads.
        memory_gib: bound of the maps remembered for all rollouts.
        accelerate: `none`, `graphs` or `compile`, see `FrameNetwork`.

    Raises:
        CheckpointError: weights are missing, corrupt or do not fit.
        ConfigError: the arguments contradict each other.
    """
    if config and checkpoint is None and model is None:
        if config in shipped_models():
            config, model = None, config
        elif config.endswith(".pth"):
            config, checkpoint = None, Path(config)
    if threads < 1 or not memory_gib > 0 or not math.isfinite(memory_gib):
        raise ConfigError(
            f"--threads is {threads} and --memory-gib {memory_gib}, expected at least 1 thread and more than 0 GiB"
        )
    if bool(model) == bool(checkpoint):
        raise ConfigError("expected either --model NAME, or CONFIG and CHECKPOINT: give one of the two")
    path = shipped_weights(model) if model else checkpoint
    name = model or Path(config or path).stem
    content = load_checkpoint(path)
    if content.get("format") == FORMAT:
        weights = load_weights(path)
        network = build_planner(weights.model, weights.state_dict)
        cameras = weights.metadata.get("cameras", ())
    elif config:
        loaded = load_planner_config(config)
        network = build_planner(loaded.model.to_dict(), content["state_dict"])
        cameras = loaded.train_dataloader.dataset.cameras
    else:
        raise CheckpointError(
            f"{path} is a training checkpoint, expected its config too: serve CONFIG CHECKPOINT"
        )
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    return VadPlanner(
        require_planner(network),
        name,
        cameras,
        choose_device(device),
        threads,
        weights_hash=digest,
        memory_gib=memory_gib,
        accelerate=accelerate,
    )
