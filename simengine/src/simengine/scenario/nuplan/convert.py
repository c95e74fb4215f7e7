"""Conversion of nuPlan logs and maps to a native split directory: in parallel, resumable, nothing done is lost."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console

from simengine.child_process import follow_parent
from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically
from simengine.progress import make_progress
from simengine.scenario.convert import ConversionReport, check_target, move_into_place
from simengine.scenario.nuplan.converter import (
    ENTRIES_FOLDER,
    Converter,
    ConverterProcess,
    Outcome,
    finished_entry,
)
from simengine.scenario.nuplan.options import NuplanOptions
from simengine.scenario.nuplan.selection import Job, Selection, Skipped, select
from simengine.scenario.splits import write_index

_PLAN_NAME = "plan.json"
_PLAN_VERSION = 1


def convert_nuplan(
    options: NuplanOptions,
    dst: Path,
    *,
    split: str | None = None,
    overwrite: bool = False,
    workers: int = 1,
    progress: bool = True,
) -> ConversionReport:
    """Write scenarios from nuPlan as a native split and return what was read and skipped.

    Work goes to a hidden folder `.<name>.part` beside the destination and is renamed at the end. Whatever ends a
    conversion early (Ctrl-C, a full disk, a killed process) leaves it there; the same call goes on from it.

    Args:
        options: sources and cut.
        dst: the split directory to make, or the folder of splits if `split` is given.
        split: name of the split below `dst`.
        overwrite: replace a split that is already there, and an unfinished one made with other options.
        workers: processes; the files do not depend on it.
        progress: show a progress bar on standard error.

    Raises:
        ScenarioFormatError: nothing could be read, the destination exists, or the disk cannot be written.
    """
    target = Path(dst) / split if split else Path(dst)
    check_target(target, overwrite)
    part = target.with_name(f".{target.name}.part")
    try:
        _open_part(part, _plan(options), overwrite)
        with _pool(options, part, workers) as (mapper, run):
            selection = select(options, mapper)
            outcomes = list(_tracked(run(selection.jobs), len(selection.jobs), progress))
        return _finish(part, target, selection, outcomes)
    except OSError as error:
        done = len(list((part / ENTRIES_FOLDER).glob("*.json")))
        raise ScenarioFormatError(
            f"{error.filename or part}: {error.strerror or error}, expected room and permission to write; {done} "
            f"finished scenarios are kept in {part}: make room and run the same command again to go on"
        ) from None
    finally:
        _drop_if_empty(part)


def _plan(options: NuplanOptions) -> dict:
    """Return what decides the result, to tell whether an unfinished conversion can go on."""
    values = {key: str(value) if value is not None else None for key, value in asdict(options).items()}
    for name in ("logs", "map_root", "asset_root", "openscene_root"):
        path = getattr(options, name)
        values[name] = None if path is None else str(Path(path).resolve())
    contents = [path.read_bytes() for path in map(Path, options.filters) if path.is_file()]
    values["filters"] = hashlib.sha256(b"\0".join(contents)).hexdigest()
    return {"version": _PLAN_VERSION, **values}


def _open_part(part: Path, plan: dict, overwrite: bool) -> None:
    """Make the folder of an unfinished conversion, or take up the one that is there."""
    content = (json.dumps(plan, indent=1, sort_keys=True) + "\n").encode()
    path = part / _PLAN_NAME
    if path.is_file() and path.read_bytes() != content:
        if not overwrite:
            raise ScenarioFormatError(
                f"{part}: holds an unfinished conversion with other options, expected the same: finish it with those "
                f"in {_PLAN_NAME} there, or overwrite it"
            )
        shutil.rmtree(part)
    write_atomically(path, content)


def _finish(part: Path, target: Path, selection: Selection, outcomes: list[Outcome]) -> ConversionReport:
    entries = {outcome.entry.token: outcome.entry for outcome in outcomes if outcome.entry is not None}
    skipped = selection.skipped + _failures(selection.jobs, outcomes)
    if not entries:
        _, reason = _failures(selection.jobs, outcomes)[0]
        raise ScenarioFormatError(
            f"none of {len(outcomes)} scenarios could be read, the first because: {reason}"
        )
    write_index(part, [entries[job.token] for job in selection.jobs if job.token in entries])
    shutil.rmtree(part / ENTRIES_FOLDER)
    (part / _PLAN_NAME).unlink()
    # What a killed process was writing.
    for unfinished in part.rglob(".*.tmp"):
        unfinished.unlink()
    move_into_place(part, target)
    return ConversionReport(target, len(entries), skipped)


def _failures(jobs: Iterable[Job], outcomes: Iterable[Outcome]) -> Skipped:
    """Return what failed in the order of `jobs`; one line for all tokens of a log that fail for the same reason."""
    reasons = {outcome.job.token: outcome.reason for outcome in outcomes if outcome.reason}
    failed = [job for job in jobs if job.token in reasons]
    counts = Counter((job.log, reasons[job.token]) for job in failed)
    lines: dict[tuple[Path, str], str] = {}
    for job in failed:
        key = (job.log, reasons[job.token])
        more = f" and {counts[key] - 1} more" if counts[key] > 1 else ""
        lines.setdefault(key, f"{job.log}#{job.token}{more}")
    return [(name, reason) for (_, reason), name in lines.items()]


def _drop_if_empty(part: Path) -> None:
    """Remove a folder in which no scenario was finished."""
    if part.is_dir() and not any((part / ENTRIES_FOLDER).glob("*.json")):
        shutil.rmtree(part, ignore_errors=True)


_Run = Callable[[list[Job]], Iterator[Outcome]]


@contextmanager
def _pool(options: NuplanOptions, part: Path, workers: int) -> Iterator[tuple[Callable[..., Iterable], _Run]]:
    """Yield a `map` for reading logs and a function that runs jobs, both over `workers` processes."""
    build = partial(Converter, options, part)
    if workers <= 1:
        converter = build()
        try:
            yield map, lambda jobs: map(converter.run, jobs)
        finally:
            converter.close()
        return
    # Forked children would inherit threads that do not survive a fork.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (build,))
    try:
        yield partial(pool.map, chunksize=4), lambda jobs: _run_parallel(pool, part, jobs)
    except BrokenProcessPool as error:
        raise ScenarioFormatError(
            f"a worker process died ({error}); finished scenarios are kept in {part}: run the same command again to go "
            "on, with fewer workers if memory ran out"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(build: Callable[[], Converter]) -> None:
    """Prepare a worker process."""
    follow_parent()
    ConverterProcess.start(build)


def _run_parallel(pool: ProcessPoolExecutor, part: Path, jobs: list[Job]) -> Iterator[Outcome]:
    waiting = []
    for job in jobs:
        done = finished_entry(part, job.token)
        if done is None:
            waiting.append(job)
        else:
            yield Outcome(job, done)
    for future in as_completed([pool.submit(ConverterProcess.run, job) for job in waiting]):
        yield future.result()


def _tracked(outcomes: Iterator[Outcome], total: int, progress: bool) -> Iterator[Outcome]:
    with make_progress(Console(stderr=True), hidden=not progress) as bar:
        task, failed = bar.add_task("converting", total=total), 0
        for outcome in outcomes:
            failed += outcome.entry is None
            bar.update(task, advance=1, description=f"converting {outcome.job.token} ({failed} failed)")
            yield outcome
