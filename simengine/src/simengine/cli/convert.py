"""Convert logs of other formats into native scenarios."""

from __future__ import annotations

import argparse
from pathlib import Path

from simengine.cli.convert_nuplan import add_nuplan_arguments, execute_nuplan, wants_nuplan
from simengine.errors import ConfigError
from simengine.scenario.convert import ConversionReport, convert

EXAMPLE = """examples:
  simengine convert logs/nuscenes data/sim_engine/scenarios/original/nuscenes
  simengine convert all_scenarios.pkl data/sim_engine/scenarios/original/navtest_failures
  simengine convert nuplan-v1.1/splits/mini out --nuplan-map-root maps --navsim-filters navtest.yaml"""
RESUME = "run it again; a conversion of nuPlan logs goes on from what is done"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine convert`."""
    parser.add_argument(
        "source",
        type=Path,
        nargs="?",
        metavar="SRC",
        help="ScenarioNet folder or file, all_scenarios.pkl, native split, or nuPlan .db file or folder",
    )
    parser.add_argument("destination", type=Path, nargs="?", metavar="DST", help="split folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace DST if it exists")
    add_nuplan_arguments(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Convert and say what was read and what was skipped, and why."""
    report = execute_nuplan(arguments) if wants_nuplan(arguments) else _execute_files(arguments)
    print(f"read {report.read} scenarios, skipped {len(report.skipped)}")
    for file, reason in report.skipped:
        print(f"  skipped {file}: {reason}")
    print(f"written to {report.directory}")
    return 0


def _execute_files(arguments: argparse.Namespace) -> ConversionReport:
    target = arguments.destination or arguments.out_dir
    if arguments.source is None or target is None:
        raise ConfigError("SRC or DST is missing, expected both: simengine convert SRC DST")
    return convert(arguments.source, target, overwrite=arguments.overwrite)
