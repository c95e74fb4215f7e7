"""Shows how a run goes on; plain lines when the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

from simengine.metrics.row import Row
from simengine.progress import make_progress

_SHOWN_TOKENS = 3


class RunningTokens(ProgressColumn):
    """What is being driven at present, and how many scenarios were done per minute so far."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens: tuple[str, ...] = ()

    def watch(self, tokens: Sequence[str]) -> None:
        """Show `tokens` from now on."""
        self._tokens = tuple(tokens)

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        text = ", ".join(self._tokens[:_SHOWN_TOKENS])
        if len(self._tokens) > _SHOWN_TOKENS:
            text += f" and {len(self._tokens) - _SHOWN_TOKENS} more"
        if task.speed:
            text = f"{60 * task.speed:.3g}/min  {text}"
        return Text(text, style="dim")


def track_rows(
    rows: Iterator[Row], total: int, done: int, console: Console, running: RunningTokens | None = None
) -> Iterator[Row]:
    """Yield `rows` while showing how many are done, resumed and failed."""
    if done:
        console.print(f"resuming: {done} of {total} scenarios were done before")
    failed = 0
    with make_progress(console, *([running] if running else [])) as progress:
        task = progress.add_task("scenarios", total=total, completed=done, visible=console.is_terminal)
        for index, row in enumerate(rows, start=done + 1):
            if row.status != "ok":
                failed += 1
                console.print(f"[red]failed[/red] {row.token}: {row.error}", highlight=False)
            elif not console.is_terminal:
                console.print(f"{index}/{total} {row.token}", highlight=False)
            progress.update(task, advance=1, description=f"scenarios ({failed} failed)")
            yield row
