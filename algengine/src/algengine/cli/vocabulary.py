"""Make the vocabulary of plans from recordings."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """example:
  algengine vocabulary data/alg_engine/recordings/vadv2_demo_train/observations plans.npy
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("recordings", type=Path, help="folder with observation logs: observations/ of a run")
    parser.add_argument("output", type=Path, help=".npy file to write")
    parser.add_argument("--size", type=int, default=512, help="number of plans (default: 512)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the clustering (default: 0)")


def execute(arguments: argparse.Namespace) -> int:
    """Cluster the recorded futures and print how well they are covered."""
    from algengine.datasets.futures import recorded_futures
    from algengine.datasets.vocabulary import coverage, make_vocabulary, save_vocabulary

    futures = recorded_futures(arguments.recordings)
    plans = make_vocabulary(futures, arguments.size, arguments.seed)
    save_vocabulary(plans, arguments.output)
    mean, worst = coverage(futures, plans)
    print(
        f"{arguments.output}: {len(plans)} plans from {len(futures)} futures; nearest plan {mean:.2f} m away on average"
    )
    print(f"95 % of the futures have a plan within {worst:.2f} m (mean over the poses)")
    return 0
