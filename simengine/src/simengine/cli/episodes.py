"""What a path or name on the command line stands for: records, runs, splits and scenarios, as drives to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simengine.cli.driven_scenario import scenario_of
from simengine.cli.report import read_config
from simengine.config.protocols import settled
from simengine.config.scenes import scene_opener
from simengine.datatypes.observation_log import ObservationLog
from simengine.datatypes.record import RolloutRecord
from simengine.datatypes.record_io import load_record
from simengine.errors import ConfigError
from simengine.metrics.row import ScoreRow, row_from_json
from simengine.render.rig import nuplan_rig
from simengine.runner.run_directory import RunDirectory
from simengine.scenario.io import load_scenario
from simengine.scenario.splits import INDEX_NAME, load_index
from simengine.view.drive import Drive, DriveSource, logged_drive, recorded_drive
from simengine.world.splits import BUILTIN_SPLITS, builtin_handles

TARGETS = """a record <run>/records/<token>.npz, the folder of a run, the folder or file of converted scenarios,
a built-in split (demo) or one of its scenarios (demo_0003)"""


def find_drives(names: Sequence[str], width_px: int, height_px: int) -> list[DriveSource]:
    """Return the drives that names stand for, in order, with unique titles; nothing is opened yet.

    Args:
        names: each one of `TARGETS`.
        width_px: width of the camera images.
        height_px: height of the camera images.

    Raises:
        ConfigError: a name stands for nothing.
    """
    found: list[DriveSource] = []
    for name in names:
        found += _find(name, width_px, height_px)
    return list({source.title: source for source in found}.values())


def _find(name: str, width_px: int, height_px: int) -> list[DriveSource]:
    path = Path(name)
    if path.is_dir() and (path / "config.yaml").exists():
        return _run_drives(path, width_px, height_px)
    if path.is_dir() and (path / INDEX_NAME).exists():
        return [_logged(handle, f"{path.name}/", width_px, height_px) for handle in load_index(path)]
    if path.is_file():
        if path.resolve().parent.name == "records":
            run = path.resolve().parent.parent
            return [_recorded(run, path.stem, width_px, height_px)]
        return [_file(path, width_px, height_px)]
    built_in = name if name in BUILTIN_SPLITS else name.rpartition("_")[0]
    if built_in in BUILTIN_SPLITS:
        handles = [handle for handle in builtin_handles(built_in) if name in (built_in, handle.token)]
        if handles:
            return [_logged(handle, "", width_px, height_px) for handle in handles]
    raise ConfigError(f"{name} is none of what can be shown, expected {' '.join(TARGETS.split())}")


def _run_drives(run: Path, width_px: int, height_px: int) -> list[DriveSource]:
    tokens = sorted(path.stem for path in (run / "records").glob("*.npz"))
    if not tokens:
        raise ConfigError(f"{run} kept no records, expected some: run it again with record.rollouts=true")
    return [_recorded(run, token, width_px, height_px) for token in tokens]


def _recorded(run: Path, token: str, width_px: int, height_px: int) -> DriveSource:
    directory, title = RunDirectory(run), f"{run.resolve().name}/{token}"

    def open_drive() -> Drive:
        config = read_config(run)
        record = load_record(directory.record(token))
        if record.token != token:
            raise ConfigError(
                f"{directory.record(token)} holds a record of scenario {record.token!r}, expected {token!r}: "
                "give the record its own name"
            )
        return recorded_drive(
            title,
            record,
            scenario_of(config, record),
            nuplan_rig(width_px, height_px, distortion=config.render.distortion),
            scene_opener(settled(config).render),
            _score(directory, record),
            _observations(directory, token),
        )

    return DriveSource(title, token, open_drive)


def _score(directory: RunDirectory, record: RolloutRecord) -> ScoreRow | None:
    """Return what the run says a record scored, unless that was another record or a failure."""
    path = directory.row(record.token)
    if not path.exists():
        return None
    row = row_from_json(path.read_text())
    return row if row.status == "ok" and row.record_hash == record.content_hash() else None


def _observations(directory: RunDirectory, token: str) -> ObservationLog | None:
    path = directory.observations(token)
    return ObservationLog.load(path) if path.exists() else None


def _logged(handle, prefix: str, width_px: int, height_px: int) -> DriveSource:
    title = prefix + handle.token
    return DriveSource(title, handle.token, lambda: logged_drive(title, handle.load(), width_px, height_px))


def _file(path: Path, width_px: int, height_px: int) -> DriveSource:
    scenario = load_scenario(path)
    return DriveSource(
        path.stem, scenario.token, lambda: logged_drive(path.stem, scenario, width_px, height_px)
    )
