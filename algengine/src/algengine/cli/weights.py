"""Say what a published checkpoint holds and whether it fits a config, before anything is run with it."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """example:
  algengine weights worldengine/e2e_vadv2_50pct_compat data/alg_engine/ckpts/e2e_vadv2_50pct_ep8.pth
  algengine weights worldengine/e2e_vadv2_50pct data/alg_engine/ckpts/track_map_nuplan_r50_navtrain_50pct_bs1x8.pth
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("config", help="path of the planner's config, or the name of a shipped one")
    parser.add_argument("checkpoint", type=Path, help="a checkpoint of the original's training")


def execute(arguments: argparse.Namespace) -> int:
    """Load the checkpoint and print what became of it."""
    from algengine.engine.configs import load_planner_config
    from algengine.engine.original_weights import load_original
    from algengine.engine.weights import build_planner

    planner = build_planner(load_planner_config(arguments.config).model.to_dict())
    print(load_original(planner, arguments.checkpoint).summary())
    return 0
