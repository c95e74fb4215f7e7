"""Checkpoints that a killed run can rely on."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from algengine.engine.fitting import require_same, require_some
from algengine.engine.weights import load_checkpoint
from algengine.errors import CheckpointError
from algengine.registry import HOOKS
from simengine.errors import ConfigError
from simengine.files.atomic import write_atomically

LAST_CHECKPOINT = "last_checkpoint"
"""File of a work dir that holds the path of its newest checkpoint."""

_NAME = re.compile(r"(epoch|iter)_(\d+)\.pth")


@HOOKS.register_module()
class ResumableCheckpointHook(Hook):
    """Writes `epoch_E.pth` and `iter_I.pth`, each whole or not at all; older files go only when a newer one is there.

    While gradients are being accumulated the weights alone are not the whole state, so a checkpoint that is due then
    waits for the next step of the optimiser.

    Args:
        interval: epochs between checkpoints; the last epoch always leaves one.
        iterations: also write one every so many iterations, 0 for none.
        max_keep_ckpts: newest files that are kept, -1 for all.
    """

    priority = "VERY_LOW"

    def __init__(self, interval: int = 1, iterations: int = 0, max_keep_ckpts: int = 1) -> None:
        if max_keep_ckpts == 0 or interval < 1 or iterations < 0:
            raise ConfigError(
                f"the checkpoint hook got interval={interval}, iterations={iterations}, "
                f"max_keep_ckpts={max_keep_ckpts}, expected interval >= 1, iterations >= 0 and max_keep_ckpts >= 1, "
                "or -1 to keep all"
            )
        self.interval, self.iterations, self.max_keep_ckpts = interval, iterations, max_keep_ckpts
        self._due = False

    def after_train_iter(self, runner: Runner, batch_idx: int, **_: object) -> None:
        """Write a checkpoint if one is due."""
        iteration = runner.iter + 1
        self._due |= self.iterations > 0 and iteration % self.iterations == 0
        if self._due and _has_stepped(runner):
            self._save(runner, f"iter_{iteration}.pth", {"epoch": runner.epoch, "iter": iteration})

    def after_train_epoch(self, runner: Runner) -> None:
        """Write a checkpoint if one is due."""
        epoch = runner.epoch + 1
        if epoch % self.interval and epoch != runner.max_epochs:
            return
        if _has_stepped(runner):
            self._save(runner, f"epoch_{epoch}.pth", {"epoch": epoch, "iter": runner.iter})
        else:
            self._due = True

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check that model and iterations are those of the run that goes on, or that weights begin something."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not runner._resume:
            require_some(model.state_dict(), checkpoint["state_dict"])
            return
        require_same(model.state_dict(), checkpoint["state_dict"])
        meta, ours = checkpoint["meta"], len(runner.train_dataloader)
        theirs = meta.get("iterations_per_epoch", ours)
        if theirs != ours:
            raise ConfigError(
                f"the checkpoint is of a run with {theirs} iterations per epoch, this one has {ours}: resume with the "
                "same data, batch size and number of processes, or start anew from its weights with load_from"
            )
        # It is not kept in checkpoints; MMEngine would take its absence for other data.
        meta["dataset_meta"] = runner.train_dataloader.dataset.metainfo

    def _save(self, runner: Runner, name: str, meta: dict) -> None:
        self._due = False
        meta["iterations_per_epoch"] = len(runner.train_dataloader)
        folder, temporary = Path(runner.work_dir), f".{name}.tmp"
        runner.save_checkpoint(str(folder), temporary, meta=meta)
        if not is_main_process():
            return
        replace_durably(folder / temporary, folder / name)
        write_atomically(folder / LAST_CHECKPOINT, str(folder / name).encode())
        if self.max_keep_ckpts > 0:
            for old in checkpoints(folder)[self.max_keep_ckpts :]:
                old.unlink()


def _has_stepped(runner: Runner) -> bool:
    return runner.optim_wrapper.should_update()


def replace_durably(temporary: Path, path: Path) -> None:
    """Rename a written file to `path` once its bytes are on the disk."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, newest first."""
    found = [path for path in Path(folder).glob("*.pth") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest readable checkpoint of a work dir, or None if there is none."""
    for path in checkpoints(folder):
        try:
            load_checkpoint(path)
        except CheckpointError:
            continue
        return path
    return None
