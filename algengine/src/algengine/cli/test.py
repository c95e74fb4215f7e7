"""Print what the validation of a training config says about a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """example:
  algengine test uniad_demo experiments/uniad_demo/epoch_8.pth
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("config", help="path of a config, or the name of a shipped one")
    parser.add_argument("checkpoint", type=Path, help="checkpoint of training")
    parser.add_argument("--work-dir", type=Path, help="of the log; default: experiments/<config name>/test")
    parser.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    parser.add_argument("--launcher", default="none", help="pytorch when started by torchrun (default: none)")
    parser.add_argument(
        "--cfg-options", nargs="*", default=[], metavar="KEY=VALUE", help="override keys of the config"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Validate; the table is in the log that goes to the terminal."""
    from algengine.engine.configs import load_planner_config
    from algengine.engine.validate import validate

    config = load_planner_config(arguments.config, arguments.cfg_options)
    work_dir = arguments.work_dir or Path("experiments") / Path(arguments.config).stem / "test"
    validate(config, arguments.checkpoint, work_dir, arguments.device, arguments.launcher)
    return 0
