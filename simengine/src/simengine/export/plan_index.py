"""The table `plan_idx.csv`: which vocabulary row was chosen for each frame; columns `prefix, step, plan_idx`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from simengine.bridge.files.folder import PLAN_INDEX_COLUMNS
from simengine.datatypes.plan import Plan
from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically
from simengine.rewards.vocabulary import Vocabulary

PlanRows = dict[tuple[str, int], int]
"""(scene token, frame that the plan leads to) -> vocabulary row."""


def nearest_plan(vocabulary: Vocabulary, plan: Plan) -> int:
    """Return the row whose positions are closest to those of `plan`: least mean squared distance over both horizons."""
    reach = min(plan.horizon, vocabulary.plans.shape[1] * vocabulary.dt)
    times = vocabulary.dt * np.arange(1, int(reach / vocabulary.dt + 1e-6) + 1)
    knots = plan.dt * np.arange(len(plan.poses) + 1)
    xy = np.concatenate([np.zeros((1, 2)), plan.poses[:, :2]])
    wanted = np.stack([np.interp(times, knots, column) for column in xy.T], axis=1)
    gap = vocabulary.plans[:, : len(times), :2] - wanted
    return int(np.argmin((gap**2).sum(-1).mean(-1)))


def read_plan_rows(folder: Path) -> tuple[PlanRows, dict[str, str]]:
    """Return the rows that scenarios left in `folder`, in order of their tokens, and token -> scenario id."""
    rows: PlanRows = {}
    ids: dict[str, str] = {}
    for path in sorted(Path(folder).glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        ids[body["token"]] = body["scenario_id"]
        rows |= {(body["prefix"], step): index for step, index in body["rows"]}
    return rows, ids


def read_plan_index(path: Path) -> PlanRows:
    """Return the rows of a table; none if there is no such file. Of several rows of one frame the last one holds.

    Raises:
        ScenarioFormatError: it has other columns or cells.
    """
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {(r["prefix"], int(r["step"])): int(r["plan_idx"]) for r in csv.DictReader(file)}
    except (KeyError, TypeError, ValueError) as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error}), expected columns {', '.join(PLAN_INDEX_COLUMNS)}: delete its last line "
            "if it is cut off"
        ) from None


def write_plan_index(rows: PlanRows, *paths: Path) -> None:
    """Write the same table to each of `paths`, atomically; rows sorted, so that equal rows are equal bytes."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(PLAN_INDEX_COLUMNS)
    table.writerows((prefix, step, index) for (prefix, step), index in sorted(rows.items()))
    for path in paths:
        write_atomically(path, text.getvalue().encode())
