"""Put the parts of a distributed run together."""

from __future__ import annotations

import argparse
from pathlib import Path

from simengine.export.layout import TRAFFIC
from simengine.export.merge import merge_run

EXAMPLE = """examples:
  simengine merge experiments/closed_loop_exps/pdm_closed/navtrain_NR --react-type NR

Parts are folders split_0, split_1, ..., each a run with record.openscene=true or one of the original's."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine merge`."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder with split_<i>")
    parser.add_argument("--react-type", choices=TRAFFIC, required=True, help="traffic of the run")


def execute(arguments: argparse.Namespace) -> int:
    """Merge and say what there is."""
    report = merge_run(arguments.run, arguments.react_type)
    for name in report.repeated:
        print(f"in several parts, the last counts: {name}")
    print(
        f"merged {report.parts} parts in {report.run}: {report.scenarios} scenarios with frames, {report.rewards} "
        f"reward files, {report.scored} scores"
    )
    return 0
