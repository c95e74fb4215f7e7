"""Draw labels beside recordings: rasters for the auxiliary head, elements of the map for the map head."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """example:
  simengine generate common_train data/sim_engine/scenarios/original/common_train
  algengine labels data/alg_engine/recordings/vadv2_demo_train data/sim_engine/scenarios/original/vadv2_demo_train
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("recordings", type=Path, help="run folder with observations/ and records/")
    parser.add_argument("scenarios", type=Path, help="folder of the split that was recorded")
    parser.add_argument(
        "--grid",
        type=float,
        nargs=5,
        metavar=("X_LOW", "X_HIGH", "Y_LOW", "Y_HIGH", "CELL"),
        default=(-12.8, 57.6, -25.6, 25.6, 0.8),
        help="where cells lie in the ego frame [m]; default: %(default)s",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")


def execute(arguments: argparse.Namespace) -> int:
    """Draw all labels, with a progress bar."""
    from concurrent.futures import ProcessPoolExecutor

    from algengine.datasets.bev_labels import LabelGrid
    from algengine.datasets.draw import draw_recording, recorded_tokens
    from simengine.errors import ConfigError
    from simengine.progress import progress_bar
    from simengine.scenario.splits import load_index

    if arguments.workers < 1:
        raise ConfigError(f"--workers is {arguments.workers}, expected at least 1")
    handles = {handle.token: handle for handle in load_index(arguments.scenarios)}
    x_low, x_high, y_low, y_high, cell = arguments.grid
    grid = LabelGrid((x_low, x_high), (y_low, y_high), cell)
    tokens = [token for token in recorded_tokens(arguments.recordings) if token in handles]
    if not tokens:
        raise ConfigError(
            f"{arguments.scenarios} has none of the scenarios that were recorded in {arguments.recordings}, expected "
            "the split that was driven: give its folder"
        )
    jobs = [(arguments.recordings, handles[token], grid) for token in tokens]
    with ProcessPoolExecutor(arguments.workers) as pool:
        done = pool.map(draw_recording, *zip(*jobs, strict=True))
        with progress_bar("labels", len(jobs)) as step:
            for _ in done:
                step()
    print(f"{len(jobs)} label files in {arguments.recordings / 'labels'}, those of maps beside it")
    return 0
