"""Training: a config on the MMEngine Runner."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import torch
from mmengine.config import Config

from algengine import registry
from algengine.datasets.openscene.places import located
from algengine.engine.distributed import join_processes, leave_processes, meeting, ranks
from algengine.engine.map_cache import use_map_cache
from algengine.engine.runner import PlannerRunner, building
from algengine.engine.saving import LAST_CHECKPOINT, checkpoints, newest_checkpoint
from algengine.engine.switches import apply_switches
from algengine.engine.weights import load_checkpoint
from algengine.engine.work_dir import work_dir_of
from simengine.errors import ConfigError

AUTO = "auto"
"""Resume from the newest checkpoint of the work dir, if there is one."""


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


def train(
    config: Config,
    work_dir: Path,
    device: str = "auto",
    resume: str | None = None,
    launcher: str = "none",
    overwrite: bool = False,
) -> Path:
    """Train as `config` says and return the path of the last checkpoint.

    Args:
        config: with model, loaders, schedule and hooks.
        work_dir: where checkpoints, the log and the resolved config go.
        device: `auto`, `cpu` or `cuda`.
        resume: `auto`, or the checkpoint to go on from with optimiser, schedule and place in the data; None to begin.
        launcher: `none`, or `pytorch` for a process started by torchrun.
        overwrite: whether a training that begins may delete the checkpoints of an earlier one in its work dir.

    Raises:
        ConfigError: a value of the config does not fit, device, launcher or weights to begin from are not there, or the
            work dir is that of an earlier training or another process trains in it.
        CheckpointError: the checkpoint to resume from or to begin from is missing or broken.
    """
    chosen = join_processes(launcher, choose_device(device))
    try:
        config.work_dir, config.device, config.launcher = str(work_dir), str(chosen), launcher
        _choose_start(config, Path(work_dir), resume)
        with work_dir_of(Path(work_dir)) if ranks()[0] == 0 else nullcontext():
            if resume is None:
                _require_fresh(Path(work_dir), overwrite)
            _run(config, chosen)
    finally:
        leave_processes()
    last = Path(work_dir) / LAST_CHECKPOINT
    return Path(last.read_text().strip())


def _run(config: Config, device: torch.device) -> None:
    # Build our registries' locations before names are looked up.
    registry.MODELS.import_from_location()
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    with building():
        apply_switches(config)
        use_map_cache(config, device)
    PlannerRunner.from_cfg(config).train()


def _choose_start(config: Config, work_dir: Path, resume: str | None) -> None:
    """Say in the config where training begins: at a checkpoint, at given weights, or from nothing."""
    if resume == AUTO:
        checkpoint = newest_checkpoint(work_dir)
    elif resume is not None:
        checkpoint = Path(resume)
        if "optimizer" not in load_checkpoint(checkpoint):
            raise ConfigError(
                f"{checkpoint} holds weights but no state of an optimiser, so nothing can be resumed: give it as "
                "load_from instead"
            )
    else:
        checkpoint = None
    if checkpoint is not None:
        config.resume, config.load_from = True, str(checkpoint)
        return
    config.resume = False
    start = config.get("load_from")
    if not start:
        return
    path = located(start)
    if not path.is_file():
        raise ConfigError(
            f"load_from is {start}, expected an existing checkpoint: put it there, or pass --cfg-options load_from=None"
        )
    load_checkpoint(path)
    config.load_from = str(path)


def _require_fresh(work_dir: Path, overwrite: bool) -> None:
    """Check that no checkpoints of an earlier training are in the work dir; delete them if allowed."""
    earlier = checkpoints(work_dir)
    if earlier and not overwrite:
        raise ConfigError(
            f"{work_dir} holds {earlier[0].name} of an earlier training, expected a work dir without: go on with "
            "--resume, start over with --overwrite, or choose another --work-dir"
        )
    meeting()()
    if ranks()[0] == 0:
        for path in earlier:
            path.unlink()
