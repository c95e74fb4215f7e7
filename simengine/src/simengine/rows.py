"""Runs compiled loops over the rows of a batch on a few threads.

Kernels that release the interpreter lock are given ranges of rows; every row is computed by the same
instructions whatever the ranges, so results do not depend on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

SMALL = 256
"""Up to so many rows, starting threads costs more than it saves."""


def for_rows(work: Callable[[int, int], object], count: int, threads: int | None = None) -> None:
    """Call `work(first, last)` for ranges that cover rows 0 to `count`, on `threads` threads.

    Args:
        work: computes the rows `first` to `last - 1` and writes them into arrays of its own.
        count: number of rows.
        threads: how many threads; None takes one per available core.
    """
    threads = len(os.sched_getaffinity(0)) if threads is None else threads
    if threads <= 1 or count <= SMALL:
        work(0, count)
        return
    # More ranges than threads, so that a thread that was held up does not hold up the batch.
    pieces = min(4 * threads, -(-count // SMALL))
    edges = [count * i // pieces for i in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))
