"""What was chosen and why: as JSON for tools, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from algengine.datasets.split_file import SplitFile
from algengine.evaluation.score_table import ScoreTable
from algengine.rare_cases.rules import REQUIRED, Selection, overlaps, unknown_rows


def make_report(
    table: ScoreTable,
    base: SplitFile,
    selections: Sequence[Selection],
    inside: np.ndarray,
    files: Sequence[str],
) -> dict:
    """Return the report as plain values.

    Args:
        table: scores.
        base: split that the rare cases were taken from.
        selections: of the rules.
        inside: (N,) bool, rows whose token may be written; all of them when nothing was intersected.
        files: names of the split files, one for each selection.
    """
    chosen = np.any([s.chosen for s in selections], axis=0) & inside
    known = set(base.tokens)
    in_base = np.array([token in known for token in table.tokens], bool)
    return {
        "table": table.name,
        "base_split": base.prefix,
        "counts": {
            "rows": len(table),
            "summary_rows_left_out": table.summary_rows,
            "duplicate_tokens": len(table.duplicates),
            "conflicting_duplicates": len(table.conflicts),
            "failed": int(table.failed.sum()),
            "values_missing": int(unknown_rows(table).sum()),
            "base_tokens": len(base.tokens),
            "base_tokens_without_row": len(known - set(table.tokens)),
            "rows_outside_base": int((~in_base).sum()),
            "chosen": int(chosen.sum()),
        },
        "rules": [_rule(s, inside, file) for s, file in zip(selections, files, strict=True)],
        "overlaps": [
            {"rules": [a, b], "tokens": count} for a, b, count in overlaps(_limited(selections, inside))
        ],
        "chosen": [_reason(table, selections, row) for row in np.flatnonzero(chosen)],
    }


def render_report(report: dict) -> RenderableType:
    """Return the report for a terminal: a line per rule, then what did not go in."""
    counts = report["counts"]
    title = f"rare cases of {report['base_split']} in {report['table']}"
    lines = Table(title=title, title_justify="left")
    lines.add_column("split")
    lines.add_column("rule")
    for heading in ("decided", "EP below", "at the cut", "outside base", "tokens"):
        lines.add_column(heading, justify="right")
    for rule in report["rules"]:
        cut = "" if rule["cut"] is None else f"{rule['cut']:.4f}"
        tied = str(rule["tied_at_cut"]) if rule["cut"] is not None else ""
        lines.add_row(
            rule["name"],
            rule["rule"],
            str(rule["pool"]),
            cut,
            tied,
            str(rule["outside_base"]),
            str(rule["tokens"]),
        )
    shared = [f"{o['tokens']} in both {' and '.join(o['rules'])}" for o in report["overlaps"] if o["tokens"]]
    notes = [", ".join([f"{counts['chosen']} tokens in all", *shared])]
    notes += [text for key, text in _NOTES.items() if counts[key] for text in [f"{counts[key]} {text}"]]
    empty = [rule["name"] for rule in report["rules"] if not rule["tokens"]]
    if empty:
        notes.append(f"empty: {', '.join(empty)}")
    return Group(lines, *(Text(note) for note in notes))


_NOTES = {
    "summary_rows_left_out": "closing rows of means left out",
    "duplicate_tokens": "tokens came more than once, their first row counts",
    "conflicting_duplicates": "of them with different values",
    "failed": "rows failed and were not judged",
    "values_missing": "rows lack a value that a rule needs",
    "base_tokens_without_row": "tokens of the base split have no row",
    "rows_outside_base": "rows are not in the base split",
}


def _limited(selections: Sequence[Selection], inside: np.ndarray) -> list[Selection]:
    return [Selection(s.name, s.rule, s.chosen & inside, s.pool, s.cut, s.tied) for s in selections]


def _rule(selection: Selection, inside: np.ndarray, file: str) -> dict:
    return {
        "name": selection.name,
        "rule": selection.rule,
        "file": file,
        "pool": selection.pool,
        "cut": selection.cut,
        "tied_at_cut": selection.tied,
        "outside_base": int((selection.chosen & ~inside).sum()),
        "tokens": int((selection.chosen & inside).sum()),
    }


def _reason(table: ScoreTable, selections: Sequence[Selection], row: int) -> dict:
    values = {name: float(table.columns[name][row]) for name in REQUIRED}
    return {
        "token": table.tokens[row],
        "rules": [s.name for s in selections if s.chosen[row]],
        **{name: None if np.isnan(value) else value for name, value in values.items()},
    }
