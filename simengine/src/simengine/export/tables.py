"""The tables of the original's output folder: scores with their average, reward files, chosen vocabulary rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from simengine.errors import ScenarioFormatError
from simengine.export.layout import PLAN_INDEX, OpenSceneFolder
from simengine.export.plan_index import read_plan_index, read_plan_rows, write_plan_index
from simengine.files.atomic import write_atomically
from simengine.metrics.row import ScoreRow
from simengine.metrics.table import COMPAT_COLUMNS, write_compat_csv
from simengine.rewards.pdms_pkl import index_folder, write_pdms_index

AVERAGE = "overall_average"


def write_tables(folder: OpenSceneFolder, traffic: str, rows: Iterable[ScoreRow]) -> None:
    """Write all tables of a finished run from what its scenarios left.

    Args:
        folder: its output.
        traffic: `NR` or `R`.
        rows: scores; empty if nothing was scored, then there is no table of them.
    """
    chosen, ids = read_plan_rows(folder.plan_rows)
    # A planner that shares the folder has written its own table.
    chosen = read_plan_index(folder.plan_index) | chosen
    if chosen:
        write_plan_index(chosen, folder.plan_index, folder.pdms_pkl / PLAN_INDEX)
    rows = list(rows)
    if rows:
        write_compat_csv(folder.averages(traffic), rows, ids)
    write_reward_index(folder, traffic)


def write_reward_index(folder: OpenSceneFolder, traffic: str) -> None:
    """Write the table of the reward files that are there, paths relative to the folder; none without rewards."""
    files = index_folder(folder.pdms_pkl, folder.root)
    if files:
        write_pdms_index(folder.reward_index(traffic), files)


def read_averages(path: Path) -> dict[str, list[str]]:
    """Return scenario id -> cells of a score table, without the row of averages wherever it is.

    Raises:
        ScenarioFormatError: the file has other columns or cells that are no numbers.
    """
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines or tuple(lines[0]) != COMPAT_COLUMNS:
        raise ScenarioFormatError(
            f"{path} has columns {lines[0] if lines else []}, expected {list(COMPAT_COLUMNS)}: is it a score table?"
        )
    rows = {line[0]: line[1:] for line in lines[1:] if line and line[0] != AVERAGE}
    for token, cells in rows.items():
        try:
            complete = len(cells) == len(COMPAT_COLUMNS) - 1 and [float(cell) for cell in cells if cell]
        except ValueError:
            complete = None
        if not complete:
            raise ScenarioFormatError(
                f"{path}: the row of {token} is cut off or no row of numbers, expected {len(COMPAT_COLUMNS) - 1} of "
                "them: run that part again"
            )
    return rows


def write_averages(path: Path, rows: Mapping[str, list[str]]) -> None:
    """Write a score table, rows in the given order, `overall_average` last; means skip empty cells."""
    numbers = [[f"{float(cell):.5f}" if cell else "" for cell in cells] for cells in rows.values()]
    columns = [
        [float(cell) for cell in column if cell] for column in zip(*numbers, strict=True) if numbers
    ] or [[] for _ in COMPAT_COLUMNS[1:]]
    means = [f"{sum(column) / len(column):.5f}" if column else "" for column in columns]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COMPAT_COLUMNS)
    table.writerows([token, *cells] for token, cells in zip(rows, numbers, strict=True))
    table.writerow([AVERAGE, *means])
    write_atomically(path, text.getvalue().encode())
