"""Split directories: native scenario files with an `index.json` that lists them in order."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically
from simengine.scenario.io import load_scenario, save_scenario
from simengine.scenario.scenario import Scenario

INDEX_NAME = "index.json"
INDEX_FORMAT = "simengine-split"
INDEX_VERSION = 1


@dataclass(frozen=True)
class ScenarioHandle:
    """Where a scenario lies; small and picklable, so that workers load it themselves."""

    token: str
    path: Path

    def load(self) -> Scenario:
        """Return the scenario.

        Raises:
            ScenarioFormatError: the file cannot be read or holds another token.
        """
        scenario = load_scenario(self.path)
        if scenario.token != self.token:
            raise ScenarioFormatError(
                f"{self.path}: holds scenario {scenario.token!r}, expected {self.token!r} as the index says: "
                "write the split again"
            )
        return scenario


@dataclass(frozen=True)
class IndexEntry:
    """One scenario of a split.

    Attributes:
        token: id of the scenario.
        file: name of its file, relative to the split directory.
        log: drive it was cut from.
        map: name of the place.
        dt: time between frames [s].
        frames: number of frames.
        initial_frame: frame of the first decision.
        sha256: of the file.
        tags: the scenario's tags.
    """

    token: str
    file: str
    log: str
    map: str
    dt: float
    frames: int
    initial_frame: int
    sha256: str
    tags: dict = field(default_factory=dict)


@dataclass(frozen=True)
class ScenarioIndex:
    """What `index.json` says: the entries of a split in simulation order."""

    directory: Path
    entries: tuple[IndexEntry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[ScenarioHandle]:
        return iter(self.handles())

    def handles(self) -> list[ScenarioHandle]:
        """Return one handle for each scenario, in order."""
        return [ScenarioHandle(entry.token, self.directory / entry.file) for entry in self.entries]

    def verify(self) -> None:
        """Raise `ScenarioFormatError` if a file is missing or is not the one that was indexed."""
        for entry in self.entries:
            path = self.directory / entry.file
            found = file_sha256(path) if path.is_file() else "no file"
            if found != entry.sha256:
                raise ScenarioFormatError(
                    f"{path}: sha256 is {found}, expected {entry.sha256} as in the index: write the split again"
                )


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def safe_token(name: str) -> str:
    """Return `name` with everything but letters, digits, dot, dash and underscore made underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".") or "unnamed"


def index_entry(scenario: Scenario, path: Path) -> IndexEntry:
    """Return the index entry of `scenario`, which was saved at `path` in the split directory."""
    return IndexEntry(
        token=scenario.token,
        file=path.name,
        log=scenario.log_name,
        map=scenario.map_name,
        dt=scenario.dt,
        frames=scenario.num_frames,
        initial_frame=int(scenario.initial_frame),
        sha256=file_sha256(path),
        tags=scenario.tags,
    )


def write_index(directory: Path, entries: Iterable[IndexEntry]) -> ScenarioIndex:
    """Write `index.json` into `directory` and return the index.

    Raises:
        ScenarioFormatError: two entries share a token.
    """
    directory, entries = Path(directory), tuple(entries)
    tokens = [entry.token for entry in entries]
    for token in sorted({t for t in tokens if tokens.count(t) > 1}):
        raise ScenarioFormatError(f"{directory}: token {token!r} appears twice, expected unique tokens")
    body = {
        "format": INDEX_FORMAT,
        "version": INDEX_VERSION,
        "scenarios": [asdict(entry) for entry in entries],
    }
    write_atomically(directory / INDEX_NAME, (json.dumps(body, indent=1) + "\n").encode())
    return ScenarioIndex(directory, entries)


def write_split(scenarios: Iterable[Scenario], directory: Path, compress: bool = True) -> ScenarioIndex:
    """Save every scenario into `directory` as `<token>.npz`, then the index, and return the index."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    entries = []
    for scenario in scenarios:
        path = save_scenario(scenario, directory / f"{safe_token(scenario.token)}.npz", compress)
        entries.append(index_entry(scenario, path))
    return write_index(directory, entries)


def load_index(directory: Path) -> ScenarioIndex:
    """Return the index of a split directory.

    Raises:
        ScenarioFormatError: there is no index, or it is corrupt or of another version.
    """
    directory = Path(directory)
    path = directory / INDEX_NAME
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        found = (body["format"], body["version"])
        if found != (INDEX_FORMAT, INDEX_VERSION):
            raise ScenarioFormatError(
                f"{path}: format {found[0]!r} version {found[1]!r}, expected {INDEX_FORMAT!r} version "
                f"{INDEX_VERSION}: convert the split again with this release"
            )
        entries = tuple(IndexEntry(**row) for row in body["scenarios"])
    except OSError as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error.strerror or error}), expected the index of a split: make one with "
            "`simengine convert SRC DST`"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ScenarioFormatError(
            f"{path}: not an index ({type(error).__name__}: {error}), expected JSON written by convert: convert again"
        ) from None
    for entry in entries:
        if Path(entry.file).name != entry.file:
            raise ScenarioFormatError(
                f"{path}: file {entry.file!r} leaves the split directory, expected a plain name"
            )
    return ScenarioIndex(directory, entries)


def open_split(root: Path, split: str) -> list[ScenarioHandle]:
    """Return handles of the scenarios in `<root>/<split>`, in index order.

    Raises:
        ScenarioFormatError: there is no such split below `root`.
    """
    root = Path(root)
    if not (root / split / INDEX_NAME).is_file():
        known = sorted(path.parent.name for path in root.glob(f"*/{INDEX_NAME}"))
        raise ScenarioFormatError(
            f"split {split!r} is not in {root} (found: {', '.join(known) or 'none'}), expected "
            f"{root / split / INDEX_NAME}: make it with `simengine convert SRC {root / split}`"
        )
    return load_index(root / split).handles()
