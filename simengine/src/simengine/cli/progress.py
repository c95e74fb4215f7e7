"""One progress bar for long work; plain lines when the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from simengine.metrics.row import Row


def make_progress(console: Console) -> Progress:
    """Return the bar every command uses: count, rate by time left, and what is being done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def track_rows(rows: Iterator[Row], total: int, done: int, console: Console) -> Iterator[Row]:
    """Yield `rows` while showing how many are done, resumed and failed."""
    if done:
        console.print(f"resuming: {done} of {total} scenarios were done before")
    failed = 0
    with make_progress(console) as progress:
        task = progress.add_task("scenarios", total=total, completed=done, visible=console.is_terminal)
        for index, row in enumerate(rows, start=done + 1):
            if row.status != "ok":
                failed += 1
                console.print(f"[red]failed[/red] {row.token}: {row.error}", highlight=False)
            elif not console.is_terminal:
                console.print(f"{index}/{total} {row.token}", highlight=False)
            progress.update(task, advance=1, description=f"scenarios ({failed} failed)")
            yield row
