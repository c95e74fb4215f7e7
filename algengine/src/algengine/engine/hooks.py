"""Hooks of the training run."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from algengine.datasets.openscene.places import located
from algengine.datasets.vocabulary import load_vocabulary
from algengine.errors import CheckpointError
from algengine.registry import HOOKS


@HOOKS.register_module()
class VocabularyHook(Hook):
    """Puts the vocabulary into the model before the first step.

    Args:
        path: plans (.npy).
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def before_run(self, runner: Runner) -> None:
        """Copy the plans into the head."""
        plans = torch.from_numpy(load_vocabulary(located(self.path)))
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        target = model.head.vocabulary
        if plans.shape != target.shape:
            raise CheckpointError(
                f"the vocabulary {self.path} has shape {tuple(plans.shape)}, the model expects {tuple(target.shape)}: "
                "make it again with that size, or change vocabulary_size"
            )
        target.copy_(plans)


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Leaves only tensors and plain values in checkpoints, so that they load with `weights_only=True`."""

    priority = "LOWEST"

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Drop log histories, which are objects."""
        checkpoint["message_hub"] = {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}}
        checkpoint["meta"] = {
            k: v for k, v in checkpoint["meta"].items() if isinstance(v, (str, int, float, type(None)))
        }
