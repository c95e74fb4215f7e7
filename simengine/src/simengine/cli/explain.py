"""Explain the score of one recorded drive: what failed, when, against what, with the numbers."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from simengine.cli.driven_scenario import scenario_of
from simengine.cli.episode_verdict import episode_verdict
from simengine.cli.report import read_config
from simengine.datatypes.record_io import load_record
from simengine.errors import ConfigError
from simengine.metrics.epdms.parameters import MODES as EXTENDED_MODES
from simengine.metrics.pdm.parameters import MODES, NAVSIM_V1
from simengine.metrics.verdict import Verdict
from simengine.runner.run_directory import RunDirectory

EXAMPLE = """examples:
  simengine explain experiments/closed_loop_exps/vadv2_demo/demo_NR/records/demo_0003.npz
  simengine explain experiments/closed_loop_exps/vadv2_demo/demo_NR demo_0003 --mode corrected
  simengine explain run/records/demo_0003.npz --json > demo_0003.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine explain`."""
    parser.add_argument(
        "record", type=Path, metavar="RECORD", help="<run>/records/<token>.npz, or the folder of a run"
    )
    parser.add_argument(
        "token", nargs="?", metavar="TOKEN", help="scenario, if RECORD is the folder of a run"
    )
    parser.add_argument(
        "--mode",
        choices=[*MODES, *EXTENDED_MODES],
        default=None,
        help="scoring mode (default: that of the run)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def execute(arguments: argparse.Namespace) -> int:
    """Score the record again and print why it scores that."""
    run, path = _find(arguments.record, arguments.token)
    config = read_config(run)
    if not path.is_file():
        raise ConfigError(f"{path} does not exist, expected a record: {_records_in(run)}")
    record = load_record(path)
    if record.token != path.stem:
        raise ConfigError(
            f"{path} holds a record of scenario {record.token!r}, expected {path.stem!r}: give the record its own name"
        )
    mode = arguments.mode or (NAVSIM_V1.mode if config.metric == "none" else config.metric)
    verdict = episode_verdict(record, scenario_of(config, record), mode)
    if arguments.json:
        print(json.dumps(verdict.to_json(), indent=1, allow_nan=False))
    else:
        _show(verdict)
    return 0


def _find(given: Path, token: str | None) -> tuple[Path, Path]:
    """Return the folder of the run and the path of the record."""
    if token is not None:
        if not given.is_dir():
            raise ConfigError(f"{given} is not a folder, expected the folder of a run before TOKEN")
        return given, RunDirectory(given).record(token)
    if given.is_dir():
        raise ConfigError(f"{given} is a folder, expected a record or a token after it: {_records_in(given)}")
    if not given.is_file():
        raise ConfigError(f"{given} does not exist, expected <run>/records/<token>.npz")
    if given.resolve().parent.name != "records":
        raise ConfigError(
            f"{given} is not in the folder records of a run, expected <run>/records/<token>.npz: the run says which "
            "scenario to load"
        )
    return given.resolve().parent.parent, given


def _records_in(run: Path) -> str:
    tokens = sorted(path.stem for path in run.glob("records/*.npz"))
    if not tokens:
        return "the run kept none, run it again with record.rollouts=true"
    return f"it has {len(tokens)}, such as {tokens[0]}"


def _show(verdict: Verdict) -> None:
    console = Console()
    title = f"{verdict.token} ({verdict.mode})"
    table = Table(title=title, title_justify="left", show_lines=True)
    table.add_column("sub-score", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("why", overflow="fold")
    for name, value in verdict.values.items():
        style = "" if math.isnan(value) else "green" if value == 1.0 else "red"
        shown = "–" if math.isnan(value) else f"{value:.2f}"
        table.add_row(Text(name), Text(shown, style), Text("\n".join(verdict.why(name))))
    score = "not known" if math.isnan(verdict.score) else f"{verdict.score:.4f}"
    table.add_row(Text("score", "bold"), Text(score, "bold"), Text(verdict.reasons.get("score", "")))
    console.print(table)
    console.print(Text("what happened", "bold"))
    for time, text in verdict.moments:
        console.print(Text(f"{time:6.1f} s  {text}", "red" if text.startswith("!") else ""), soft_wrap=True)
