"""Train a planner in the simulator: drive, score every plan, update, repeat, all in this process."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from algengine.on_policy.train import OnPolicyConfig

EXAMPLE = """examples:
  algengine on-policy --common common_train split=rare_train num_scenarios=64
  algengine on-policy --rounds 60 --scenes 32 --threads 16 split=rare_train num_scenarios=256 render.backend=auto
  simengine run model_name=experiments/on_policy bridge.in_process=algengine.post_training.load:load_post_trained
"""
RESUME = "run it again to resume"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("overrides", nargs="*", metavar="KEY=VALUE", help="keys of `simengine run`, such as split=rare_train")
    add("--checkpoint", type=Path, help="planner to start from (default: the shipped one)")
    add(
        "--work-dir",
        type=Path,
        default=Path("experiments/on_policy"),
        help="folder of state, log and weights (default: experiments/on_policy)",
    )
    add("--only", type=Path, metavar="SPLIT", help="split file or folder: use its tokens only")
    add(
        "--common",
        default="",
        metavar="NAME",
        help="split of everyday scenarios, as many of which are driven too (default: none)",
    )
    add("--rounds", type=int, default=30, help="how often to drive and then update (default: 30)")
    add("--scenes", type=int, default=16, help="episodes per round, driven at once (default: 16)")
    add(
        "--passes",
        type=int,
        default=4,
        help="how often updates go over the decisions of a round (default: 4)",
    )
    add("--batch-size", type=int, default=20, help="decisions per update (default: 20)")
    add(
        "--explore", type=float, default=0.25, help="share of decisions drawn from the policy (default: 0.25)"
    )
    add("--lr", type=float, default=1e-3, help="highest learning rate (default: 1e-3)")
    add(
        "--kl-weight",
        type=float,
        default=0.01,
        help="weight of the divergence from the first planner (default: 0.01)",
    )
    add("--seed", type=int, default=0, help="of all random numbers (default: 0)")
    add(
        "--threads", type=int, default=os.cpu_count() or 1, help="scenes simulated at a time (default: cores)"
    )
    add("--device", default="auto", help="auto (default), cpu or cuda")


def execute(arguments: argparse.Namespace) -> int:
    """Train and say what came out."""
    from algengine.datasets.split_file import read_split
    from algengine.engine.train import choose_device
    from algengine.on_policy.simulator import SimulatedWorld
    from algengine.on_policy.train import train_on_policy
    from algengine.post_training.base import load_base
    from algengine.serving.load import shipped_weights

    config = read_options(arguments)
    device = choose_device(arguments.device)
    base = load_base(arguments.checkpoint or shipped_weights("vadv2_demo"))
    only = read_split(arguments.only).tokens if arguments.only else None
    world = SimulatedWorld(
        arguments.overrides, base.vocabulary, config.scenes, arguments.threads, only, arguments.common
    )
    try:
        weights = train_on_policy(config, base, world, arguments.work_dir, device, _show)
    finally:
        world.close()
    print(f"weights: {weights}")
    return 0


def read_options(arguments: argparse.Namespace) -> OnPolicyConfig:
    """Return what the arguments ask for.

    Raises:
        ConfigError: an argument makes no sense.
    """
    from algengine.on_policy.train import OnPolicyConfig
    from algengine.post_training.objective import ExpectationObjective

    names = ("rounds", "scenes", "passes", "batch_size", "explore", "lr", "seed")
    objective = ExpectationObjective(kl_weight=arguments.kl_weight)
    return OnPolicyConfig(objective=objective, **{name: getattr(arguments, name) for name in names})


def _show(row: dict) -> None:
    print(
        f"round {row['round']}: {len(row['scenarios'])} episodes, score of driven plans {100 * row['driven']:.1f}, of "
        f"the policy {100 * row['expected']:.1f}, clean {100 * row['clean']:.0f} %, kl {row['kl']:.4f}",
        flush=True,
    )
