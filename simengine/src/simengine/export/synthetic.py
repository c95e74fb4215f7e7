"""From a run to training data: the layout `openscene-synthetic`, with `combined.pkl` for the loader.

The run is not touched: its frames, rewards and images are linked to, and `combined.pkl` lies beside the links.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simengine.errors import ConfigError, ScenarioFormatError
from simengine.export.layout import OpenSceneFolder, check_run, openscene_of, parts_of
from simengine.export.links import link_folder
from simengine.files.plain_pickle import write_pickled_list
from simengine.rewards.pdms_pkl import FIRST_STEP
from simengine.scenario.restricted_pickle import load_pickle

COMBINED = "combined.pkl"
FOLDERS = ("meta_datas", "pdms_pkl", "sensor_blobs")
ROOT_VARIABLE = "WORLDENGINE_ROOT"


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        name: of the data set.
        root: folder of all of them.
        scenarios: lists of frames.
        frames: frames in `combined.pkl`.
        rewarded: frames with rewards.
        invalid: frames that should have rewards and have none.
    """

    name: str
    root: Path
    scenarios: int
    frames: int
    rewarded: int
    invalid: int


def default_root() -> Path:
    """Return where the loader looks, below `WORLDENGINE_ROOT` or the present folder."""
    return Path(os.environ.get(ROOT_VARIABLE, ".")) / "data" / "alg_engine" / "openscene-synthetic"


def data_name(run: Path, appendix: str | None = None) -> str:
    """Return `<model name>_<name of the run>[_<appendix>]`; the model's name is that of the folder above the run."""
    run = Path(run).resolve()
    return "_".join([run.parent.name, run.name, *([appendix] if appendix else [])])


def export_run(run: Path, appendix: str | None = None, root: Path | None = None) -> ExportReport:
    """Export a run, merged if it was distributed, and return what there is.

    Args:
        run: its folder.
        appendix: end of the name, for example a date.
        root: folder of all data sets; `default_root` if None.

    Raises:
        ConfigError: there is nothing to export, the name is taken by another run, or the disk is full.
        ScenarioFormatError: a file of frames or rewards cannot be read.
    """
    check_run(run)
    source, name = openscene_of(run), data_name(run, appendix)
    root = default_root() if root is None else Path(root)
    files = sorted(source.meta_datas.glob("[!.]*.pkl"))
    if not files:
        what = "merge it first" if parts_of(run) else "run with record.openscene=true"
        raise ConfigError(f"{source.meta_datas} holds no frames, expected <scenario id>.pkl: {what}")
    for folder in FOLDERS:
        _check_free(root / folder / name, getattr(source, folder))
    count = _Count()
    try:
        for folder in FOLDERS[1:]:
            if getattr(source, folder).is_dir():
                link_folder(getattr(source, folder), root / folder / name)
        _link_frames(files, root / FOLDERS[0] / name)
        write_pickled_list(root / FOLDERS[0] / name / COMBINED, count.all(_frames(files, source, name)))
    except OSError as error:
        raise ConfigError(
            f"{error.filename or root}: {error.strerror or error}, expected room and permission to write; the run is "
            "untouched: make room and export again"
        ) from None
    return ExportReport(name, root, len(files), count.frames, count.rewarded, count.invalid)


class _Count:
    """Counts frames as they pass by."""

    def __init__(self) -> None:
        self.frames = self.rewarded = self.invalid = 0

    def all(self, frames: Iterator[dict]) -> Iterator[dict]:
        for frame in frames:
            self.frames += 1
            self.rewarded += "pdm" in frame
            self.invalid += "invalid" in frame
            yield frame


def _check_free(target: Path, source: Path) -> None:
    """Raise `ConfigError` if `target` shows another run that still exists."""
    links = [target] if target.is_symlink() else sorted(target.glob("*.pkl")) if target.is_dir() else []
    for link in links:
        if (
            link.is_symlink()
            and link.exists()
            and source.resolve() not in (link.resolve(), link.resolve().parent)
        ):
            raise ConfigError(
                f"{target} shows {link.resolve()}, expected {source}: two runs have the same name, choose another "
                "appendix"
            )


def _link_frames(files: list[Path], target: Path) -> None:
    """Make `target` a folder of its own with a link to each file; a link to all of them would share `combined.pkl`."""
    if target.is_symlink():
        target.unlink()
    target.mkdir(parents=True, exist_ok=True)
    names = {file.name for file in files}
    for stale in target.glob("*.pkl"):
        if stale.is_symlink() and stale.name not in names:
            stale.unlink()
    for file in files:
        link_folder(file, target / file.name)


def _frames(files: list[Path], source: OpenSceneFolder, name: str) -> Iterator[dict]:
    """Yield all frames in order of their files, with the name of the data set and their rewards."""
    for file in files:
        frames = load_pickle(file)
        if not isinstance(frames, list) or not all(isinstance(f, dict) and "frame_idx" in f for f in frames):
            raise ScenarioFormatError(
                f"{file}: holds no list of frames, expected one written by a run: drive this scenario again"
            )
        for frame in frames:
            step = int(frame["frame_idx"])
            yield (
                frame | {"syn_name": name} | (_reward(source, file.stem, step) if step >= FIRST_STEP else {})
            )


def _reward(source: OpenSceneFolder, scenario_id: str, step: int) -> dict:
    path = source.pdms_pkl / f"{scenario_id}_step_{step}_scores.pkl"
    if not path.exists():
        return {"invalid": True}
    record = load_pickle(path)
    if not isinstance(record, dict) or "score" not in record:
        raise ScenarioFormatError(
            f"{path}: holds no rewards, expected a dictionary of arrays: drive it again"
        )
    return {"pdm": {key: np.asarray(value, np.float32) for key, value in record.items()}}
