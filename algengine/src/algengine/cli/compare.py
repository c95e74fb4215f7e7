"""Compare the scores of two runs scenario by scenario, with paired intervals."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """examples:
  algengine compare base/scores.csv tuned/scores.csv
  algengine compare base.csv tuned.csv --output difference.json --by success
  algengine compare main.csv branch.csv --fail-if-worse score success    # exit code 1 if an interval lies below 0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("a", type=Path, metavar="A.csv", help="scores of the first run, one row per token")
    add("b", type=Path, metavar="B.csv", help="scores of the second run")
    add("--by", metavar="COLUMN", help="column that decides who got better or worse (default: score)")
    add("--list", type=int, default=10, metavar="N", help="scenarios to list per direction (default: 10)")
    add("--output", type=Path, metavar="FILE", help=".json: everything; .csv: a row per scenario")
    add("--seed", type=int, default=0, help="of the resampling (default: 0)")
    add(
        "--fail-if-worse",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="exit code 1 if B is worse in one of these, its interval excluding 0",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Compare, print, write; exit code 1 for what `--fail-if-worse` names."""
    from rich.console import Console

    from algengine.evaluation.compare import compare_tables
    from algengine.evaluation.compare_console import render_comparison
    from algengine.evaluation.compare_files import comparison_values, require_writable, write_comparison
    from algengine.evaluation.score_table import read_score_table
    from simengine.errors import ConfigError

    if arguments.output is not None:
        require_writable(arguments.output)
    if arguments.seed < 0:
        raise ConfigError(f"--seed is {arguments.seed}, expected 0 or more")
    if arguments.list < 0:
        raise ConfigError(f"--list is {arguments.list}, expected 0 or more")
    a, b = read_score_table(arguments.a), read_score_table(arguments.b)
    comparison = compare_tables(a, b, arguments.seed)
    by = arguments.by or next(n for n in ("score", "success", *comparison.columns) if n in comparison.columns)
    unknown = [name for name in (by, *arguments.fail_if_worse) if name not in comparison.columns]
    if unknown:
        raise ConfigError(
            f"{unknown[0]!r} is no column of both tables, expected one of {', '.join(comparison.columns)}"
        )
    values = comparison_values(comparison, by)
    values |= {"a": str(arguments.a), "b": str(arguments.b)}
    Console().print(render_comparison(values, comparison.columns, arguments.list))
    if arguments.output is not None:
        write_comparison(arguments.output, comparison, by)
        print(f"written: {arguments.output}")
    worse = [n for n in arguments.fail_if_worse if comparison.columns[n].verdict == "worse"]
    if worse:
        print(f"worse: {', '.join(worse)}")
    return 1 if worse else 0
