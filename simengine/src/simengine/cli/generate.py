"""Write scenarios of the built-in world to disk."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from simengine.errors import ConfigError
from simengine.progress import progress_bar
from simengine.world.splits import BUILTIN_SPLITS, builtin_handles, write_split

EXAMPLE = """example:
  simengine generate common_test data/sim_engine/scenarios/original/my_common_test --num-scenarios 16"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine generate`."""
    parser.add_argument("split", choices=sorted(BUILTIN_SPLITS), help="built-in split")
    parser.add_argument("destination", type=Path, metavar="DST", help="split folder to write")
    parser.add_argument(
        "--num-scenarios", type=int, default=None, help="how many; any number except for demo"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Generate and say how many."""
    if arguments.workers < 1:
        raise ConfigError(f"--workers is {arguments.workers}, expected at least 1")
    total = len(builtin_handles(arguments.split, arguments.num_scenarios))
    with progress_bar(arguments.split, total) as step:
        count = write_split(
            arguments.split,
            arguments.destination,
            workers=arguments.workers,
            num_scenarios=total,
            progress=step,
        )
    print(f"wrote {count} scenarios to {arguments.destination}")
    return 0
