"""Post-train a planner on rare cases: adapters on its head, from cached features."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """examples:
  algengine post-train --vocabulary plans.npy --checkpoint weights.pth     # plans to record rewards for
  algengine post-train post_training/e2e_vadv2_50pct_rlft_rare_log --checkpoint weights.pth --work-dir out
  algengine post-train my_recipe.py --checkpoint weights.pth --cfg-options schedule.steps=300
"""
RESUME = "run it again to resume"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add(
        "config",
        nargs="?",
        help="path of a recipe, or the name of a shipped one: post_training/NAME, its path in configs/alg without .py; "
        "a wrong name lists all",
    )
    add(
        "--checkpoint", type=Path, required=True, help="planner to start from: weights or training checkpoint"
    )
    add("--base-config", help="config that a training checkpoint was trained with")
    add("--work-dir", type=Path, help="default: experiments/post_training/<config name>")
    add("--device", default="auto", help="auto (default), cpu or cuda")
    add("--vocabulary", type=Path, metavar="NPY", help="write the planner's plans there and stop")
    add(
        "--cfg-options",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="override keys of the recipe, also such as it does not spell out: schedule.clip=1",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Train and print what came out."""
    from algengine.datasets.vocabulary import save_vocabulary
    from algengine.engine.train import choose_device
    from algengine.post_training.base import load_base
    from algengine.post_training.config import load_recipe
    from algengine.post_training.load import work_dir
    from algengine.post_training.train import SUMMARY_NAME, post_train
    from simengine.errors import ConfigError

    if arguments.config is None and arguments.vocabulary is None:
        raise ConfigError("there is no config, expected the recipe to train: algengine post-train CONFIG ...")
    config = load_recipe(arguments.config, arguments.cfg_options) if arguments.config else None
    device = choose_device(arguments.device)
    base = load_base(arguments.checkpoint, arguments.base_config)
    if arguments.vocabulary is not None:
        save_vocabulary(base.vocabulary.plans.astype("float32"), arguments.vocabulary)
        print(f"{arguments.vocabulary}: {base.vocabulary.size} plans")
        return 0
    folder = arguments.work_dir or work_dir(Path(arguments.config).stem)
    with _Bar() as bar:
        weights = post_train(config, base, folder, device, bar.show)
    _print_summary(folder / SUMMARY_NAME)
    print(f"weights: {weights}")
    return 0


def _print_summary(path: Path) -> None:
    import json

    from rich.console import Console
    from rich.table import Table

    summary = json.loads(path.read_text())
    table = Table(
        "decisions",
        "n",
        "score before",
        "after",
        title="Score of the likeliest plan, open loop, training set",
    )
    for kind, row in summary["after"].items():
        before = summary["before"][kind]["chosen"]
        table.add_row(kind, str(row["n"]), f"{100 * before:.1f}", f"{100 * row['chosen']:.1f}")
    Console().print(table)
    learning = summary["parameters"]["learning"]
    print(f"{learning} of {summary['parameters']['all']} parameters learned")


class _Bar:
    """A progress bar on a terminal, plain lines elsewhere."""

    def __enter__(self) -> _Bar:
        from rich.console import Console
        from rich.progress import TextColumn

        from simengine.progress import make_progress

        console = Console(stderr=True)
        self._plain = not console.is_terminal
        self._progress = make_progress(console, TextColumn("{task.fields[note]}"))
        self._tasks: dict[str, int] = {}
        if not self._plain:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._plain:
            self._progress.stop()

    def show(self, what: str, done: int, total: int, values: dict) -> None:
        """Show how far `what` is."""
        shown = ("token", "loss", "reward", "reward_chosen", "kl", "entropy")
        parts = [f"{k} {v:.4f}" if isinstance(v, float) else str(v) for k, v in values.items() if k in shown]
        note = "  ".join(parts)
        if self._plain:
            print(f"{what} {done}/{total}  {note}", flush=True)
            return
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total, note="")
        self._progress.update(self._tasks[what], completed=done, note=note)
