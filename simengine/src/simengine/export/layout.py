"""Names and places of the original's output below the folder of one run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from simengine.errors import ConfigError

TRAFFIC = ("NR", "R")
PLAN_INDEX = "plan_idx.csv"
REWARD_NAME = re.compile(r"(?P<scenario>.+)_step_(?P<step>\d+)_scores\.pkl")
_PART = re.compile(r"split_(\d+)")


@dataclass(frozen=True)
class OpenSceneFolder:
    """The folder `openscene_format` of a run.

    Attributes:
        root: the folder itself, two levels below the run.
    """

    root: Path

    @property
    def meta_datas(self) -> Path:
        """Where each scenario has its list of frames."""
        return self.root / "meta_datas"

    @property
    def sensor_blobs(self) -> Path:
        """What image paths in frames are relative to; one folder for each scene token."""
        return self.root / "sensor_blobs"

    @property
    def pdms_pkl(self) -> Path:
        """Where rewards are, one file for each frame."""
        return self.root / "pdms_pkl"

    @property
    def plan_rows(self) -> Path:
        """Where each scenario has its rows of the plan index, before they are put together."""
        return self.root / "plan_rows"

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return self.root.parent.parent

    @property
    def plan_index(self) -> Path:
        """The table of chosen vocabulary rows, where the original's planner writes it."""
        return self.run / "plan_traj" / PLAN_INDEX

    def meta(self, scenario_id: str) -> Path:
        """Return the path of the frames of one scenario."""
        return self.meta_datas / f"{scenario_id}.pkl"

    def averages(self, traffic: str) -> Path:
        """Return the path of the score table."""
        return self.root / f"all_scenes_pdm_averages_{traffic}.csv"

    def reward_index(self, traffic: str) -> Path:
        """Return the path of the table of reward files."""
        return self.root / f"all_scenes_pdm_pkl_paths_{traffic}.csv"


def openscene_of(run: Path) -> OpenSceneFolder:
    """Return the output of a run at its usual place."""
    return OpenSceneFolder(Path(run) / "WE_output" / "openscene_format")


def parts_of(run: Path) -> list[Path]:
    """Return the folders `split_<i>` of a distributed run in order of their numbers; none for a single one."""
    numbered = [(int(m[1]), path) for path in Path(run).glob("split_*") if (m := _PART.fullmatch(path.name))]
    return [path for _, path in sorted(numbered) if path.is_dir()]


def check_run(run: Path) -> None:
    """Raise `ConfigError` if there is no such folder."""
    if not Path(run).is_dir():
        raise ConfigError(f"{run} is no folder, expected that of a run: check the path")
