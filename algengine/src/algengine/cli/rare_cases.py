"""Find the scenarios in which a planner fails, and write them as splits."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """examples:
  algengine rare-cases --pdm-result navtrain.csv --base-split navtrain_50pct.yaml --output-dir splits
  algengine rare-cases --pdm-result experiments/closed_loop_exps/my_model/my_split_NR/scores.csv \\
      --base-split data/sim_engine/scenarios/original/my_split --output-dir splits --ep-percentile 1 5
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--pdm-result", type=Path, required=True, metavar="CSV", help="scores, one row per token")
    add("--base-split", type=Path, required=True, metavar="YAML", help="scored split, or its folder")
    add("--output-dir", type=Path, required=True, metavar="DIR", help="folder of the new splits")
    add(
        "--ep-percentile",
        type=float,
        nargs="+",
        default=[1.0],
        metavar="P",
        help="of clean drives, take those with less progress than this percentile (default: 1)",
    )
    add(
        "--max-collision",
        type=float,
        default=0.0,
        help="highest no_at_fault_collisions that is chosen; 0.5 takes static objects too (default: 0)",
    )
    add(
        "--max-off-road",
        type=float,
        default=0.0,
        help="highest drivable_area_compliance that is chosen (default: 0)",
    )
    add(
        "--min-progress",
        type=float,
        default=0.0,
        help="ego_progress that clean drives have to exceed (default: 0)",
    )
    add("--no-intersect", action="store_true", help="keep tokens outside the base split, as the original")


def execute(arguments: argparse.Namespace) -> int:
    """Write the splits and print what was chosen and why."""
    from rich.console import Console

    from algengine.rare_cases.extract import extract_rare_cases
    from algengine.rare_cases.report import render_report
    from algengine.rare_cases.rules import Thresholds

    thresholds = Thresholds(
        tuple(arguments.ep_percentile),
        arguments.max_collision,
        arguments.max_off_road,
        arguments.min_progress,
    )
    report = extract_rare_cases(
        arguments.pdm_result,
        arguments.base_split,
        arguments.output_dir,
        thresholds,
        intersect=not arguments.no_intersect,
    )
    Console().print(render_report(report))
    print(f"splits and report in {arguments.output_dir}")
    return 0
