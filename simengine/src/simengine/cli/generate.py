"""Write scenarios of the built-in world to disk."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.console import Console

from simengine.cli.progress import make_progress
from simengine.errors import ConfigError
from simengine.world.splits import BUILTIN_SPLITS, write_split

EXAMPLE = """example:
  simengine generate common_test data/sim_engine/scenarios/original/my_common_test --num-scenarios 16"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine generate`."""
    parser.add_argument("split", choices=sorted(BUILTIN_SPLITS), help="built-in split")
    parser.add_argument("destination", type=Path, metavar="DST", help="split folder to write")
    parser.add_argument("--num-scenarios", type=int, default=None, help="only the first so many")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: all cores)")


def execute(arguments: argparse.Namespace) -> int:
    """Generate and say how many."""
    size = BUILTIN_SPLITS[arguments.split].size
    total = size if arguments.num_scenarios is None else arguments.num_scenarios
    if not 1 <= total <= size:
        raise ConfigError(f"--num-scenarios is {total}, expected 1 to {size} for split {arguments.split}")
    with make_progress(Console(stderr=True)) as progress:
        task = progress.add_task(arguments.split, total=total)
        count = write_split(
            arguments.split,
            arguments.destination,
            workers=arguments.workers,
            num_scenarios=total,
            progress=lambda: progress.update(task, advance=1),
        )
    print(f"wrote {count} scenarios to {arguments.destination}")
    return 0
