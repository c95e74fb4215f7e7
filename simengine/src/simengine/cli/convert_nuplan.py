"""Options of `simengine convert` for nuPlan: those of the published converter under their names, and a few more."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from simengine.errors import ConfigError
from simengine.scenario.convert import ConversionReport
from simengine.scenario.nuplan.convert import convert_nuplan
from simengine.scenario.nuplan.options import NuplanOptions, is_nuplan

_ROOT = Path("data/raw/nuplan/dataset/nuplan-v1.1")
_MAPS = Path("data/raw/nuplan/dataset/maps")
_OPENSCENE = Path("data/raw/openscene-v1.1")
_ASSETS = Path("data/sim_engine/assets/navtrain")
_UNUSED = "accepted for old command lines; has no effect"


def add_nuplan_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options for nuPlan sources."""
    group = parser.add_argument_group("nuPlan logs and maps")
    add = group.add_argument
    add(
        "--navsim-filters",
        nargs="+",
        type=Path,
        default=[],
        metavar="YAML",
        help="NAVSIM scene filters; union of all",
    )
    add("--nuplan-db-path", type=Path, metavar="DIR", help="folder of .db logs; the same as SRC")
    add("--out-dir", type=Path, metavar="DIR", help="split folder to write; the same as DST")
    add(
        "--nuplan-root-path",
        type=Path,
        default=_ROOT,
        metavar="DIR",
        help=f"logs are in splits/all_sensor below it (default: {_ROOT})",
    )
    add(
        "--nuplan-map-root",
        type=Path,
        metavar="DIR",
        help=f"nuPlan maps; default $NUPLAN_MAPS_ROOT, else {_MAPS}",
    )
    add(
        "--nuplan-map-version",
        default=NuplanOptions.map_version,
        metavar="NAME",
        help="version file of the maps (default: %(default)s)",
    )
    add(
        "--openscene-dataroot",
        type=Path,
        metavar="DIR",
        help=f"OpenScene metadata; default {_OPENSCENE} if it exists",
    )
    add(
        "--digitaltwin-asset-root",
        type=Path,
        metavar="DIR",
        help=f"convert only tokens with an asset; default {_ASSETS} if it exists",
    )
    add(
        "--sample-interval",
        type=int,
        default=NuplanOptions.sample_interval,
        metavar="N",
        help="sweeps per frame: 10 for 2 Hz (default), 2 for 10 Hz",
    )
    add(
        "--history",
        type=float,
        default=NuplanOptions.history,
        metavar="S",
        help="log before the first decision [s] (default: %(default)g)",
    )
    add(
        "--future",
        type=float,
        default=NuplanOptions.future,
        metavar="S",
        help="log after the first decision [s] (default: %(default)g)",
    )
    add(
        "--map-margin",
        type=float,
        default=NuplanOptions.map_margin,
        metavar="M",
        help="map beyond the drive [m] (default: %(default)g)",
    )
    add("--workers", "--num-processes", type=int, metavar="N", help="processes; default one less than CPUs")
    add("--nuplan-sensor-path", metavar="DIR", help=_UNUSED)
    add("--num-splits", metavar="N", help=_UNUSED)


def wants_nuplan(arguments: argparse.Namespace) -> bool:
    """Return whether the source is nuPlan: an option says so, or the source holds `.db` files."""
    if arguments.navsim_filters or arguments.nuplan_db_path:
        return True
    return arguments.source is not None and is_nuplan(arguments.source)


def execute_nuplan(arguments: argparse.Namespace) -> ConversionReport:
    """Convert nuPlan logs as the options say."""
    logs = (
        arguments.source or arguments.nuplan_db_path or arguments.nuplan_root_path / "splits" / "all_sensor"
    )
    target = arguments.destination or arguments.out_dir
    if target is None:
        raise ConfigError("no destination, expected DST or --out-dir: say where to write the split")
    options = NuplanOptions(
        logs=logs,
        map_root=arguments.nuplan_map_root or Path(os.environ.get("NUPLAN_MAPS_ROOT", _MAPS)),
        map_version=arguments.nuplan_map_version,
        filters=tuple(arguments.navsim_filters),
        asset_root=arguments.digitaltwin_asset_root or _if_there(_ASSETS),
        openscene_root=arguments.openscene_dataroot or _if_there(_OPENSCENE),
        sample_interval=arguments.sample_interval,
        history=arguments.history,
        future=arguments.future,
        map_margin=arguments.map_margin,
    )
    workers = max((os.cpu_count() or 2) - 1, 1) if arguments.workers is None else arguments.workers
    if workers < 1:
        raise ConfigError(f"--workers is {workers}, expected at least 1")
    return convert_nuplan(options, target, overwrite=arguments.overwrite, workers=workers)


def _if_there(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None
