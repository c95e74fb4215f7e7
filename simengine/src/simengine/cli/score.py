"""Score plans of your own model on a split, open loop, as NAVSIM does."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from simengine.cli.progress import track_rows
from simengine.cli.score_tokens import METRICS, Metric, Scored, score_tokens
from simengine.config.build import open_handles
from simengine.config.schema import RunConfig
from simengine.errors import ConfigError
from simengine.files.atomic import write_atomically
from simengine.metrics.console import print_scores
from simengine.metrics.plans_csv import PlanTable, read_plans, require_known
from simengine.metrics.row import Row
from simengine.metrics.table import write_scores_csv, write_summary_json
from simengine.runner.handle import Handle

EXAMPLE = """examples:
  simengine score plans.csv --split demo
  simengine score plans.csv --split nuplan_val --metric epdms --output scores/nuplan_val --workers 8

PLANS.csv has the columns token,t,x,y,yaw and one line per pose: t in seconds after the decision,
x, y [m] and yaw [rad] of the rear axle in the ego frame of the decision; see docs/score_command.md"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine score`."""
    defaults = RunConfig()
    parser.add_argument("plans", type=Path, metavar="PLANS.csv", help="one line per pose: token,t,x,y,yaw")
    parser.add_argument("--split", required=True, help="built-in split, or a folder below the scenario root")
    parser.add_argument(
        "--scenario-root",
        type=Path,
        default=Path(defaults.scenario_root),
        metavar="DIR",
        help=f"where converted splits are (default: {defaults.scenario_root})",
    )
    parser.add_argument(
        "--metric", choices=list(METRICS), default="navsim_v1", help="scoring mode (default: navsim_v1)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=None,
        metavar="DIR",
        help="where results go (default: experiments/open_loop_exps/<PLANS>/<split>_<metric>)",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: all cores)")
    parser.add_argument("--partial", action="store_true", help="leave out scenarios without a plan")
    parser.add_argument("--overwrite", action="store_true", help="replace results in the output folder")


def execute(arguments: argparse.Namespace) -> int:
    """Check everything, score, write; exit code 1 if a scenario failed or has no plan."""
    output = _output(arguments)
    _check_options(arguments.workers, output, arguments.overwrite)
    config = RunConfig(split=arguments.split, scenario_root=str(arguments.scenario_root))
    handles = open_handles(config)
    table = read_plans(arguments.plans)
    require_known(table, [handle.token for handle in handles], arguments.split)
    metric = METRICS[arguments.metric]
    try:
        scored = _score(handles, table, metric, arguments)
    except KeyboardInterrupt:
        sys.stderr.write("simengine score: interrupted; nothing was written\n")
        return 130
    return _conclude(output, scored, metric)


def _output(arguments: argparse.Namespace) -> Path:
    if arguments.output is not None:
        return arguments.output
    return Path("experiments/open_loop_exps") / arguments.plans.stem / f"{arguments.split}_{arguments.metric}"


def _check_options(workers: int, output: Path, overwrite: bool) -> None:
    if workers < 1:
        raise ConfigError(f"--workers is {workers}, expected at least 1")
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output} is a file, expected a folder for the results: choose another --output")
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        raise ConfigError(f"{output} exists and is not empty: choose another --output, or add --overwrite")


def _score(
    handles: list[Handle], table: PlanTable, metric: Metric, arguments: argparse.Namespace
) -> list[Scored]:
    """Return the scores of all scenarios, those without a plan as failed unless they are left out."""
    planned = [handle for handle in handles if handle.token in table.plans]
    scored: list[Scored] = []

    def rows() -> Iterator[Row]:
        for one in score_tokens(planned, table.plans, metric, arguments.workers):
            scored.append(one)
            yield one.row

    for _ in track_rows(rows(), len(planned), 0, Console(stderr=True)):
        pass
    if not arguments.partial:
        lacking = [handle.token for handle in handles if handle.token not in table.plans]
        scored += [metric.failed(token, f"no plan in {table.path.name}") for token in lacking]
    return metric.finish(scored)


def _conclude(output: Path, scored: list[Scored], metric: Metric) -> int:
    """Write all files, the table last, and print it; return the exit code."""
    rows = [one.row for one in scored]
    blames = {one.row.token: [blame.to_json() for blame in one.blames] for one in scored}
    text = json.dumps(blames, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_atomically(output / "blames.json", text.encode())
    write_summary_json(output / "summary.json", rows, metric.columns, metric.score_columns)
    write_scores_csv(output / "scores.csv", rows, metric.columns)
    print_scores(rows, columns=metric.score_columns)
    print(f"results in {output}")
    return 1 if any(row.status != "ok" for row in rows) else 0
