"""Make the table of post-training: mine, roll out, fine-tune, test every recipe on held-out splits."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

EXAMPLE = """examples:
  algengine table --jobs 2                        # the shipped planner on the built-in world
  algengine table --scenarios 144 --test-scenarios 144 --jobs 4 --workers 16 --backend auto
  algengine table --rows rare_log,rare_rollout --seeds 1 --plan
"""
RESUME = "run it again to resume"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add(
        "--work-dir",
        type=Path,
        default=Path("experiments/post_training_table"),
        help="folder of all stages and of the table (default: experiments/post_training_table)",
    )
    add("--checkpoint", type=Path, help="exported weights of the base planner (default: the shipped one)")
    add(
        "--scenarios",
        type=int,
        default=120,
        help="scenarios of common_train and of rare_train each (default: 120)",
    )
    add(
        "--test-scenarios",
        type=int,
        default=72,
        help="scenarios of common_test and rare_test each (default: 72)",
    )
    add("--seeds", type=int, default=3, help="trainings of each row (default: 3)")
    add("--steps", type=int, default=2000, help="updates of each training (default: 2000)")
    add("--batch-size", type=int, default=48, help="decisions per update (default: 48)")
    add("--lr", type=float, default=1e-3, help="highest learning rate (default: 1e-3)")
    add(
        "--train-options",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="override keys of the recipes of all rows",
    )
    add("--rounds", type=int, default=30, help="rounds of the row on_policy (default: 30)")
    add(
        "--variants", type=int, default=2, help="variants of each rare case, for the full recipe (default: 2)"
    )
    add(
        "--rows",
        default="",
        help="rows to make, names with commas (default: all seven; on_policy is one more)",
    )
    add("--size", default="320x180", metavar="WxH", help="pixels of each camera (default: 320x180)")
    add(
        "--backend",
        default="cpu",
        choices=("cpu", "gsplat", "auto"),
        help="what draws the cameras (default: cpu)",
    )
    add(
        "--traffic",
        default="NR",
        choices=("NR", "R"),
        help="traffic of the tests: NR replays logs, R reacts (default: NR)",
    )
    cores = os.cpu_count() or 1
    add(
        "--workers",
        type=int,
        default=cores,
        help="processes that all stages share: more for each where few can run (default: cores)",
    )
    add(
        "--jobs",
        type=int,
        default=max(1, cores // 2),
        help="stages at a time (default: half the cores)",
    )
    add("--device", default="auto", help="auto (default), cpu or cuda")
    add("--plan", action="store_true", help="print the stages and what is done, and stop")


def execute(arguments: argparse.Namespace) -> int:
    """Make what is missing and print the table."""
    from algengine.serving.load import shipped_weights
    from algengine.table.check import check_inputs
    from algengine.table.code import code_digest, warning
    from algengine.table.execute import is_done
    from algengine.table.make import make_table
    from algengine.table.options import TableOptions
    from algengine.table.plan import make_plan
    from simengine.errors import ConfigError

    width, _, height = arguments.size.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise ConfigError(f"--size is {arguments.size!r}, expected pixels such as 320x180")
    plain = (
        "scenarios", "test_scenarios", "seeds", "steps", "batch_size", "lr", "rounds", "variants", "backend", "traffic",
        "workers", "jobs", "device",
    )  # fmt: skip
    options = TableOptions(
        checkpoint=arguments.checkpoint or shipped_weights("vadv2_demo"),
        train_options=tuple(arguments.train_options),
        rows=tuple(name for name in arguments.rows.split(",") if name),
        image_size=(int(width), int(height)),
        **{name: getattr(arguments, name) for name in plain},
    )
    check_inputs(options)
    root, stages = arguments.work_dir, make_plan(options).stages
    if note := warning(stages, root, code_digest()):
        print(f"warning: {note}", file=sys.stderr)
    if arguments.plan:
        for stage in stages:
            print(
                f"{'done' if is_done(stage, root) else 'open'}  {stage.label}  {' '.join(stage.command()[2:])}"
            )
        return 0
    finished: list[str] = []

    def show(stage: object, what: str) -> None:
        if what in ("kept", "done"):
            finished.append(stage.name)
        print(f"[{len(finished)}/{len(stages)}] {what} {stage.name}", flush=True)

    files = make_table(options, root, show)
    print(files[0].read_text())
    print("written: " + ", ".join(str(path) for path in files))
    return 0
