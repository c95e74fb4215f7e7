"""The progress bar of long work, the same for every command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_PLAIN_LINES = 10


def make_progress(console: Console, *more: ProgressColumn, hidden: bool = False) -> Progress:
    """Return the bar every command uses: count, time left, and what else a command has to tell."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        *more,
        console=console,
        disable=hidden,
    )


@contextmanager
def progress_bar(what: str, total: int | None, shown: bool = True) -> Iterator[Callable[[], None]]:
    """Give a function to call after each piece of work; it moves a bar on standard error.

    Where that is no terminal, a line is printed ten times in all.

    Args:
        what: is being done.
        total: pieces of work, None if unknown.
        shown: False for all but one of several processes.
    """
    console = Console(stderr=True)
    with make_progress(console, hidden=not (shown and console.is_terminal)) as progress:
        task, done = progress.add_task(what, total=total), 0

        def advance() -> None:
            nonlocal done
            done += 1
            progress.advance(task)
            if shown and not console.is_terminal and total and _part(done, total) > _part(done - 1, total):
                console.print(f"{what} {done}/{total}", highlight=False)

        yield advance


def _part(done: int, total: int) -> int:
    return done * _PLAIN_LINES // total
