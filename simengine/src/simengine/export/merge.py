"""One run out of the parts `split_<i>` that were driven apart; the parts stay as they are.

Merging again, after a part has gone on or after an interruption, gives what merging once at the end would have given.
Where several parts hold the same scenario, the one with the highest number counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simengine.errors import ConfigError
from simengine.export.layout import (
    PLAN_INDEX,
    REWARD_NAME,
    TRAFFIC,
    OpenSceneFolder,
    check_run,
    openscene_of,
    parts_of,
)
from simengine.export.links import link_file, link_folder
from simengine.export.plan_index import PlanRows, read_plan_index, read_plan_rows, write_plan_index
from simengine.export.tables import read_averages, write_averages, write_reward_index
from simengine.metrics.table import read_scores_csv, write_scores_csv, write_summary_json

_OWN_FOLDERS = ("records", "observations", "rewards")


@dataclass(frozen=True)
class MergeReport:
    """What was put together.

    Attributes:
        run: the merged run.
        parts: how many folders `split_<i>` there were; 0 if the run was not distributed.
        scenarios: scenarios with frames.
        rewards: reward files.
        scored: rows of the score table.
        repeated: scenarios that several parts hold.
    """

    run: Path
    parts: int
    scenarios: int
    rewards: int
    scored: int
    repeated: tuple[str, ...]


def merge_run(run: Path, traffic: str) -> MergeReport:
    """Merge the parts of a run into it and return what there is.

    Args:
        run: folder with `split_0`, `split_1`, ...; one without is completed in place.
        traffic: `NR` or `R`, the suffix of its tables.

    Raises:
        ConfigError: there is nothing to merge, or the disk is full.
        ScenarioFormatError: a table of a part cannot be read.
    """
    if traffic not in TRAFFIC:
        raise ConfigError(f"react type is {traffic!r}, expected one of {', '.join(TRAFFIC)}")
    run = Path(run)
    check_run(run)
    parts = parts_of(run)
    sources = [openscene_of(part) for part in parts] or [openscene_of(run)]
    if not any(source.root.is_dir() for source in sources):
        raise ConfigError(
            f"{run} holds neither split_<i> nor WE_output/openscene_format, expected a run with openscene output: "
            "run with record.openscene=true"
        )
    try:
        return _merge(run, traffic, parts, sources)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or run}: {error.strerror or error}, expected room and permission to write; the parts are "
            "untouched: make room and merge again"
        ) from None


def _merge(run: Path, traffic: str, parts: list[Path], sources: list[OpenSceneFolder]) -> MergeReport:
    target = openscene_of(run)
    owner = _owners(sources)
    # Tables are read before anything is written: a table that is cut off stops the merge, not half of it.
    averages, chosen = _read_tables(sources, traffic, owner)
    if parts:
        _link(sources, target, owner)
        _merge_own(run, parts)
    if averages:
        write_averages(target.averages(traffic), averages)
    if chosen:
        write_plan_index(chosen, target.plan_index, target.pdms_pkl / PLAN_INDEX)
    write_reward_index(target, traffic)
    return MergeReport(
        run,
        len(parts),
        len(list(target.meta_datas.glob("*.pkl"))),
        len(list(target.pdms_pkl.glob("*_scores.pkl"))),
        len(averages),
        tuple(sorted(name for name, count in _holders(sources).items() if count > 1)),
    )


def _owners(sources: list[OpenSceneFolder]) -> dict[str, int]:
    """Return scenario id -> part whose frames count."""
    return {path.stem: i for i, source in enumerate(sources) for path in source.meta_datas.glob("*.pkl")}


def _holders(sources: list[OpenSceneFolder]) -> dict[str, int]:
    names = [path.stem for source in sources for path in source.meta_datas.glob("*.pkl")]
    return {name: names.count(name) for name in set(names)}


def _scene_owner(scene: str, owner: dict[str, int]) -> int | None:
    """Return the part that drove a scene to its end; scenario ids end with its token, which has dashes only."""
    return next((i for name, i in owner.items() if name.replace("_", "-").endswith(f"-{scene}")), None)


def _read_tables(
    sources: list[OpenSceneFolder], traffic: str, owner: dict[str, int]
) -> tuple[dict[str, list[str]], PlanRows]:
    """Return scores and chosen rows; those of a scenario come from the part whose frames count."""
    averages: dict[str, list[str]] = {}
    chosen: PlanRows = {}
    for i, source in enumerate(sources):
        path = source.averages(traffic)
        rows = read_averages(path) if path.exists() else {}
        averages |= {name: cells for name, cells in rows.items() if owner.get(name, i) == i}
        found = read_plan_index(source.plan_index) | read_plan_rows(source.plan_rows)[0]
        drove = {scene: _scene_owner(scene, owner) for scene, _ in found}
        chosen |= {key: index for key, index in found.items() if drove[key[0]] in (None, i)}
    return averages, chosen


def _link(sources: list[OpenSceneFolder], target: OpenSceneFolder, owner: dict[str, int]) -> None:
    """Link images and rewards, then frames: a scenario whose frames are there is complete."""
    for i, source in enumerate(sources):
        for scene in sorted(source.sensor_blobs.glob("[!.]*")):
            if _scene_owner(scene.name, owner) in (None, i):
                link_folder(scene, target.sensor_blobs / scene.name)
        for path in sorted(source.pdms_pkl.glob("[!.]*_scores.pkl")):
            match = REWARD_NAME.fullmatch(path.name)
            if match and owner.get(match["scenario"], i) == i:
                link_file(path, target.pdms_pkl / path.name)
    for name, i in owner.items():
        link_file(sources[i].meta(name), target.meta(name))


def _merge_own(run: Path, parts: list[Path]) -> None:
    """Merge what the original does not have: records, observations, rewards in our format, and `scores.csv`."""
    for folder in _OWN_FOLDERS:
        for part in parts:
            for path in sorted((part / folder).glob("[!.]*.npz")):
                link_file(path, run / folder / path.name)
    tables = [part / "scores.csv" for part in parts]
    rows = [row for table in tables if table.exists() for row in read_scores_csv(table)]
    if rows:
        # The last row of a token counts, so those that succeeded come last.
        rows.sort(key=lambda row: row.status == "ok")
        write_scores_csv(run / "scores.csv", rows)
        write_summary_json(run / "summary.json", rows)
