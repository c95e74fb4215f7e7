"""A comparison for people."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from algengine.evaluation.compare import ColumnComparison
from algengine.evaluation.score_table import DISTANCES

_STYLES = {"better": "green", "worse": "red", "not shown": ""}


def render_comparison(values: dict, columns: dict[str, ColumnComparison], listed: int = 10) -> RenderableType:
    """Return a line per column, then who got better and worse, then what could not be compared.

    Args:
        values: of `comparison_values`.
        columns: of the comparison.
        listed: how many scenarios to list per direction.
    """
    counts = values["counts"]
    parts: list[RenderableType] = [_columns(values, columns)]
    parts += [Text(note) for note in values["notes"]]
    for side in ("a", "b"):
        alone, failed = values[f"only_{side}"], counts[f"failed_{side}"]
        if alone:
            parts.append(Text(f"{len(alone)} scenarios only in {side.upper()}: {_short(alone)}"))
        if failed:
            parts.append(Text(f"{failed} failed in {side.upper()}: {_short(values[f'failed_{side}'])}"))
    for direction in ("better", "worse"):
        if values[direction] and listed > 0:
            parts.append(_changes(values, direction, listed))
    return Group(*parts)


def _columns(values: dict, columns: dict[str, ColumnComparison]) -> Table:
    title = f"A {values['a']}\nB {values['b']}\n{values['counts']['common']} scenarios of both"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("sub-score", overflow="fold")
    for heading in ("A", "B", "B - A", "95 %", "n", "wins", "losses"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, column in columns.items():
        scale = 1.0 if name in DISTANCES else 100.0
        digits = 2 if name in DISTANCES else 1
        shown = [
            "-" if value is None else f"{scale * value:{sign}.{digits}f}"
            for value, sign in (
                (column.mean_a, ""),
                (column.mean_b, ""),
                (column.difference, "+"),
                (column.low, "+"),
                (column.high, "+"),
            )
        ]
        interval = "-" if column.low is None else f"{shown[3]} {shown[4]}"
        table.add_row(
            name,
            *shown[:3],
            interval,
            str(column.n),
            str(column.better),
            str(column.worse),
            style=_STYLES[column.verdict],
        )
    return table


def _changes(values: dict, direction: str, listed: int) -> Table:
    rows = values[direction]
    title = f"{direction} in B by {values['by']}: {len(rows)} scenarios"
    table = Table(title=title, title_justify="left")
    for heading in ("token", "A", "B"):
        table.add_column(heading, no_wrap=True)
    blame = "blame_a" if direction == "better" else "blame_b"
    table.add_column(f"blamed in {'A' if direction == 'better' else 'B'}", overflow="fold")
    for row in rows[:listed]:
        table.add_row(Text(row["token"]), f"{row['a']:.3f}", f"{row['b']:.3f}", Text(row[blame]))
    if len(rows) > listed:
        table.add_row("...", "", "", f"and {len(rows) - listed} more: --output or --list")
    return table


def _short(tokens: list[str], limit: int = 5) -> str:
    more = f" and {len(tokens) - limit} more" if len(tokens) > limit else ""
    return ", ".join(tokens[:limit]) + more
