"""Conversion of any readable scenario source to a native split directory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from simengine.errors import ScenarioFormatError
from simengine.progress import make_progress
from simengine.scenario.io import load_scenario, save_scenario
from simengine.scenario.legacy import is_legacy, scenario_from_legacy
from simengine.scenario.restricted_pickle import load_pickle
from simengine.scenario.scenario import Scenario
from simengine.scenario.scenarionet import SCENE_KEYS, is_scene, scenario_from_scene
from simengine.scenario.splits import INDEX_NAME, IndexEntry, index_entry, load_index, write_index

_CATALOGUES = frozenset({"dataset_summary.pkl", "dataset_mapping.pkl"})
_Reader = Callable[[], Scenario]


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion did.

    Attributes:
        directory: the split directory it wrote.
        read: number of scenarios in it.
        skipped: (file or file#id, reason) of everything that could not be read.
    """

    directory: Path
    read: int
    skipped: list[tuple[str, str]] = field(default_factory=list)


def convert(
    src: Path, dst: Path, *, split: str | None = None, overwrite: bool = False, progress: bool = True
) -> ConversionReport:
    """Write all scenarios found in `src` as a native split and return what was read and skipped.

    `src` is a native split directory or file, an `all_scenarios.pkl`, a ScenarioNet directory (searched
    recursively) or a single scene pickle. What cannot be read is skipped and reported. Nothing appears
    at the destination before everything is written.

    Args:
        src: what to read.
        dst: the split directory to make, or the folder of splits if `split` is given.
        split: name of the split below `dst`.
        overwrite: replace a split that is already there.
        progress: show a progress bar on standard error.

    Raises:
        ScenarioFormatError: `src` holds nothing readable, or the destination exists.
    """
    src, target = Path(src), Path(dst) / split if split else Path(dst)
    check_target(target, overwrite)
    files = find_files(src)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    part.mkdir()
    try:
        entries, skipped = _write_all(files, part, progress)
        if not entries:
            raise ScenarioFormatError(
                f"{src}: none of {len(skipped)} scenarios could be read, the first because: {skipped[0][1]}"
            )
        write_index(part, entries)
        move_into_place(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return ConversionReport(target, len(entries), skipped)


def check_target(target: Path, overwrite: bool) -> None:
    """Raise `ScenarioFormatError` unless a split may be written at `target`."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not overwrite:
        raise ScenarioFormatError(
            f"{target} exists, expected a new name: choose another, or replace it with --overwrite"
        )
    if not (target / INDEX_NAME).is_file():
        raise ScenarioFormatError(
            f"{target} exists and is no split, expected one to overwrite: choose another name"
        )


def move_into_place(part: Path, target: Path) -> None:
    """Rename the finished folder `part` to `target`, whatever split was there before."""
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        os.replace(target, old)
    os.replace(part, target)
    shutil.rmtree(old, ignore_errors=True)


def find_files(src: Path) -> list[Path]:
    """Return the files below `src` that may hold scenarios, in a fixed order.

    Raises:
        ScenarioFormatError: there are none.
    """
    src = Path(src)
    if src.is_file():
        return [src]
    if (src / INDEX_NAME).is_file():
        return [handle.path for handle in load_index(src)]
    if src.is_dir():
        found = sorted(path for path in src.rglob("*.pkl") if path.name not in _CATALOGUES)
        if found:
            return found
    raise ScenarioFormatError(
        f"{src}: no scenarios found, expected a native split, an all_scenarios.pkl or ScenarioNet .pkl files: "
        "check the path"
    )


def _write_all(
    files: list[Path], folder: Path, progress: bool
) -> tuple[list[IndexEntry], list[tuple[str, str]]]:
    entries: dict[str, IndexEntry] = {}
    skipped: list[tuple[str, str]] = []
    with make_progress(Console(stderr=True), hidden=not progress) as bar:
        task = bar.add_task("converting", total=len(files))
        for path in files:
            for count, (name, read) in enumerate(_readers(path)):
                # One file may hold many scenarios; their number is known only once it is open.
                bar.update(task, description=f"converting {name}", total=bar.tasks[0].total + (count > 0))
                try:
                    scenario = read()
                    if scenario.token in entries:
                        raise ScenarioFormatError(
                            f"token {scenario.token} was read already, expected unique tokens"
                        )
                    saved = save_scenario(scenario, folder / f"{scenario.token}.npz")
                    entries[scenario.token] = index_entry(scenario, saved)
                except ScenarioFormatError as error:
                    skipped.append((name, str(error)))
                bar.advance(task)
    return list(entries.values()), skipped


def _readers(path: Path) -> Iterator[tuple[str, _Reader]]:
    """Yield (name, function that reads it) for each scenario in a file; reading may raise."""
    if path.suffix == ".npz":
        yield str(path), partial(load_scenario, path)
        return
    try:
        value = load_pickle(path)
    except ScenarioFormatError as error:
        yield str(path), partial(_fail, str(error))
        return
    if is_scene(value):
        yield str(path), partial(_with_path, path, partial(scenario_from_scene, value, path.name))
    elif is_legacy(value):
        for key, record in value.items():
            name = str(key)
            yield f"{path}#{name}", partial(_with_path, path, partial(scenario_from_legacy, name, record))
    else:
        yield (
            str(path),
            partial(
                _fail,
                f"{path}: neither a scene dictionary ({', '.join(sorted(SCENE_KEYS))}) nor an all_scenarios.pkl, but a "
                f"{type(value).__name__}: leave it out",
            ),
        )


def _fail(message: str) -> Scenario:
    raise ScenarioFormatError(message)


def _with_path(path: Path, read: _Reader) -> Scenario:
    try:
        return read()
    except ScenarioFormatError as error:
        raise ScenarioFormatError(f"{path}: {error}") from None
