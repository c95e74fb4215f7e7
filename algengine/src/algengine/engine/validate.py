"""Validation of a checkpoint on the validation part of a config, with the config's own metric."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config

from algengine import registry
from algengine.engine.distributed import join_processes, leave_processes
from algengine.engine.fitting import load_whole
from algengine.engine.runner import PlannerRunner
from algengine.engine.train import choose_device
from algengine.engine.weights import load_checkpoint
from simengine.errors import ConfigError


def validate(
    config: Config, checkpoint: Path, work_dir: Path, device: str = "auto", launcher: str = "none"
) -> dict[str, float]:
    """Return the figures of a checkpoint, as the validation loop has them; the log in `work_dir` has the table.

    Args:
        config: with model, `val_dataloader` and `val_evaluator`.
        checkpoint: of training.
        work_dir: where the log goes.
        device: `auto`, `cpu` or `cuda`.
        launcher: `none`, or `pytorch` for a process started by torchrun.

    Raises:
        ConfigError: the config has nothing to validate on.
        CheckpointError: the checkpoint is missing, broken, or lacks a part of the model.
    """
    if "val_evaluator" not in config or "val_dataloader" not in config:
        raise ConfigError("the config has no val_dataloader or no val_evaluator, expected both to test with")
    state = load_checkpoint(checkpoint)["state_dict"]
    chosen = join_processes(launcher, choose_device(device))
    try:
        config.work_dir, config.device, config.launcher = str(work_dir), str(chosen), launcher
        config.load_from, config.resume = None, False
        # Without a training part the runner builds neither its data nor an optimiser.
        for key in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler", "auto_scale_lr"):
            config.pop(key, None)
        registry.MODELS.import_from_location()
        if chosen.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
        runner = PlannerRunner.from_cfg(config)
        load_whole(runner.model, state, checkpoint)
        return runner.val()
    finally:
        leave_processes()
