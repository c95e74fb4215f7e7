"""The table as files: Markdown for people, CSV for tools. The same numbers give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from algengine.table.results import METRICS, Cell, Gain, PairDifference
from simengine.files.atomic import write_atomically

_HEADER = ("row", "label", "metric", "loop", "split", "column", "scenarios", "seeds")
_NUMBERS = ("mean", "spread", "difference", "low", "high")


def write_csv(path: Path, cells: Sequence[Cell], labels: Mapping[str, str], seeds: Mapping[str, int]) -> None:
    """Write one line per cell; shares in [0, 1], what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_HEADER, *_NUMBERS, "verdict"])
    for cell in cells:
        m = cell.metric
        facts = [
            cell.row,
            labels[cell.row],
            m.name,
            m.loop,
            m.split,
            m.column,
            cell.scenarios,
            seeds[cell.row],
        ]
        gain = cell.gain or Gain()
        numbers = (cell.mean, cell.spread, gain.difference, gain.low, gain.high)
        verdict = gain.verdict if cell.gain else "base"
        writer.writerow([*facts, *("" if v is None else f"{v:.6f}" for v in numbers), verdict])
    write_atomically(path, text.getvalue().encode())


def write_markdown(
    path: Path,
    cells: Sequence[Cell],
    pairs: Sequence[PairDifference],
    labels: Mapping[str, str],
    notes: Sequence[str],
) -> None:
    """Write a line per row: percent, and difference from the base with its interval; bold where it excludes 0.

    Then a line for each pair of rows that are compared with each other, if there are any.
    """
    found = {(cell.row, cell.metric.name): cell for cell in cells}
    lines = ["# Post-training on the built-in world", ""]
    lines += ["| | " + " | ".join(metric.label for metric in METRICS) + " |"]
    lines += ["|---" * (len(METRICS) + 1) + "|"]
    for row, label in labels.items():
        lines.append(f"| {label} | " + " | ".join(_shown(found[row, m.name]) for m in METRICS) + " |")
    lines += ["", *(f"* {note}" for note in notes)]
    if pairs:
        lines += ["", "| Compared with each other | | |", "|---|---|---|"]
        lines += [
            f"| {labels[p.row]} - {labels[p.other]} | {p.metric.label} | {_difference(p.gain)} |"
            for p in pairs
        ]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def _shown(cell: Cell) -> str:
    if cell.mean is None:
        return "not known"
    text = f"{100 * cell.mean:.1f}"
    if cell.spread is not None:
        text += f" (seeds {100 * cell.spread:.1f})"
    if cell.gain is None or cell.gain.difference is None:
        return text
    return f"{text}<br>{_difference(cell.gain)}"


def _difference(gain: Gain) -> str:
    text = f"{100 * gain.difference:+.1f}"
    if gain.low is not None and gain.high is not None:
        text += f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    return text if gain.verdict == "not shown" else f"**{text}**"
