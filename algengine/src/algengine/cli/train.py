"""Train a planner from a config."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

EXAMPLE = """example:
  algengine train vadv2_demo --work-dir experiments/vadv2_demo
  algengine train vadv2_demo --work-dir experiments/vadv2_demo --resume
  algengine train vadv2_demo --device cpu --cfg-options train_cfg.max_epochs=1 train_dataloader.batch_size=2
"""
RESUME = "run it again with --resume to go on from the last checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "config",
        help="path of a config, or name of a shipped one: its path in configs/alg without .py; a wrong name lists all",
    )
    parser.add_argument("--work-dir", type=Path, help="default: experiments/<config name>")
    parser.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="auto|PATH",
        help="go on from the newest checkpoint of the work dir, or from PATH",
    )
    start.add_argument(
        "--overwrite",
        action="store_true",
        help="start over in a work dir that has checkpoints, which are deleted",
    )
    parser.add_argument("--launcher", default="none", help="pytorch when started by torchrun (default: none)")
    parser.add_argument(
        "--cfg-options", nargs="*", default=[], metavar="KEY=VALUE", help="override keys that the config has"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Train and print where the checkpoint is."""
    from algengine.engine.configs import load_planner_config
    from algengine.engine.train import train

    config = load_planner_config(arguments.config, arguments.cfg_options)
    work_dir = arguments.work_dir or Path("experiments") / Path(arguments.config).stem
    last = train(
        config, work_dir, arguments.device, arguments.resume, arguments.launcher, arguments.overwrite
    )
    if os.environ.get("RANK", "0") == "0":
        print(f"checkpoint: {last}")
    return 0
