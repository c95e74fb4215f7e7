"""A tiny training run as a config file, started as a process, and a hook that kills it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from alg_factories import CAMERAS, make_vocabulary, tiny_model_config, write_recordings
from algengine.datasets.vocabulary import save_vocabulary
from algengine.engine import saving
from algengine.engine.configs import load_config
from algengine.registry import HOOKS

REPOSITORY = Path(__file__).resolve().parent.parent
ALONE = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "RES_OPTIONS": "timeout:1 attempts:1"}
"""Variables of a process on one thread that needs no network, and waits for no name server that does not answer."""


def write_training_config(folder: Path, decisions: int = 24, **overrides: object) -> Path:
    """Write recordings, vocabulary and the config of a tiny run below `folder`; return the config's path.

    `overrides` are merged with dots written as double underscores. Normalisation and dropout are off, so that the
    same samples give the same losses however they are split over processes.
    """
    write_recordings(folder / "observations", 12, decisions=decisions)
    save_vocabulary(make_vocabulary(12), folder / "plans.npy")
    config = load_config("vadv2_demo")
    config.model = tiny_model_config(12)
    config.model.backbone.norm_eval = True
    for loader, part in ((config.train_dataloader, "train"), (config.val_dataloader, "val")):
        loader.dataset = {
            "type": "RecordingDataset",
            "root": str(folder / "observations"),
            "part": part,
            "clip_length": 2,
            "clip_stride": 4,
            "image_size": (64, 36),
            "cameras": CAMERAS,
            "val_share": 0.3,
        }
        loader.update(batch_size=4, num_workers=0, persistent_workers=False, pin_memory=False)
    config.custom_hooks[0].path = config.val_evaluator.vocabulary = str(folder / "plans.npy")
    config.train_cfg.update(max_epochs=2, val_interval=2)
    config.default_hooks.logger.interval = config.log_processor.window_size = 1
    config.merge_from_dict({key.replace("__", "."): value for key, value in overrides.items()})
    path = folder / "tiny.py"
    config.dump(path)
    return path


def start_training(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run `algengine train` with `arguments` as a process of its own and return how it ended."""
    command = [sys.executable, "-m", "algengine.cli.main", "train", *arguments, "--device", "cpu"]
    return run_process(command, **environment)


def run_process(command: list[str], **environment: str) -> subprocess.CompletedProcess:
    """Run a command from the repository on one thread and return how it ended."""
    path = os.pathsep.join(filter(None, (str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH"))))
    variables = {**os.environ, **ALONE, "PYTHONPATH": path, **environment}
    return subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)


def logged(work_dir: Path, key: str) -> list[float]:
    """Return what the runs of a work dir logged under `key`, one value per iteration."""
    rows: dict[int, float] = {}
    for path in sorted(work_dir.glob("*/vis_data/scalars.json")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if key in row and "iter" in row:
                rows[row["iter"]] = row[key]
    return [rows[i] for i in sorted(rows)]


def same(a: object, b: object) -> bool:
    """Return whether two nested structures of tensors and plain values are equal to the last bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


@HOOKS.register_module()
class KillHook(Hook):
    """Kills the process at the moment that the variable KILL_AT names, the hard way."""

    def before_run(self, runner: object) -> None:
        """Prepare for the moments around the renaming of a checkpoint."""
        moment = os.environ.get("KILL_AT", "")
        rename = saving.replace_durably
        if moment.startswith("written "):
            saving.replace_durably = lambda temporary, path: (
                _die(moment, f"written {path.name}") or rename(temporary, path)
            )
        if moment.startswith("renamed "):
            saving.replace_durably = lambda temporary, path: (
                rename(temporary, path) or _die(moment, f"renamed {path.name}")
            )

    def before_train_iter(self, runner: object, batch_idx: int, **_: object) -> None:
        """Kill in the middle of training."""
        _die(os.environ.get("KILL_AT", ""), f"iteration {runner.iter}")

    def before_val_epoch(self, runner: object) -> None:
        """Kill when validation has begun."""
        _die(os.environ.get("KILL_AT", ""), "validation")


def _die(wanted: str, now: str) -> None:
    if wanted == now:
        os.kill(os.getpid(), signal.SIGKILL)


def add_kill_hook(path: Path) -> None:
    """Add `KillHook` to a config file."""
    config = Config.fromfile(path)
    config.custom_imports = {"imports": ["training_factories"], "allow_failed_imports": False}
    config.custom_hooks = [*config.custom_hooks, {"type": "KillHook"}]
    config.dump(path)
