"""Write a training checkpoint as small half-precision weights for serving."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """example:
  algengine export experiments/vadv2_demo/last_checkpoint out/vadv2_demo --config vadv2_demo
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("checkpoint", type=Path, help="checkpoint, or the file last_checkpoint of a work dir")
    parser.add_argument("output", type=Path, help="folder for weights.pth, config.py and the training log")
    parser.add_argument("--config", required=True, help="config that the checkpoint was trained with")
    parser.add_argument(
        "--cfg-options", nargs="*", default=[], metavar="KEY=VALUE", help="overrides used in training"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Export and print the size."""
    from algengine import __version__
    from algengine.engine.configs import load_planner_config
    from algengine.engine.weights import WEIGHTS_NAME, export_weights

    config = load_planner_config(arguments.config, arguments.cfg_options)
    checkpoint = named_checkpoint(arguments.checkpoint)
    metadata = {
        "cameras": list(config.train_dataloader.dataset.cameras),
        "config": Path(arguments.config).stem,
        "version": __version__,
        "epochs": int(config.train_cfg.max_epochs),
    }
    size = export_weights(checkpoint, config, arguments.output / WEIGHTS_NAME, metadata)
    config.dump(arguments.output / "config.py")
    logs = sorted(checkpoint.parent.glob("*/*.log"))
    if logs:
        (arguments.output / "train.log").write_text(_portable(logs[-1].read_text()))
    print(f"{arguments.output / WEIGHTS_NAME}: {size / 1e6:.2f} MB")
    return 0


def named_checkpoint(path: Path) -> Path:
    """Return the checkpoint that the file `last_checkpoint` of a work dir names; any other path as it is."""
    return Path(path.read_text().strip()) if path.name == "last_checkpoint" and path.is_file() else path


def _portable(log: str) -> str:
    """Return a training log without the folders and compiler flags of the machine it was written on."""
    kept = [line for line in log.splitlines() if "Build settings:" not in line]
    return "\n".join(kept).replace(f"{Path.cwd()}/", "") + "\n"
