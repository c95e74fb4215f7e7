"""The table `plan_idx.csv`: which vocabulary row was chosen for each frame."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from simengine.bridge.files.folder import PLAN_INDEX_COLUMNS
from simengine.files.atomic import write_atomically

NO_INDEX = -1


class PlanIndex:
    """Rows in order of the decisions; a decision that is made again replaces its row."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[tuple[str, int], int] = {}
        if path.exists():
            with path.open(newline="") as file:
                for row in csv.DictReader(file):
                    self._rows[row["prefix"], int(row["step"])] = int(row["plan_idx"])

    def add(self, prefix: str, step: int, index: int | None) -> None:
        """Enter the choice that leads to frame `step`; -1 for a planner without a vocabulary."""
        known = (prefix, step) in self._rows
        self._rows[prefix, step] = NO_INDEX if index is None else int(index)
        if known or len(self._rows) == 1:
            self._write_all()
            return
        with self._path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow((prefix, step, self._rows[prefix, step]))

    def _write_all(self) -> None:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(PLAN_INDEX_COLUMNS)
        writer.writerows((prefix, step, index) for (prefix, step), index in self._rows.items())
        write_atomically(self._path, buffer.getvalue().encode())
