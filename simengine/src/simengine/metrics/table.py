"""Score tables as files: `scores.csv`, the compatible averages file and `summary.json`.

All files are the same bytes for the same rows: sorted by token, fixed float format, no times.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically
from simengine.metrics.episode import SUB_SCORES
from simengine.metrics.row import FLOAT_FIELDS, NAN, SCORE_COLUMNS, Row, ScoreRow, is_known
from simengine.metrics.summary import summarize

COLUMNS = (
    "token",
    "status",
    *SCORE_COLUMNS,
    "first_violation_time",
    "first_violation_step",
    "blame",
    "reasons",
    "mode",
    "protocol",
    "traffic",
    "seed",
    "record_hash",
    "error",
)
COMPAT_COLUMNS = ("token", "step", *SUB_SCORES, "score", "first_violation_step")
COMPAT_STEP = 11

AnyRow = TypeVar("AnyRow", bound=Row)


def sort_rows(rows: Iterable[AnyRow]) -> list[AnyRow]:
    """Return rows by token; the last of several rows of one token wins."""
    return [row for _, row in sorted({row.token: row for row in rows}.items())]


def scores_csv(rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> bytes:
    """Return the bytes of `scores.csv`: one line per token, empty cells for what is not known."""
    lines = [[_cell(getattr(row, name), name) for name in columns] for row in sort_rows(rows)]
    return _csv(columns, lines)


def scores_hash(rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> str:
    """Return 16 hex digits over the bytes of `scores.csv`."""
    return hashlib.sha256(scores_csv(rows, columns)).hexdigest()[:16]


def write_scores_csv(path: Path, rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> str:
    """Write `scores.csv` and return its hash."""
    rows = sort_rows(rows)
    write_atomically(path, scores_csv(rows, columns))
    return scores_hash(rows, columns)


def read_scores_csv(path: Path) -> list[ScoreRow]:
    """Return the rows of a `scores.csv`."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ScenarioFormatError(
                f"{path} has columns {reader.fieldnames}, expected {list(COLUMNS)}: "
                "write it again with this version"
            )
        try:
            return [ScoreRow(**{name: _value(text, name) for name, text in line.items()}) for line in reader]
        except (ValueError, TypeError, AttributeError) as error:
            raise ScenarioFormatError(
                f"{path} has a cell that cannot be read ({error}), expected numbers and JSON: write it again"
            ) from None


def write_compat_csv(path: Path, rows: Iterable[ScoreRow], ids: Mapping[str, str] | None = None) -> None:
    """Write the averages file that existing tools read: scored rows, then `overall_average`.

    Failed rows are left out, as there; means skip empty cells.

    Args:
        path: of the file.
        rows: in any order.
        ids: token -> scenario id, by which the original names its rows; who has none keeps the token.
    """
    ids = ids or {}
    lines, values = [], []
    for row in sort_rows(rows):
        if row.status != "ok":
            continue
        step = float(row.first_violation_step) if row.first_violation_step >= 0 else NAN
        numbers = [float(COMPAT_STEP), *(getattr(row, n) for n in (*SUB_SCORES, "score")), step]
        values.append(numbers)
        lines.append([ids.get(row.token, row.token), *(f"{x:.5f}" if is_known(x) else "" for x in numbers)])
    table = np.array(values).reshape(-1, len(COMPAT_COLUMNS) - 1)
    means = [column[~np.isnan(column)] for column in table.T]
    lines.append(["overall_average", *(f"{m.mean():.5f}" if len(m) else "" for m in means)])
    write_atomically(path, _csv(COMPAT_COLUMNS, lines))


def write_summary_json(
    path: Path,
    rows: Iterable[Row],
    columns: Sequence[str] = COLUMNS,
    score_columns: Sequence[str] = SCORE_COLUMNS,
) -> None:
    """Write means with bootstrap intervals, counts and the hash of the table as `summary.json`."""
    rows = sort_rows(rows)
    content = summarize(rows, score_columns) | {"scores_hash": scores_hash(rows, columns)}
    write_atomically(path, (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode())


def _csv(header: Sequence[str], lines: list[list[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue().encode()


def _cell(value: object, name: str) -> str:
    if isinstance(value, float):
        return f"{value:.6f}" if is_known(value) else ""
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True) if value else ""
    if name == "first_violation_step" and value == -1:
        return ""
    return str(value)


def _value(text: str, name: str) -> object:
    if name in FLOAT_FIELDS:
        return float(text) if text else NAN
    if name == "reasons":
        return json.loads(text) if text else {}
    if name == "first_violation_step":
        return int(text) if text else -1
    return int(text) if name == "seed" else text


assert {item.name for item in fields(ScoreRow)} == set(COLUMNS), "scores.csv must hold every field of a row"
