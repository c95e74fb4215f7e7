"""Makes scenarios one after another and keeps what the next one of the same log or place can use."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically
from simengine.scenario.io import save_scenario
from simengine.scenario.nuplan.build import Sources, build_scenario
from simengine.scenario.nuplan.calibration import read_cameras
from simengine.scenario.nuplan.frames import save_frames
from simengine.scenario.nuplan.log import NuplanLog
from simengine.scenario.nuplan.map_window import NuplanMap
from simengine.scenario.nuplan.openscene import find_metadata, read_metadata
from simengine.scenario.nuplan.options import NuplanOptions, find_map
from simengine.scenario.nuplan.selection import Job
from simengine.scenario.splits import IndexEntry, index_entry

ENTRIES_FOLDER = "entries"


@dataclass(frozen=True)
class Outcome:
    """What became of a job: an entry of the index, or the reason why there is none."""

    job: Job
    entry: IndexEntry | None = None
    reason: str = ""


class Converter:
    """Converts jobs into the files of a split directory."""

    def __init__(self, options: NuplanOptions, folder: Path) -> None:
        """Prepare to write below `folder`."""
        self._options, self._folder = options, Path(folder)
        self._maps: dict[Path, NuplanMap] = {}
        self._sources: Sources | None = None

    def run(self, job: Job) -> Outcome:
        """Write one scenario; a source that cannot be read is a reason, a disk that cannot be written an `OSError`."""
        done = finished_entry(self._folder, job.token)
        if done is not None:
            return Outcome(job, done)
        try:
            scenario, facts = build_scenario(self._open(job.log), job.token, job.asset, self._options)
        except ScenarioFormatError as error:
            return Outcome(job, reason=str(error))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            return Outcome(
                job,
                reason=f"a field is missing or malformed ({type(error).__name__}: {error}), expected nuPlan v1.1: "
                "check how the files were made",
            )
        saved = save_scenario(scenario, self._folder / f"{scenario.token}.npz")
        save_frames(self._folder, scenario.token, facts)
        entry = index_entry(scenario, saved)
        # Written last: whoever resumes takes the scenario for finished when this file is there.
        content = json.dumps(asdict(entry)).encode()
        write_atomically(_entry_path(self._folder, entry.token), content)
        return Outcome(job, entry)

    def close(self) -> None:
        """Close all files."""
        if self._sources is not None:
            self._sources.log.close()
            self._sources = None
        for opened in self._maps.values():
            opened.close()
        self._maps.clear()

    def _open(self, path: Path) -> Sources:
        if self._sources is not None and self._sources.log.path == path:
            return self._sources
        if self._sources is not None:
            self._sources.log.close()
            self._sources = None
        log = NuplanLog(path)
        try:
            root = self._options.openscene_root
            metadata = find_metadata(root, path.stem) if root else None
            self._sources = Sources(
                log,
                self._map(log.header.map_name),
                read_cameras(log),
                read_metadata(metadata) if metadata else {},
            )
        except ScenarioFormatError:
            log.close()
            raise
        return self._sources

    def _map(self, place: str) -> NuplanMap:
        path = find_map(self._options.map_root, self._options.map_version, place)
        if path not in self._maps:
            self._maps[path] = NuplanMap(path, place)
        return self._maps[path]


def finished_entry(folder: Path, token: str) -> IndexEntry | None:
    """Return the index entry of a scenario that was finished below `folder`, None if it was not."""
    try:
        entry = IndexEntry(**json.loads(_entry_path(folder, token).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return entry if (Path(folder) / entry.file).is_file() else None


def _entry_path(folder: Path, token: str) -> Path:
    return Path(folder) / ENTRIES_FOLDER / f"{token}.json"


class ConverterProcess:
    """The converter of the process this module is loaded in; the pool's initializer says how to build it."""

    build: Callable[[], Converter]
    converter: Converter | None = None

    @classmethod
    def start(cls, build: Callable[[], Converter]) -> None:
        """Remember how to build the converter of this process."""
        cls.build, cls.converter = build, None

    @classmethod
    def run(cls, job: Job) -> Outcome:
        """Return the outcome of one job."""
        if cls.converter is None:
            cls.converter = cls.build()
        return cls.converter.run(job)
