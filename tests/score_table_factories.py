"""Score tables as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

RULE_COLUMNS = ("token", "no_at_fault_collisions", "drivable_area_compliance", "ego_progress")


def write_table(path: Path, rows: Iterable[Iterable[object]], columns: Iterable[str] = RULE_COLUMNS) -> Path:
    """Write a CSV file and return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path
