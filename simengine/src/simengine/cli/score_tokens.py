"""Scores the plans of many scenarios in several processes; a metric is what differs between scores."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields

from simengine.child_process import follow_parent, interrupts_ignored
from simengine.datatypes.plan import Plan
from simengine.errors import SimEngineError
from simengine.metrics.open_loop import extended
from simengine.metrics.open_loop.extended import ExtendedPlanScore, ExtendedRow, in_pairs, score_plan_extended
from simengine.metrics.open_loop.record import PROTOCOL
from simengine.metrics.open_loop.score import PlanScore, score_plan
from simengine.metrics.row import SCORE_COLUMNS, failed_row
from simengine.metrics.table import COLUMNS
from simengine.pdm_closed.extended_reference import extended_reference
from simengine.pdm_closed.reference import pdm_closed_reference
from simengine.runner.handle import Handle

Scored = PlanScore | ExtendedPlanScore


@dataclass(frozen=True)
class Metric:
    """A scoring mode with its table.

    Attributes:
        mode: its name.
        is_extended: whether it is a mode of the extended score.
    """

    mode: str
    is_extended: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of `scores.csv`."""
        return tuple(field.name for field in fields(ExtendedRow)) if self.is_extended else COLUMNS

    @property
    def score_columns(self) -> tuple[str, ...]:
        """Those of them that hold scores."""
        return extended.SCORE_COLUMNS if self.is_extended else SCORE_COLUMNS

    def score(self, handle: Handle, plan: Plan) -> Scored:
        """Return the score of one plan; whatever goes wrong with it becomes a failed row.

        One broken scenario must not end an evaluation: like the worker of a closed-loop run, this catches everything.
        """
        try:
            scenario = handle.load()
            if self.is_extended:
                return score_plan_extended(scenario, plan, self.mode, extended_reference)
            return score_plan(scenario, plan, self.mode, pdm_closed_reference)
        except Exception as error:  # noqa: BLE001
            return self.failed(handle.token, f"{type(error).__name__}: {error}")

    def failed(self, token: str, error: str) -> PlanScore:
        """Return the row of a scenario without a score, and no blames."""
        row = failed_row(token, error, mode=self.mode, protocol=PROTOCOL, traffic="NR")
        if self.is_extended:
            return PlanScore(ExtendedRow(token, "failed", mode=self.mode, error=row.error), ())
        return PlanScore(row, ())

    def finish(self, scored: Sequence[Scored]) -> list[Scored]:
        """Return the scores by token, with what only all of them together tell: comfort between frames of a log."""
        scored = sorted(scored, key=lambda one: one.row.token)
        frames = [one for one in scored if isinstance(one, ExtendedPlanScore)]
        others = [one for one in scored if not isinstance(one, ExtendedPlanScore)]
        return others + (in_pairs(frames, self.mode) if frames else [])


METRICS: Mapping[str, Metric] = {
    "navsim_v1": Metric("navsim_v1"),
    "corrected": Metric("corrected"),
    "epdms": Metric("epdms", is_extended=True),
    "epdms_corrected": Metric("epdms_corrected", is_extended=True),
}


def score_tokens(
    handles: Sequence[Handle], plans: Mapping[str, Plan], metric: Metric, workers: int
) -> Iterator[Scored]:
    """Yield the score of each scenario in order of completion; values do not depend on the number of processes.

    Raises:
        SimEngineError: a process died, for example for want of memory.
    """
    workers = min(workers, len(handles))
    if workers <= 1:
        yield from (metric.score(handle, plans[handle.token]) for handle in handles)
        return
    # Spawned workers inherit no threads or locks.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), follow_parent)
    try:
        with interrupts_ignored():
            jobs = [pool.submit(metric.score, handle, plans[handle.token]) for handle in handles]
        for job in as_completed(jobs):
            yield job.result()
    except BrokenProcessPool as error:
        raise SimEngineError(
            f"a worker process died ({error}), expected it to finish: try fewer --workers if memory ran out"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
