"""Post-trained planners by name, for the key `bridge.in_process` of `simengine run`."""

from __future__ import annotations

from pathlib import Path

from algengine.engine.weights import WEIGHTS_NAME
from algengine.serving.load import load_planner
from algengine.serving.planner import VadPlanner

ROOT = Path("experiments/post_training")


def work_dir(name: str) -> Path:
    """Return where a run called `name` lies unless told otherwise, relative to the working directory."""
    return ROOT / name


def load_post_trained(name: str) -> VadPlanner:
    """Return the planner of the run called `name` (`model_name`), or of a folder or weights file of that path.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(name)
    if not path.exists():
        path = work_dir(name)
    return load_planner(checkpoint=path if path.is_file() else path / WEIGHTS_NAME)
