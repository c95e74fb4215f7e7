"""Convert logs of other formats into native scenarios."""

from __future__ import annotations

import argparse
from pathlib import Path

from simengine.scenario.convert import convert

EXAMPLE = """examples:
  simengine convert logs/nuscenes data/sim_engine/scenarios/original/nuscenes
  simengine convert all_scenarios.pkl data/sim_engine/scenarios/original/navtest_failures"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine convert`."""
    parser.add_argument(
        "source",
        type=Path,
        metavar="SRC",
        help="ScenarioNet folder or file, all_scenarios.pkl, or native split",
    )
    parser.add_argument("destination", type=Path, metavar="DST", help="split folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace DST if it exists")


def execute(arguments: argparse.Namespace) -> int:
    """Convert and say what was read and what was skipped, and why."""
    report = convert(arguments.source, arguments.destination, overwrite=arguments.overwrite)
    print(f"read {report.read} scenarios, skipped {len(report.skipped)}")
    for file, reason in report.skipped:
        print(f"  skipped {file}: {reason}")
    print(f"written to {arguments.destination}")
    return 0
