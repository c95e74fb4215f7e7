"""Score every plan of a vocabulary in every scenario of a split."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from simengine.progress import progress_bar

if TYPE_CHECKING:
    from algengine.score_cache.job import CacheJob

EXAMPLE = """examples:
  simengine generate demo data/sim_engine/scenarios/original/my_demo
  algengine cache data/sim_engine/scenarios/original/my_demo plans.npy data/alg_engine/score_cache/my_demo
  algengine cache SPLIT_DIR plans.npy OUT --workers 16 --export-pkl pdm_8192_gt_cache_navtrain.pkl
  algengine cache - plans.npy OUT --import-pkl pdm_8192_gt_cache_navtest.pkl   # no scenarios needed
  algengine cache - plans.npy OUT --verify"""
RESUME = "run it again to resume"
NO_SPLIT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("split", metavar="SPLIT_DIR", help="split folder with an index.json, or - for none")
    parser.add_argument("vocabulary", type=Path, metavar="VOCABULARY.npy", help="plans (K, poses, 3)")
    parser.add_argument("output", type=Path, metavar="OUT", help="folder of the cache; resumed if it exists")
    parser.add_argument(
        "--metric", default="navsim_v1", help="navsim_v1 (default), corrected or worldengine_v1"
    )
    parser.add_argument(
        "--vocabulary-dt", type=float, default=0.1, help="time between poses [s] (default: 0.1)"
    )
    parser.add_argument("--workers", type=int, help="processes, or cores for Ray (default: all cores)")
    parser.add_argument("--ray", action="store_true", help="compute in tasks of a Ray cluster")
    parser.add_argument(
        "--import-pkl", type=Path, metavar="FILE", help="take tokens from the original's cache"
    )
    parser.add_argument("--export-pkl", type=Path, metavar="FILE", help="write the original's cache")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read every file back; broken ones are deleted, to be made again",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Import, compute, verify and export, as far as asked for; exit code 1 if anything failed."""
    from algengine.score_cache.job import CacheJob
    from simengine.errors import ConfigError
    from simengine.rewards.modes import reward_rules
    from simengine.rewards.vocabulary import load_vocabulary

    reward_rules(arguments.metric)
    workers = len(os.sched_getaffinity(0)) if arguments.workers is None else arguments.workers
    if workers < 1:
        raise ConfigError(f"--workers is {workers}, expected at least 1")
    vocabulary = load_vocabulary(arguments.vocabulary, arguments.vocabulary_dt)
    threads = None if workers == 1 and not arguments.ray else 1
    job = CacheJob(arguments.output, vocabulary, arguments.metric, threads)
    good = True
    if arguments.import_pkl is not None:
        _import(arguments.import_pkl, job)
    if arguments.split != NO_SPLIT:
        good &= _compute(Path(arguments.split), job, workers, arguments.ray)
    if arguments.verify:
        good &= _verify(arguments.output)
    if arguments.export_pkl is not None:
        _export(arguments.export_pkl, arguments.output, arguments.split)
    return 0 if good else 1


def _import(path: Path, job: CacheJob) -> None:
    from simengine.rewards.cache_index import open_index, save_index
    from simengine.rewards.cache_pickle import import_cache

    index = open_index(job.directory, job.vocabulary, job.mode)
    with progress_bar("importing", None) as step:
        keys = import_cache(path, job.directory, job.vocabulary, job.mode, lambda token: step())
    save_index(job.directory, index.with_keys(keys, imported=True))
    print(f"{len(keys)} tokens imported from {path}")


def _compute(split: Path, job: CacheJob, workers: int, use_ray: bool) -> bool:
    from algengine.score_cache.build import build_cache
    from simengine.scenario.splits import load_index

    handles = load_index(split).handles()
    with progress_bar("scoring", len(handles)) as step:
        report = build_cache(handles, job, workers, use_ray, lambda result: step())
    for token, error in report.failed:
        print(f"failed {token}: {error}")
    print(
        f"{report.computed} scored, {report.kept} kept, {len(report.failed)} failed; "
        f"{job.vocabulary.size} plans, {job.mode}, in {job.directory}"
    )
    return not report.failed


def _verify(directory: Path) -> bool:
    from simengine.rewards.cache_entry import entry_path
    from simengine.rewards.score_cache import ScoreCache

    cache, broken = ScoreCache(directory), 0
    with progress_bar("verifying", len(cache)) as step:
        for token, error in cache.verify():
            step()
            if error:
                broken += 1
                print(f"broken {token}: {error}")
                entry_path(directory, cache.index.keys[token]).unlink(missing_ok=True)
    print(f"{len(cache) - broken} of {len(cache)} files are as they were written")
    return not broken


def _export(path: Path, directory: Path, split: str) -> None:
    from simengine.rewards.cache_pickle import export_cache
    from simengine.rewards.score_cache import ScoreCache
    from simengine.scenario.splits import load_index

    cache = ScoreCache(directory)
    wanted = list(cache) if split == NO_SPLIT else [handle.token for handle in load_index(Path(split))]
    there = [token for token in wanted if token in cache]
    print(f"{export_cache(cache, path, there)} of {len(wanted)} tokens exported to {path}")
