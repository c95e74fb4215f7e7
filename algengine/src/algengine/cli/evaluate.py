"""Evaluate a planner open loop: PDM scores with intervals, displacement errors."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from algengine.evaluation.open_loop import Work
    from algengine.evaluation.samples import EvaluationSet
    from algengine.evaluation.scoring import Scorer

EXAMPLE = """examples:
  algengine evaluate vadv2_demo --recordings RUN/observations --scenarios SPLIT_DIR
  algengine evaluate navformer/e2e_vadv2 e2e_vadv2_ep8.pth --cache pdms_cache/pdm_8192_gt_cache_navtest.pkl
  algengine evaluate CONFIG CHECKPOINT --split navtrain.yaml --cache CACHE --chunks 10    # run again to go on
  algengine compare A.csv B.csv                                                            # two such tables
"""
RESUME = "run it again to resume"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("config", help="config of the planner, which also names the data")
    add(
        "checkpoint",
        nargs="?",
        type=Path,
        help="weights; those that ship under the config's name if left out",
    )
    add("--split", metavar="YAML", help="NAVSIM scene filter, or split folder, instead of the config's")
    add("--infos", metavar="PKL", help="info file, instead of the config's")
    add("--images", metavar="DIR", help="folder of images, instead of the config's")
    add(
        "--recordings",
        metavar="DIR",
        help="observation logs instead of the config's data; first decisions count",
    )
    add(
        "--cache",
        metavar="DIR|PKL",
        help="look scores up: folder of `algengine cache`, or the original's pickle (default: the config's pdm_path)",
    )
    add("--scenarios", metavar="DIR", help="compute scores in the scenarios of this split folder")
    add(
        "--metric",
        default="navsim_v1",
        help="with --scenarios: navsim_v1 (default), corrected or worldengine_v1",
    )
    add("--failures", metavar="YAML", help="tokens that also get a table of their own")
    add("--output", type=Path, metavar="CSV", help="default: experiments/<config>/<split>.csv")
    add(
        "--chunks",
        type=int,
        default=1,
        metavar="N",
        help="parts that are done one after another (default: 1)",
    )
    add("--batch-size", type=int, default=1, metavar="B", help="samples at a time (default: 1)")
    add(
        "--workers",
        type=int,
        default=0,
        metavar="W",
        help="processes for images and scores (default: 0, none)",
    )
    add("--device", default="auto", help="auto (default), cpu or cuda")
    add("--threads", type=int, default=2, help="CPU threads of the network (default: 2)")
    add(
        "--launcher",
        choices=("none", "pytorch"),
        default="none",
        help="pytorch when started by torchrun (default: none)",
    )
    add("--overwrite", action="store_true", help="start over instead of going on")
    add("--cfg-options", nargs="*", default=[], metavar="KEY=VALUE", help="override keys of the config")


def execute(arguments: argparse.Namespace) -> int:
    """Do what is left to do, write all files, print the table; exit code 1 if a token failed."""
    import torch

    from algengine.engine.distributed import join_processes, leave_processes, meeting, ranks
    from algengine.engine.train import choose_device
    from algengine.evaluation.open_loop import Share, Work, evaluate, journals
    from algengine.evaluation.write import failures_split
    from simengine.errors import ConfigError

    for name, least in (("batch_size", 1), ("chunks", 1), ("threads", 1), ("workers", 0)):
        if getattr(arguments, name) < least:
            raise ConfigError(
                f"--{name.replace('_', '-')} is {getattr(arguments, name)}, expected at least {least}"
            )
    # Read before hours of work that would end with it.
    failures = failures_split(arguments.split, arguments.failures)
    planner, chosen, scorer, about = _load(arguments)
    output = arguments.output or Path("experiments") / _name(arguments.config) / f"{chosen.name}.csv"
    device = join_processes(arguments.launcher, choose_device(arguments.device))
    try:
        share, meet = Share(*ranks()), meeting()
        if device.type == "cpu":
            torch.set_num_threads(arguments.threads)
        folder = output.with_name(f"{output.stem}.parts")
        work = Work(folder, about, device, arguments.batch_size, arguments.workers, arguments.chunks)
        if arguments.overwrite and share.rank == 0:
            for journal in journals(work, scorer):
                journal.clear()
        meet()
        with _bar(len(chosen.rows), share.rank == 0) as step:
            evaluate(planner.to(device), chosen, scorer, work, share, step)
        meet()
        return _conclude(chosen, scorer, work, output, failures) if share.rank == 0 else 0
    finally:
        leave_processes()


def _load(arguments: argparse.Namespace) -> tuple:
    """Planner, samples, scorer and what choices depend on."""
    from algengine.datasets.openscene.places import located
    from algengine.engine.configs import load_planner_config
    from algengine.evaluation.samples import Sources, configured_cache, evaluation_set
    from algengine.evaluation.scoring import make_scorer
    from algengine.post_training.base import load_base
    from algengine.serving.load import shipped_weights
    from simengine.scenario.splits import file_sha256

    config = load_planner_config(arguments.config, arguments.cfg_options)
    path = arguments.checkpoint
    weights = located(path) if path else shipped_weights(Path(arguments.config).stem)
    base = load_base(weights, arguments.config, arguments.cfg_options)
    planner = base.build()
    cache = arguments.cache
    if not (cache or arguments.scenarios or arguments.recordings):
        cache = configured_cache(config)
    plans = planner.head.vocabulary.numpy()
    scorer = make_scorer(cache, arguments.scenarios, arguments.metric, plans)
    sources = Sources(arguments.split, arguments.recordings, arguments.infos, arguments.images)
    chosen = evaluation_set(config, base, sources)
    return planner, chosen, scorer, {"split": chosen.name, "weights": file_sha256(weights)[:16]}


def _conclude(
    chosen: EvaluationSet, scorer: Scorer, work: Work, output: Path, failures: frozenset[str] | None
) -> int:
    """Write everything and print the table."""
    from rich.console import Console

    from algengine.evaluation.open_loop import results
    from algengine.evaluation.open_loop_console import render_results
    from algengine.evaluation.write import write_evaluation

    rows = results(chosen, scorer, work)
    facts = {**work.about, **scorer.describe()}
    content = write_evaluation(output, rows, facts, failures, work.chunks)
    Console().print(render_results(content, rows))
    print(f"results in {output}")
    return 1 if content["counts"]["failed"] else 0


def _name(config: str) -> str:
    """Path of a config below configs/alg, without its ending."""
    path = Path(config).with_suffix("") if config.endswith(".py") else Path(config)
    parts = path.parts
    if "alg" in parts:
        parts = parts[parts.index("alg") + 1 :]
    return path.name if path.is_absolute() and "alg" not in path.parts else "/".join(parts)


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[Callable[[str, str], None]]:
    """Give a function to call after each stage of a token; it moves progress bars on a terminal."""
    from rich.console import Console

    from simengine.progress import make_progress

    console = Console(stderr=True)
    with make_progress(console, hidden=not (shown and console.is_terminal)) as progress:
        tasks = {stage: progress.add_task(stage, total=total) for stage in ("predict", "score")}
        yield lambda stage, token: progress.advance(tasks[stage])
