"""Simulated drives in the layout `openscene-synthetic`: frames, rewards of every plan, and what was driven."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algengine.datasets.decision_filters import keeps
from algengine.datasets.openscene.frame import FIRST_DECISION, Frame, FrameParser
from algengine.datasets.openscene.info_file import info_files, read_infos
from algengine.datasets.openscene.scores import PickledScores, open_scores
from algengine.errors import RecordingError
from simengine.errors import ScenarioFormatError
from simengine.rewards.cache_pickle import PUBLISHED_COLUMNS
from simengine.rewards.pdms_pkl import read_pdms_pkl

META_FOLDERS = ("meta_datas_navformer", "meta_datas")
PLAN_INDEX = "plan_idx.csv"
PUBLISHED_SIZE = 8192
"""Plans of the published vocabulary; no other is that large."""


@dataclass(frozen=True)
class SyntheticFolder:
    """Places of one data set `name` below `root`."""

    root: Path
    name: str

    @property
    def images(self) -> Path:
        """What image paths are relative to."""
        return self.root / "sensor_blobs" / self.name

    @property
    def rewards(self) -> Path:
        """Folder of a file for each decision."""
        return self.root / "pdms_pkl" / self.name

    @property
    def reward_pickle(self) -> Path:
        """One pickle of all decisions, as SimScale has it."""
        return self.root / "pdms_pkl" / f"{self.name}.pkl"

    @property
    def plan_index(self) -> Path:
        """Table of the plans that were driven."""
        return self.rewards / PLAN_INDEX

    @property
    def infos(self) -> Path:
        """Folder of frames.

        Raises:
            RecordingError: there is none.
        """
        for folder in META_FOLDERS:
            if (self.root / folder / self.name).is_dir():
                return self.root / folder / self.name
        raise RecordingError(
            f"there is no data set {self.name!r} in {self.root}, expected {META_FOLDERS[1]}/{self.name}: export a run "
            "with `simengine export`, or set data_root and folder_name"
        )


class SyntheticData:
    """Frames and rewards of one data set.

    Rewards are read when they are asked for, from the file of a decision, or from the one pickle of SimScale.

    Args:
        root: folder of all data sets.
        name: of this one.

    Raises:
        RecordingError: there is no such data set, or a frame is malformed.
        ScenarioFormatError: a file cannot be read.
    """

    def __init__(self, root: str | Path, name: str) -> None:
        self.folder = SyntheticFolder(Path(root), name)
        self.frames: list[Frame] = []
        for file in info_files(self.folder.infos):
            parser = FrameParser(file)
            for info in read_infos(file):
                self.frames.append(parser.frame({**info, "syn_name": name}))
        self._pickled: PickledScores | None = None
        self._plans: dict[tuple[str, int], int] | None = None

    def reward_file(self, frame: Frame) -> Path:
        """Return where the rewards of one decision lie."""
        return self.folder.rewards / f"{frame.log_name}_step_{frame.index}_scores.pkl"

    def has_rewards(self, frame: Frame) -> bool:
        """Return whether the rewards of a frame are there."""
        return self.reward_file(frame).is_file() or frame.token in self._in_one_pickle()

    def rewards(self, frame: Frame) -> Mapping[str, np.ndarray]:
        """Return columns (K,) float32 by name.

        Raises:
            RecordingError: there are none.
            ScenarioFormatError: their file is malformed.
        """
        path = self.reward_file(frame)
        if path.is_file():
            found, _ = read_pdms_pkl(path)
            return {name: _plans_only(found.columns[name]) for name in PUBLISHED_COLUMNS}
        if frame.token in self._in_one_pickle():
            return {name: _plans_only(values) for name, values in self._in_one_pickle()[frame.token].items()}
        raise RecordingError(
            f"frame {frame.token} of {self.folder.name} has no rewards, expected {path}: simulate with "
            "rewards.format=both (scripts/run_ray_distributed_rollout.sh) and export again"
        )

    def driven_plan(self, frame: Frame) -> int:
        """Return the row of the vocabulary that was driven from a frame on, -1 if it is not known."""
        if self._plans is None:
            self._plans = read_plan_index(self.folder.plan_index)
        return self._plans.get((frame.sequence, frame.index), -1)

    def select(
        self,
        tokens: Collection[str] = (),
        customized_filter: str = "none",
        decision_frames: Sequence[int] = (),
    ) -> list[Frame]:
        """Return the frames to learn from.

        Args:
            tokens: original or simulated tokens to use; all if empty.
            customized_filter: `none`, `v1` or `v2`, see `decision_filters.keeps`.
            decision_frames: values of `frame_idx` to use; all decisions if empty.
        """
        wanted, frames = set(tokens), set(decision_frames)
        kept = []
        for frame in self.frames:
            if frame.index < FIRST_DECISION or frame.invalid or (frames and frame.index not in frames):
                continue
            if wanted and not wanted & {frame.token, frame.sequence, original_token(frame.log_name)}:
                continue
            if self.has_rewards(frame) and self._passes(frame, customized_filter):
                kept.append(frame)
        return kept

    def _passes(self, frame: Frame, customized_filter: str) -> bool:
        if customized_filter == "none":
            return True
        step = frame.index - FIRST_DECISION
        if customized_filter == "v2":
            return step == 0
        return keeps(customized_filter, step, dict(self.rewards(frame)), self.driven_plan(frame))

    def _in_one_pickle(self) -> Mapping[str, Mapping[str, np.ndarray]]:
        if not self.folder.reward_pickle.is_file():
            return {}
        if self._pickled is None:
            opened = open_scores(self.folder.reward_pickle, {frame.token for frame in self.frames})
            assert isinstance(opened, PickledScores)
            self._pickled = opened
        return self._pickled  # type: ignore[return-value]


def _plans_only(values: np.ndarray) -> np.ndarray:
    """Return a column less the reference driver, which is in front in some of the published files."""
    return np.asarray(values[-PUBLISHED_SIZE:], np.float32)


def original_token(log_name: str) -> str:
    """Return the token that a simulated scene was made from: `<log>-<token>[-<variant>]`, the log has a dash too."""
    parts = log_name.split("-")
    return parts[2] if len(parts) > 2 else ""


def read_plan_index(path: Path) -> dict[tuple[str, int], int]:
    """Return (scene token, frame index) -> row of the vocabulary; nothing if there is no table.

    Raises:
        ScenarioFormatError: the table is malformed.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {
                (row["prefix"], int(row["step"]) - 1): int(row["plan_idx"]) for row in csv.DictReader(file)
            }
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ScenarioFormatError(
            f"{path}: not a table of driven plans ({error}), expected columns prefix, step, plan_idx"
        ) from None
