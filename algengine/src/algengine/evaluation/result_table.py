"""Results as files: the published columns first, then ours; means with intervals; plans."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algengine.evaluation.prediction import Prediction
from algengine.evaluation.scoring import PLAN_DT, PlanResult
from simengine.files.atomic import write_atomically
from simengine.metrics.summary import RESAMPLES, bootstrap_interval

PUBLISHED_COLUMNS = (
    "ade_4s",
    "fde_4s",
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "ego_progress",
    "time_to_collision_within_bound",
    "comfort",
    "score",
)
OWN_COLUMNS = ("driving_direction_compliance",)
NUMBERS = (*PUBLISHED_COLUMNS, *OWN_COLUMNS)
LABELS = ("plan_index", "log_name", "status", "mode", "protocol", "blame", "error")
AVERAGE = "average"
PROTOCOL = "open_loop"


@dataclass(frozen=True)
class ResultRow:
    """One token: what was chosen and what it scores."""

    chosen: Prediction
    scored: PlanResult

    @property
    def token(self) -> str:
        """Of the frame or scenario."""
        return self.chosen.token

    @property
    def error(self) -> str:
        """Why something is missing, "" if nothing is."""
        return self.chosen.error or self.scored.error

    def number(self, name: str) -> float:
        """Return a column of `NUMBERS`, NaN if it is not known."""
        return getattr(self.chosen, name) if name in ("ade_4s", "fde_4s") else self.scored.value(name)

    def label(self, name: str) -> str:
        """Return a column of `LABELS`."""
        labels = {
            "plan_index": str(self.chosen.plan_index),
            "log_name": self.chosen.log_name,
            "status": "failed" if self.error else "ok",
            "mode": self.scored.mode,
            "protocol": PROTOCOL,
            "blame": self.scored.blame,
            "error": self.error,
        }
        return labels[name]


def write_results(path: Path, rows: Sequence[ResultRow]) -> None:
    """Write the table: numbers with four decimals, empty cells for what is not known, means in a last row."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("token", *NUMBERS, *LABELS))
    for row in rows:
        table.writerow([row.token, *(_cell(row.number(n)) for n in NUMBERS), *(row.label(n) for n in LABELS)])
    means = [_cell(_mean(values(rows, name))) for name in NUMBERS]
    table.writerow([AVERAGE, *means, *("" for _ in LABELS)])
    write_atomically(path, text.getvalue().encode())


def write_plans(path: Path, rows: Sequence[ResultRow]) -> None:
    """Write all plans at 2 Hz as `simengine score` takes them, see docs/score_command.md."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("token", "t", "x", "y", "yaw"))
    for row in rows:
        for k in range(4, len(row.chosen.poses), 5):
            x, y, yaw = row.chosen.poses[k]
            table.writerow((row.token, f"{PLAN_DT * (k + 1):.1f}", f"{x:.4f}", f"{y:.4f}", f"{yaw:.6f}"))
    write_atomically(path, text.getvalue().encode())


def summary(rows: Sequence[ResultRow], about: dict) -> dict:
    """Return counts, and mean, 95 % bootstrap interval and number of known values for each column."""
    columns = {}
    for name in NUMBERS:
        known = values(rows, name)
        low, high = bootstrap_interval(known) if len(known) else (None, None)
        columns[name] = {"mean": _none(_mean(known)), "low": low, "high": high, "n": len(known)}
    failed = sum(bool(row.error) for row in rows)
    return {
        **about,
        "counts": {"total": len(rows), "ok": len(rows) - failed, "failed": failed},
        "columns": columns,
        "interval": {"level": 0.95, "method": "percentile bootstrap", "resamples": RESAMPLES, "seed": 0},
    }


def write_summary(path: Path, content: dict) -> None:
    """Write a summary as JSON."""
    write_atomically(path, (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())


def values(rows: Sequence[ResultRow], name: str) -> np.ndarray:
    """Return the known values of a column."""
    found = np.array([row.number(name) for row in rows if not row.error], np.float64)
    return found[~np.isnan(found)]


def _mean(known: np.ndarray) -> float:
    return float(known.mean()) if len(known) else float("nan")


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4f}"


def _none(value: float) -> float | None:
    return None if np.isnan(value) else value
