"""The table at the end of a run, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from simengine.metrics.row import SCORE_COLUMNS, Row, is_known
from simengine.metrics.summary import summarize
from simengine.metrics.table import sort_rows

MAX_LISTED = 20
# Without these a total is missing for another reason, or it is not missing.
_CONSEQUENCES = ("success", "score", "two_frame_extended_comfort")


def score_table(rows: Iterable[Row], columns: Sequence[str] = SCORE_COLUMNS) -> RenderableType:
    """Return a line per score column (mean, interval, n, all in percent), then what failed."""
    rows = sort_rows(rows)
    summary = summarize(rows, columns)
    counts = summary["counts"]
    labels = " · ".join(", ".join(summary[name]) for name in ("mode", "protocol", "traffic") if summary[name])
    table = Table(title=f"PDM scores ({labels})" if labels else "PDM scores", title_justify="left")
    table.add_column("sub-score")
    for heading in ("mean", "95 % interval", "n"):
        table.add_column(heading, justify="right")
    for name in columns:
        column = summary["columns"][name]
        if name == "score":
            table.add_section()
        known = column["mean"] is not None
        interval = f"{100 * column['low']:.1f} – {100 * column['high']:.1f}" if known else "–"
        mean = f"{100 * column['mean']:.1f}" if known else "not known"
        table.add_row(name, mean, interval, str(column["n"]), style="bold" if name == "score" else "")
    parts: list[RenderableType] = [table]
    line = f"{counts['ok']} of {counts['total']} scenarios scored, {counts['failed']} failed"
    if counts["unscored"]:
        line += f", {counts['unscored']} without a total score: {_why_unscored(rows)}"
    parts.append(Text(line))
    failed = [row for row in rows if row.status == "failed"]
    if failed:
        parts.append(_failures(failed))
    return Group(*parts)


def print_scores(
    rows: Iterable[Row], console: Console | None = None, columns: Sequence[str] = SCORE_COLUMNS
) -> None:
    """Print the table on `console`, by default a new one on standard output."""
    (console or Console()).print(score_table(rows, columns))


def _why_unscored(rows: list[Row]) -> str:
    reasons = {
        reason
        for row in rows
        if row.status == "ok" and not is_known(row.score)
        for name, reason in row.reasons.items()
        if name not in _CONSEQUENCES and not is_known(getattr(row, name))
    }
    return "; ".join(sorted(reasons)[:3])


def _failures(failed: list[Row]) -> Table:
    table = Table(title="failed", title_justify="left", title_style="bold red")
    table.add_column("token", no_wrap=True)
    table.add_column("error", overflow="fold")
    for row in failed[:MAX_LISTED]:
        table.add_row(Text(row.token), Text(row.error))
    if len(failed) > MAX_LISTED:
        table.add_row("…", f"and {len(failed) - MAX_LISTED} more, see scores.csv")
    return table
