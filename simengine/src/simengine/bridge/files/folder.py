"""Names and places of the protocol's files below the folder of one run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PLAN_INDEX_COLUMNS = ("prefix", "step", "plan_idx")
_FRAME_NAME = re.compile(r"(?P<prefix>.+)_(?P<step>\d+)\.pkl")


@dataclass(frozen=True)
class RunFolder:
    """One run as both halves see it; the layout is the original's.

    Attributes:
        root: `<run>`; with several simulators each has its own, such as `<run>/split_0`.
    """

    root: Path

    @property
    def frames(self) -> Path:
        """Where the simulator writes frame pickles."""
        return self.root / "frames"

    @property
    def plans(self) -> Path:
        """Where the planner writes plans."""
        return self.root / "plan_traj"

    @property
    def merged(self) -> Path:
        """Where the original's planner keeps its inputs."""
        return self.root / "merged_ann_files"

    @property
    def images(self) -> Path:
        """What the image paths in frames are relative to."""
        return self.root / "WE_output" / "openscene_format" / "sensor_blobs"

    @property
    def flag(self) -> Path:
        """Exists once the simulator has ended."""
        return self.root / "WE_output" / "simulation_completed.flag"

    @property
    def plan_index(self) -> Path:
        """Table of the chosen vocabulary rows."""
        return self.plans / "plan_idx.csv"

    def frame(self, prefix: str, step: int) -> Path:
        """Return the path of the frame `step` of the scene `prefix`."""
        return self.frames / f"{prefix}_{step}.pkl"

    def plan(self, prefix: str, step: int) -> Path:
        """Return the path of the plan that leads to frame `step`: the answer to the frame before it."""
        return self.plans / f"{prefix}_{step}.npy"

    def waiting_frames(self) -> Iterator[tuple[str, int]]:
        """Yield prefix and step of every frame that is there; other files are passed over."""
        if not self.frames.is_dir():
            return
        for path in self.frames.iterdir():
            match = _FRAME_NAME.fullmatch(path.name)
            if match and not path.name.startswith("."):
                yield match["prefix"], int(match["step"])

    def remove_frames(self, keep: str | None = None) -> None:
        """Delete all frame pickles but those of the scene `keep`."""
        for prefix, step in list(self.waiting_frames()):
            if prefix != keep:
                self.frame(prefix, step).unlink(missing_ok=True)

    def remove_plans(self, prefix: str) -> None:
        """Delete the plans of one scene."""
        name = re.compile(re.escape(prefix) + r"_\d+\.npy")
        for path in self.plans.iterdir() if self.plans.is_dir() else ():
            if name.fullmatch(path.name):
                path.unlink(missing_ok=True)
