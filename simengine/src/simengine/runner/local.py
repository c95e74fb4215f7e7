"""Runs scenarios one after another in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from simengine.metrics.row import ScoreRow
from simengine.runner.worker import Handle, Worker


def run_sequential(handles: Sequence[Handle], build: Callable[[], Worker]) -> Iterator[ScoreRow]:
    """Yield the row of each scenario as it is done."""
    worker = build()
    try:
        for handle in handles:
            yield worker.run(handle)
    finally:
        worker.close()
