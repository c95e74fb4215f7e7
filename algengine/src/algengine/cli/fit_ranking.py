"""Find the weights by which a planner with sub-scores ranks plans best, on its held-out recordings."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """example:
  algengine fit-ranking hydramdp_demo experiments/hydramdp_demo/last_checkpoint --output ranking.txt
  algengine export experiments/hydramdp_demo/last_checkpoint OUT --config hydramdp_demo --cfg-options $(cat ranking.txt)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("config", help="config of the planner; its validation data is used")
    add("checkpoint", type=Path, help="training checkpoint, the file last_checkpoint, or exported weights")
    add("--output", type=Path, help="file for the weights as KEY=VALUE lines, for `export --cfg-options`")
    add("--device", default="auto", help="auto (default), cpu or cuda")
    add("--workers", type=int, default=0, help="processes that decode images (default: 0, none)")
    add("--cfg-options", nargs="*", default=[], metavar="KEY=VALUE", help="overrides used in training")


def execute(arguments: argparse.Namespace) -> int:
    """Print what rankings earn and write the best one."""
    from dataclasses import asdict

    from algengine.cli.export import named_checkpoint
    from algengine.engine.configs import load_planner_config
    from algengine.engine.fitting import TRAINING_ONLY
    from algengine.engine.train import choose_device
    from algengine.engine.weights import build_planner, load_checkpoint, require_planner
    from algengine.evaluation.ranking import best_ranking, held_out_decisions
    from algengine.heads.sub_score_heads import PUBLISHED_RANKING
    from algengine.registry import DATASETS
    from simengine.files.atomic import write_atomically

    config = load_planner_config(arguments.config, arguments.cfg_options)
    state = load_checkpoint(named_checkpoint(arguments.checkpoint))["state_dict"]
    state = {name: value for name, value in state.items() if not name.startswith(TRAINING_ONLY)}
    device = choose_device(arguments.device)
    planner = require_planner(build_planner(config.model.to_dict() | {"bev_head": None}, state)).to(device)
    data = DATASETS.build(config.val_dataloader.dataset)
    held_out = held_out_decisions(planner, data, workers=arguments.workers)
    best = best_ranking(held_out)
    print(f"mean PDM score of the chosen plans at {len(held_out.scores)} held-out decisions")
    for name, ranking in (
        ("imitation alone", None),
        ("published weights", PUBLISHED_RANKING),
        ("best", best),
    ):
        print(f"{name:20}{100 * held_out.earned(ranking):6.1f}")
    print(f"{'any plan, at best':20}{100 * float(held_out.scores.amax(-1).mean()):6.1f}")
    lines = "".join(f"model.head.ranking.{name}={value}\n" for name, value in asdict(best).items())
    print(lines, end="")
    if arguments.output is not None:
        write_atomically(arguments.output, lines.encode())
    return 0
