"""A comparison as plain values, and as files for other tools."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from algengine.evaluation.compare import TOLERANCE, Comparison
from algengine.evaluation.score_table import ScoreTable
from simengine.errors import ConfigError
from simengine.files.atomic import write_atomically
from simengine.metrics.summary import RESAMPLES

SUFFIXES = (".json", ".csv")


def require_writable(path: Path) -> None:
    """Raise `ConfigError` unless the ending of `path` says what to write."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"--output is {path}, expected a name that ends in .json or .csv")


def write_comparison(path: Path, comparison: Comparison, by: str) -> None:
    """Write a comparison as JSON (everything) or CSV (one row per scenario of either table)."""
    require_writable(path)
    if path.suffix == ".json":
        text = json.dumps(comparison_values(comparison, by), indent=1, allow_nan=False) + "\n"
    else:
        text = _rows(comparison)
    write_atomically(path, text.encode())


def comparison_values(comparison: Comparison, by: str) -> dict:
    """Return a comparison as plain values; `by` is the column that decides who got better or worse."""
    gained = changes(comparison, by)
    failed = (comparison.a.failed, comparison.b.failed)
    return {
        "a": comparison.a.name,
        "b": comparison.b.name,
        "interval": {
            "of": "mean of b - a over common scenarios",
            "level": 0.95,
            "method": "paired percentile bootstrap",
            "resamples": RESAMPLES,
            "seed": comparison.seed,
        },
        "counts": {
            "common": len(comparison.tokens),
            "only_a": len(comparison.only_a),
            "only_b": len(comparison.only_b),
            "failed_a": int(failed[0].sum()),
            "failed_b": int(failed[1].sum()),
            "failed_both": int((failed[0] & failed[1]).sum()),
        },
        "notes": list(comparison.notes),
        "columns": {
            name: {k: v for k, v in asdict(column).items() if k != "name"}
            | {"same": column.same, "verdict": column.verdict}
            for name, column in comparison.columns.items()
        },
        "by": by,
        "better": [change for change in gained if change["gain"] > 0],
        "worse": sorted((c for c in gained if c["gain"] < 0), key=lambda c: (c["gain"], c["token"])),
        "only_a": list(comparison.only_a),
        "only_b": list(comparison.only_b),
        "failed_a": _names(comparison, failed[0]),
        "failed_b": _names(comparison, failed[1]),
    }


def changes(comparison: Comparison, by: str) -> list[dict]:
    """Return the scenarios whose `by` changed, largest gain of b first: token, a, b, gain, and blame where known."""
    sign = -1.0 if comparison.columns[by].lower_is_better else 1.0
    gains = sign * comparison.differences(by)
    rows = [row for row in range(len(gains)) if abs(gains[row]) > TOLERANCE]
    rows.sort(key=lambda row: (-gains[row], comparison.tokens[row]))
    return [
        {
            "token": comparison.tokens[row],
            "a": float(comparison.a.columns[by][row]),
            "b": float(comparison.b.columns[by][row]),
            "gain": float(gains[row]),
            "blame_a": _label(comparison.a, row),
            "blame_b": _label(comparison.b, row),
        }
        for row in rows
    ]


def _label(table: ScoreTable, row: int) -> str:
    return table.labels["blame"][row] if "blame" in table.labels else ""


def _names(comparison: Comparison, mask: np.ndarray) -> list[str]:
    return [comparison.tokens[row] for row in np.flatnonzero(mask)]


def _rows(comparison: Comparison) -> str:
    names = list(comparison.columns)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = [f"{name}_{part}" for name in names for part in ("a", "b", "difference")]
    writer.writerow(["token", "status_a", "status_b", *header])
    lines = {token: ["ok", "missing"] for token in comparison.only_a}
    lines |= {token: ["missing", "ok"] for token in comparison.only_b}
    for row, token in enumerate(comparison.tokens):
        status = ["failed" if table.failed[row] else "ok" for table in (comparison.a, comparison.b)]
        values = [
            value
            for name in names
            for a, b in [(comparison.a.columns[name][row], comparison.b.columns[name][row])]
            for value in (a, b, b - a)
        ]
        lines[token] = [*status, *("" if np.isnan(v) else f"{v:.6f}" for v in values)]
    for token in sorted(lines):
        line = lines[token]
        writer.writerow([token, *line, *[""] * (2 + len(header) - len(line))])
    return text.getvalue()
