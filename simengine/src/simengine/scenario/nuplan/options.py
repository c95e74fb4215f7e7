"""What a conversion reads and how it cuts; where the files of nuPlan lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from simengine.errors import ConfigError, ScenarioFormatError
from simengine.scenario.splits import INDEX_NAME


@dataclass(frozen=True)
class NuplanOptions:
    """Sources and cut of a conversion.

    Attributes:
        logs: a `.db`, or a folder searched for them.
        map_root: folder with `<map_version>.json` and one folder for each place.
        map_version: name of the version file.
        filters: NAVSIM filter files; none takes every log in consecutive windows.
        asset_root: folder of asset configs; only tokens with an asset are converted then.
        openscene_root: folder of OpenScene metadata.
        sample_interval: sweeps from one frame to the next, at 20 Hz: 10 gives 2 Hz, 2 gives 10 Hz.
        history: log before the first decision [s].
        future: log after it [s], less where the log ends; at least 4 s.
        map_margin: how far the map reaches beyond the drive [m].
    """

    logs: Path
    map_root: Path
    map_version: str = "nuplan-maps-v1.0"
    filters: tuple[Path, ...] = ()
    asset_root: Path | None = None
    openscene_root: Path | None = None
    sample_interval: int = 10
    history: float = 1.5
    future: float = 10.0
    map_margin: float = 200.0

    def __post_init__(self) -> None:
        if not 1 <= self.sample_interval <= 10:
            raise ConfigError(
                f"sample_interval is {self.sample_interval}, expected 1 to 10 sweeps: 10 for 2 Hz, 2 for 10 Hz"
            )
        if not (self.history >= 0 and self.future >= 4.0 and self.map_margin >= 0):
            raise ConfigError(
                f"history, future and map_margin are {self.history}, {self.future} and {self.map_margin}, expected at "
                "least 0 s, 4 s and 0 m"
            )
        for name in ("asset_root", "openscene_root"):
            folder = getattr(self, name)
            if folder is not None and not folder.is_dir():
                raise ConfigError(f"{name} is {folder}, expected a folder: check the path or leave it out")


def find_logs(source: Path) -> list[Path]:
    """Return the logs below `source` by name; of copies in several splits the first.

    Raises:
        ScenarioFormatError: there are none.
    """
    source = Path(source)
    found = (
        [source]
        if source.is_file()
        else sorted(source.rglob("*.db"), key=lambda path: (path.stem, str(path)))
    )
    if not found:
        raise ScenarioFormatError(f"{source}: no logs found, expected nuPlan .db files: check the path")
    by_name: dict[str, Path] = {}
    for path in found:
        by_name.setdefault(path.stem, path)
    return list(by_name.values())


def is_nuplan(source: Path) -> bool:
    """Return whether `source` is a nuPlan log or a folder with one."""
    source = Path(source)
    if source.is_file():
        return source.suffix == ".db"
    is_split = (source / INDEX_NAME).is_file()
    return source.is_dir() and not is_split and next(source.rglob("*.db"), None) is not None


def find_map(root: Path, version: str, place: str) -> Path:
    """Return the map file of a place: the release that `<version>.json` names, else the only one there is.

    Raises:
        ScenarioFormatError: there is none, or several and no version file.
    """
    root, known = Path(root), {}
    listing = root / f"{version}.json"
    if listing.is_file():
        try:
            known = json.loads(listing.read_text(encoding="utf-8"))
            release = known[place]["version"] if place in known else None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise ScenarioFormatError(
                f"{listing}: cannot be read ({type(error).__name__}: {error}), expected place -> version: download it "
                "again"
            ) from None
        if release is not None:
            return _existing(root / place / str(release) / "map.gpkg")
    found = sorted((root / place).glob("*/map.gpkg")) if place else []
    if len(found) != 1:
        raise ScenarioFormatError(
            f"{root}: {len(found)} maps of {place!r} and {listing.name} names "
            f"{', '.join(known) or 'none'}, expected {root / place / '<version>' / 'map.gpkg'}: download nuPlan's maps "
            "or give their folder"
        )
    return found[0]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ScenarioFormatError(f"{path}: no such map, expected nuPlan's maps below it: download them")
    return path
