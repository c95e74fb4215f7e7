"""Draw label rasters beside recordings, for the auxiliary head."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """example:
  algengine labels data/alg_engine/recordings/common_train --scenarios data/sim_engine/scenarios --split common_train
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("recordings", type=Path, help="run folder with observations/ and records/")
    parser.add_argument("--scenarios", type=Path, required=True, help="folder of splits")
    parser.add_argument("--split", required=True, help="split that was recorded")


def execute(arguments: argparse.Namespace) -> int:
    """Draw all labels, with a progress bar."""
    from rich.progress import track

    from algengine.datasets.bev_labels import LabelGrid
    from algengine.datasets.draw import draw_recording, recorded_tokens
    from simengine.scenario.splits import open_split

    handles = {handle.token: handle for handle in open_split(arguments.scenarios, arguments.split)}
    tokens = [token for token in recorded_tokens(arguments.recordings) if token in handles]
    for token in track(tokens, description="labels"):
        draw_recording(arguments.recordings, token, handles[token].load(), LabelGrid())
    print(f"{len(tokens)} label files in {arguments.recordings / 'labels'}")
    return 0
