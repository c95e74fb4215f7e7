"""Training: a config on the MMEngine Runner."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from algengine import registry
from simengine.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """Return the device named `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: CUDA was asked for and there is none, or the name is unknown.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is {name!r}, expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda' but this PyTorch sees no GPU: use --device auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def train(config: Config, work_dir: Path, device: str = "auto") -> Path:
    """Train as `config` says and return the path of the last checkpoint.

    Args:
        config: with model, loaders, schedule and hooks.
        work_dir: where checkpoints, the log and the resolved config go.
        device: `auto`, `cpu` or `cuda`.
    """
    chosen = choose_device(device)
    config.work_dir = str(work_dir)
    # Build our registries' locations before names are looked up.
    registry.MODELS.import_from_location()
    if chosen.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    runner = Runner.from_cfg(config)
    # The Runner picks a GPU whenever it sees one; on request everything stays on the CPU.
    runner.model.to(chosen)
    runner.train()
    last = Path(work_dir) / "last_checkpoint"
    return Path(last.read_text().strip())
