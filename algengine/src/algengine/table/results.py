"""From score tables of planners to the numbers of the table: means, and differences from the base with intervals.

A planner of a row is trained once per seed and tested in the same scenarios each time. Scenarios are what varies most,
so the seeds are averaged in every scenario and intervals are of the mean difference over scenarios, paired with the
base (see `algengine.evaluation.compare`). How much the seeds differ is told beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from algengine.evaluation.compare import compare_tables
from algengine.evaluation.score_table import ScoreTable


@dataclass(frozen=True)
class Metric:
    """One column of the table.

    Attributes:
        name: for files.
        label: for people.
        loop: `open` or `closed`.
        split: `common` or `rare`.
        column: of the score table.
    """

    name: str
    label: str
    loop: str
    split: str
    column: str


METRICS = (
    Metric("open_common", "Open loop, common: PDMS", "open", "common", "score"),
    Metric("open_rare", "Open loop, rare: PDMS", "open", "rare", "score"),
    Metric("closed_common_success", "Closed loop, common: success", "closed", "common", "success"),
    Metric("closed_common_score", "Closed loop, common: PDMS*", "closed", "common", "score"),
    Metric("closed_rare_success", "Closed loop, rare: success", "closed", "rare", "success"),
    Metric("closed_rare_score", "Closed loop, rare: PDMS*", "closed", "rare", "score"),
)


@dataclass(frozen=True)
class Cell:
    """One number of the table, shares in [0, 1]; None where it is not known.

    Attributes:
        row: name of the recipe.
        metric: what.
        scenarios: that count.
        mean: over seeds and scenarios.
        spread: standard deviation of the seeds' means; None with one seed.
        difference: mean of row - base over the scenarios of both.
        low: lower end of its 95 % interval.
        high: upper end.
        verdict: `better`, `worse`, `not shown`, or `base`.
    """

    row: str
    metric: Metric
    scenarios: int
    mean: float | None
    spread: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str


def make_cells(tables: Mapping[str, Sequence[Mapping[str, ScoreTable]]], base: str) -> list[Cell]:
    """Return all cells, row by row.

    Args:
        tables: row -> for each seed the score tables by loop (`open`, `closed`).
        base: name of the row to compare with.
    """
    cells = []
    for row, seeds in tables.items():
        for metric in METRICS:
            ours = [only(seed[metric.loop], metric) for seed in seeds]
            theirs = averaged([only(seed[metric.loop], metric) for seed in tables[base]])
            cells.append(_cell(row, metric, ours, theirs, row == base))
    return cells


@dataclass(frozen=True)
class PairDifference:
    """How one row does against another.

    Attributes:
        row: name of the recipe.
        other: name of the recipe that it is compared with.
        metric: what.
        difference: mean of row - other over the scenarios of both.
        low: lower end of its 95 % interval; None if there are too few scenarios.
        high: upper end.
        verdict: see `Cell`.
    """

    row: str
    other: str
    metric: Metric
    difference: float
    low: float | None
    high: float | None
    verdict: str


def compare_rows(
    tables: Mapping[str, Sequence[Mapping[str, ScoreTable]]], pairs: Sequence[tuple[str, str]], split: str
) -> list[PairDifference]:
    """Return the closed-loop differences of pairs of rows on a split; pairs of which a row is missing are left out."""
    metrics = [metric for metric in METRICS if (metric.loop, metric.split) == ("closed", split)]
    found = []
    for row, other in pairs:
        if row not in tables or other not in tables:
            continue
        for metric in metrics:
            theirs, ours = (
                averaged([only(seed["closed"], metric) for seed in tables[name]]) for name in (other, row)
            )
            gain = compare_tables(theirs, ours).columns[metric.column]
            if gain.difference is not None:
                found.append(
                    PairDifference(row, other, metric, gain.difference, gain.low, gain.high, gain.verdict)
                )
    return found


def only(table: ScoreTable, metric: Metric) -> ScoreTable:
    """Return the scenarios of the metric's split, and its column."""
    rows = [i for i, token in enumerate(table.tokens) if token.startswith(metric.split)]
    return replace(
        table,
        tokens=tuple(table.tokens[i] for i in rows),
        columns={metric.column: table.columns[metric.column][rows]},
        failed=table.failed[rows],
        labels={},
    )


def averaged(tables: Sequence[ScoreTable]) -> ScoreTable:
    """Return the mean of tables of the same scenarios; a scenario that failed once has none."""
    first = tables[0]
    same = [_in_order(table, first.tokens) for table in tables]
    columns = {
        name: np.mean([np.where(t.failed, np.nan, t.columns[name]) for t in same], axis=0)
        for name in first.columns
    }
    return replace(first, columns=columns, failed=np.any([t.failed for t in same], axis=0))


def _in_order(table: ScoreTable, tokens: tuple[str, ...]) -> ScoreTable:
    place = {token: i for i, token in enumerate(table.tokens)}
    rows = [place[token] for token in tokens]
    columns = {name: values[rows] for name, values in table.columns.items()}
    return replace(table, tokens=tokens, columns=columns, failed=table.failed[rows])


def _cell(row: str, metric: Metric, ours: Sequence[ScoreTable], base: ScoreTable, is_base: bool) -> Cell:
    mean = averaged(ours)
    values = mean.columns[metric.column]
    known = ~np.isnan(values)
    same = [_in_order(table, mean.tokens) for table in ours]
    each = [float(table.columns[metric.column][known].mean()) for table in same] if known.any() else []
    spread = float(np.std(each, ddof=1)) if len(each) > 1 else None
    average = float(values[known].mean()) if known.any() else None
    cell = Cell(row, metric, int(known.sum()), average, spread, None, None, None, "base")
    if is_base:
        return cell
    found = compare_tables(base, mean).columns[metric.column]
    return replace(cell, difference=found.difference, low=found.low, high=found.high, verdict=found.verdict)
