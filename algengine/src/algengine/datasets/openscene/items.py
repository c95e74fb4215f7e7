"""From the names in a config to frames, scores and the list of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from algengine.datasets.openscene.frame import Frame
from algengine.datasets.openscene.info_file import read_frames
from algengine.datasets.openscene.places import located
from algengine.datasets.openscene.scores import REMEDY, PlanScores, open_scores
from algengine.datasets.openscene.selection import (
    Item,
    failures_and_normals,
    split_frames,
    union_of_splits,
    with_normals,
)
from algengine.datasets.openscene.sequences import FrameSequences
from algengine.datasets.openscene.synthetic import SyntheticData
from algengine.datasets.split_file import SplitFile, read_split
from algengine.structures.fail_mask import REAL_FAILURE, SYNTHETIC
from simengine.errors import ConfigError


@dataclass(frozen=True)
class Selection:
    """What a config asks for, see `OpenSceneDataset`."""

    ann_file: str
    nav_filter_path: str | None = None
    pdm_path: str | None = None
    finetune: Mapping = field(default_factory=dict)
    simulated: Mapping = field(default_factory=dict)
    objects: bool = False


@dataclass(frozen=True)
class SimulatedOptions:
    """Keys of `simulated`, see `OpenSceneDataset`."""

    data_root: str
    folder_name: Sequence[str] | str
    finetune_yaml: Sequence[str] | str = ()
    customized_filter: str = "none"
    decision_frames: Sequence[int] = ()
    cotrain: bool = False
    include_real_failures: bool = False

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the data sets."""
        return (self.folder_name,) if isinstance(self.folder_name, str) else tuple(self.folder_name)


@dataclass(frozen=True)
class FinetuneOptions:
    """Keys of `finetune`, see `OpenSceneDataset`."""

    yaml: Sequence[str] | str
    normal_ratio: int = 1
    normal_only: bool = False


class FrameScores:
    """Scores of logged frames from a cache, and of simulated ones from their data set.

    Args:
        logged: of logged frames by token, or None.
        simulated: data sets by name.
    """

    def __init__(self, logged: PlanScores | None, simulated: Mapping[str, SyntheticData]) -> None:
        self._logged, self._simulated = logged, dict(simulated)

    def has(self, frame: Frame) -> bool:
        """Return whether the scores of a frame are there."""
        if frame.dataset in self._simulated:
            return self._simulated[frame.dataset].has_rewards(frame)
        return self._logged is not None and frame.token in self._logged

    def __getitem__(self, frame: Frame) -> Mapping[str, np.ndarray]:
        """Return columns (K,) by name."""
        if frame.dataset in self._simulated:
            return self._simulated[frame.dataset].rewards(frame)
        assert self._logged is not None, "ask `has` first"
        return self._logged[frame.token]


@dataclass(frozen=True)
class Chosen:
    """What came of a selection.

    Attributes:
        items: the samples.
        sequences: all frames.
        scores: of frames; None if there are none at all.
        image_roots: of simulated data sets, by name.
        notes: what a user should be warned of.
    """

    items: list[Item]
    sequences: FrameSequences
    scores: FrameScores | None
    image_roots: dict[str, Path]
    notes: tuple[str, ...]


def select_items(selection: Selection) -> Chosen:
    """Return the samples that a config asks for.

    Raises:
        RecordingError: a file or token is missing.
        ConfigError: keys do not fit.
        ScenarioFormatError: a file cannot be read.
    """
    split = read_split(located(selection.nav_filter_path)) if selection.nav_filter_path else None
    options = _options(SimulatedOptions, selection.simulated, "simulated")
    tuning = _options(FinetuneOptions, selection.finetune, "finetune")
    if options and tuning:
        raise ConfigError("a data set has finetune and simulated, expected one of the two")
    data = (
        {name: SyntheticData(located(options.data_root), name) for name in options.folders} if options else {}
    )
    logs = None if split is None or tuning else split.content.get("log_names")
    frames = list(read_frames(located(selection.ann_file), logs or None, selection.objects))
    sequences = FrameSequences(frames + [f for one in data.values() for f in one.frames])
    base = _base(split, selection, sequences, frames)
    if tuning:
        tokens = union_of_splits(tuning.yaml)
        items = failures_and_normals(sequences, base, tokens, tuning.normal_ratio, tuning.normal_only)
    elif options:
        items = _simulated_items(options, data, base, sequences)
    else:
        items = [Item(frame) for frame in base]
    scores, notes = _scores(selection.pdm_path, items, data)
    return Chosen(items, sequences, scores, {name: one.folder.images for name, one in data.items()}, notes)


def _base(
    split: SplitFile | None, selection: Selection, sequences: FrameSequences, frames: Sequence[Frame]
) -> list[Frame]:
    if split is None:
        return list(frames)
    return split_frames(split, str(selection.nav_filter_path), sequences, selection.ann_file)


def _simulated_items(
    options: SimulatedOptions,
    data: Mapping[str, SyntheticData],
    base: Sequence[Frame],
    sequences: FrameSequences,
) -> list[Item]:
    """Simulated drives, real failures if asked for, and all logged frames or one for each failure."""
    tokens = union_of_splits(options.finetune_yaml)
    frames = [
        f
        for one in data.values()
        for f in one.select(tokens, options.customized_filter, options.decision_frames)
    ]
    items = [Item(frame, SYNTHETIC, imitate=False) for frame in frames]
    known = set(tokens)
    if options.include_real_failures:
        items += [Item(sequences[t], REAL_FAILURE) for t in tokens if t in sequences]
    normals = [frame for frame in base if frame.token not in known]
    if options.cotrain:
        return items + [Item(frame) for frame in normals]
    return with_normals(items, normals)


def _scores(
    path: str | None, items: Sequence[Item], data: Mapping[str, SyntheticData]
) -> tuple[FrameScores | None, tuple[str, ...]]:
    if path is None:
        return (FrameScores(None, data) if data else None), ()
    path = located(path)
    if not path.exists():
        note = f"there is no score cache {path}: samples have no sub-scores. {REMEDY[0].upper()}{REMEDY[1:]}"
        return (FrameScores(None, data) if data else None), (note,)
    tokens = {item.frame.token for item in items if item.frame.dataset not in data}
    return FrameScores(open_scores(path, tokens), data), ()


def _options(kind: type, values: Mapping, key: str) -> object | None:
    if not values:
        return None
    try:
        return kind(**values)
    except TypeError as error:
        known = ", ".join(kind.__dataclass_fields__)
        raise ConfigError(f"{key} does not fit ({error}), expected keys among {known}") from None
