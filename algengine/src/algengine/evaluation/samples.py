"""Samples to evaluate: one for each token, from a config's data set or from recordings."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log
from torch.utils.data import Dataset

from algengine.datasets.collate import planning_collate
from algengine.datasets.openscene.places import located
from algengine.datasets.split_file import read_split
from algengine.post_training.base import BasePlanner
from algengine.registry import DATASETS
from simengine.errors import ConfigError, SimEngineError


@dataclass(frozen=True)
class EvaluationSet:
    """Samples by token.

    Attributes:
        name: of the split, names the results.
        data: the data set.
        rows: token -> its sample in `data`, in order.
    """

    name: str
    data: Dataset
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Sources:
    """What takes the place of the data that a config names; None keeps that.

    Attributes:
        split: NAVSIM scene filter or split folder.
        recordings: folder of observation logs; their first decision is evaluated.
        infos: info file.
        images: what image paths are relative to.
    """

    split: str | None = None
    recordings: str | None = None
    infos: str | None = None
    images: str | None = None


def evaluation_set(config: Config, planner: BasePlanner, sources: Sources = Sources()) -> EvaluationSet:
    """Return what to evaluate.

    Args:
        config: whose validation data is used.
        planner: decides size and order of the images.
        sources: other data.

    Raises:
        RecordingError: data is missing.
        ConfigError: the config has no data to evaluate on, or a token is not there.
    """
    options = _validation(config)
    if sources.recordings is not None or str(options.get("type")).endswith("RecordingDataset"):
        return _recorded(options, planner, sources.split, sources.recordings)
    if not options:
        raise ConfigError(
            "the config has no val_dataloader.dataset, expected data to evaluate on: give --recordings"
        )
    path = sources.split or options.get("nav_filter_path")
    options |= {"nav_filter_path": path, "pdm_path": None, "test_mode": True}
    options |= {"ann_file": sources.infos} if sources.infos else {}
    options |= {"img_root": sources.images} if sources.images else {}
    data = DATASETS.build(_fitted(options, planner))
    name = read_split(located(path)).prefix if path else Path(str(options["ann_file"])).stem
    return EvaluationSet(name, data, {token: row for row, token in enumerate(data.tokens)})


def configured_cache(config: Config) -> str | None:
    """Return the score cache of a config's validation data, None if it names none or it is not there."""
    path = _validation(config).get("pdm_path")
    if path and not located(path).exists():
        print_log(f"there is no score cache {path}: displacement errors only", "current", logging.WARNING)
        return None
    return path


def _validation(config: Config) -> dict:
    return dict((config.get("val_dataloader") or {}).get("dataset") or {})


def _recorded(
    options: Mapping, planner: BasePlanner, split: str | None, recordings: str | None
) -> EvaluationSet:
    root = recordings or options["root"]
    changed = {
        "type": "RecordingDataset",
        "root": str(located(root)),
        "part": "all" if recordings else options.get("part", "all"),
        "val_share": options.get("val_share", 0.1),
        "clip_length": 1,
        "clip_stride": 1,
        "min_future": 0,
    }
    data = DATASETS.build(_fitted(changed, planner))
    rows = {data.logs[clip.log].token: row for row, clip in enumerate(data.clips) if clip.first == 0}
    if split is None:
        folder = Path(root).resolve()
        name = folder.parent.name if folder.name == "observations" else folder.name
        return EvaluationSet(name, data, dict(sorted(rows.items())))
    listed = read_split(located(split))
    missing = [token for token in listed.tokens if token not in rows]
    if missing:
        raise ConfigError(
            f"{len(missing)} of {len(listed.tokens)} tokens of {split} have no recording in {root} (such as "
            f"{missing[0]}), expected one each: record that split, or choose another"
        )
    return EvaluationSet(listed.prefix, data, {token: rows[token] for token in listed.tokens})


def _fitted(options: Mapping, planner: BasePlanner) -> dict:
    """Return a data set's config with the images that the planner was trained with."""
    size = planner.model.get("image_size") or options.get("image_size", (960, 540))
    cameras = planner.cameras or options.get("cameras", ())
    return {**options, "image_size": tuple(size), "cameras": tuple(cameras)}


class GuardedSamples(Dataset):
    """Some samples of an evaluation set, with a sentence in the place of a sample that cannot be made.

    Args:
        chosen: the set.
        tokens: to give, in this order.
    """

    def __init__(self, chosen: EvaluationSet, tokens: Sequence[str]) -> None:
        self._data = chosen.data
        self._rows = [(token, chosen.rows[token]) for token in tokens]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[str, dict | None, str]:
        """Return token, sample and error."""
        token, row = self._rows[index]
        try:
            return token, self._data[row], ""
        except SimEngineError as error:
            return token, None, " ".join(str(error).split())


def guarded_collate(
    samples: Sequence[tuple[str, dict | None, str]],
) -> tuple[list[str], dict | None, list[tuple[str, str]]]:
    """Return tokens, their batch (None if there is none), and (token, error) of the others."""
    good = [(token, sample) for token, sample, _ in samples if sample is not None]
    bad = [(token, error) for token, sample, error in samples if sample is None]
    batch = planning_collate([sample for _, sample in good]) if good else None
    return [token for token, _ in good], batch, bad
