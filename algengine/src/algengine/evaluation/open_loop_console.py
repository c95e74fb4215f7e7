"""The table at the end of an open-loop evaluation, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from algengine.evaluation.result_table import ResultRow

DISTANCES = ("ade_4s", "fde_4s")
MAX_LISTED = 5


def render_results(summary: Mapping, rows: Sequence[ResultRow]) -> RenderableType:
    """Return a line per column with its mean, 95 % interval and number of tokens, and what failed."""
    table = Table(
        title=f"Open loop on {summary['split']} ({summary.get('mode') or 'no scores'})", title_justify="left"
    )
    table.add_column("column")
    for heading in ("mean", "95 % interval", "n"):
        table.add_column(heading, justify="right")
    for name, column in summary["columns"].items():
        if column["mean"] is None:
            table.add_row(name, "not known", "-", "0")
            continue
        scale, unit = (1.0, " m") if name in DISTANCES else (100.0, "")
        interval = f"{scale * column['low']:.2f} - {scale * column['high']:.2f}"
        style = "bold" if name == "score" else ""
        table.add_row(name, f"{scale * column['mean']:.2f}{unit}", interval, str(column["n"]), style=style)
    counts = summary["counts"]
    parts: list[RenderableType] = [table, Text(f"{counts['ok']} of {counts['total']} tokens evaluated")]
    failed = [row for row in rows if row.error]
    parts += [Text(f"failed {row.token}: {row.error}") for row in failed[:MAX_LISTED]]
    if len(failed) > MAX_LISTED:
        parts.append(Text(f"and {len(failed) - MAX_LISTED} more, see the table's column error"))
    return Group(*parts)
