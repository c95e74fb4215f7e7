"""Export the rollouts of a run as training data in the layout openscene-synthetic."""

from __future__ import annotations

import argparse
from pathlib import Path

from simengine.export.synthetic import export_run

EXAMPLE = """examples:
  simengine export experiments/closed_loop_exps/pdm_closed/navtrain_NR --appendix 250911
  simengine export RUN --root data/alg_engine/openscene-synthetic"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine export`."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run with record.openscene=true")
    parser.add_argument("--appendix", default=None, help="end of the name of the data set, such as a date")
    parser.add_argument(
        "--root",
        type=Path,
        default=None,
        help="where data sets are (default: $WORLDENGINE_ROOT/data/alg_engine/openscene-synthetic)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Export and say what there is."""
    report = export_run(arguments.run, arguments.appendix, arguments.root)
    print(
        f"exported {report.name} below {report.root}: {report.scenarios} scenarios, {report.frames} frames, "
        f"{report.rewarded} with rewards, {report.invalid} invalid for want of them"
    )
    return 0
