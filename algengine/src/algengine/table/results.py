"""From score tables of planners to the numbers of the table: means, and differences from the base with intervals.

A planner of a row is trained once per seed and tested in the same scenarios each time, those of the base. Intervals say
what other scenarios and other seeds would give, see `paired_interval`; how much the seeds differ is told beside them.

T trainings, N scenarios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from algengine.evaluation.score_table import ScoreTable
from algengine.table.interval import paired_interval

Tables = Mapping[str, Sequence[Mapping[str, ScoreTable]]]
"""Row -> for each seed the score tables by loop (`open`, `closed`)."""


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
class Gain:
    """How much better one row is than another, shares in [0, 1]; None where it is not known.

    Attributes:
        difference: mean of row - other over the scenarios that both know.
        low: lower end of its 95 % interval; None with fewer than two scenarios.
        high: upper end.
    """

    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> str:
        """`better` or `worse` if the interval excludes 0, else `not shown`."""
        if self.low is None or self.high is None or self.low <= 0.0 <= self.high:
            return "not shown"
        return "better" if self.low > 0.0 else "worse"


@dataclass(frozen=True)
class Cell:
    """One number of the table, shares in [0, 1]; None where it is not known.

    Attributes:
        row: name of the recipe.
        metric: what.
        scenarios: that count.
        mean: over seeds and scenarios.
        spread: standard deviation of the seeds' means; None with one seed.
        gain: over the base; None for the base itself.
    """

    row: str
    metric: Metric
    scenarios: int
    mean: float | None
    spread: float | None
    gain: Gain | None


@dataclass(frozen=True)
class PairDifference:
    """How one row does against another.

    Attributes:
        row: name of the recipe.
        other: name of the recipe that it is compared with.
        metric: what.
        gain: of the row over the other.
    """

    row: str
    other: str
    metric: Metric
    gain: Gain


def make_cells(tables: Tables, base: str) -> list[Cell]:
    """Return all cells, row by row.

    Args:
        tables: of all rows.
        base: name of the row to compare with.
    """
    return [_cell(tables, row, base, metric) for row in tables for metric in METRICS]


def compare_rows(tables: Tables, pairs: Sequence[tuple[str, str]], split: str) -> list[PairDifference]:
    """Return the closed-loop differences of pairs of rows on a split; pairs of which a row is missing are left out."""
    metrics = [metric for metric in METRICS if (metric.loop, metric.split) == ("closed", split)]
    return [
        PairDifference(row, other, metric, gain)
        for row, other in pairs
        if row in tables and other in tables
        for metric in metrics
        for gain in [gain_of(values_of(tables[row], metric), values_of(tables[other], metric))]
        if gain.difference is not None
    ]


def values_of(seeds: Sequence[Mapping[str, ScoreTable]], metric: Metric) -> np.ndarray:
    """Return the metric (T, N) of a row, scenarios of its split in order of their tokens; NaN where a drive failed."""
    tables = [seed[metric.loop] for seed in seeds]
    tokens = sorted(token for token in tables[0].tokens if token.startswith(metric.split))
    rows = []
    for table in tables:
        values = np.where(table.failed, np.nan, table.columns[metric.column])
        place = {token: i for i, token in enumerate(table.tokens)}
        rows.append(values[[place[token] for token in tokens]])
    return np.stack(rows)


def gain_of(ours: np.ndarray, theirs: np.ndarray) -> Gain:
    """Return the gain of a row (T, N) over another (T', N); a scenario that failed with one training counts nowhere."""
    known = ~np.isnan(np.concatenate([ours, theirs])).any(axis=0)
    if not known.any():
        return Gain()
    ours, theirs = ours[:, known], theirs[:, known]
    ends = paired_interval(ours, theirs) if known.sum() > 1 else (None, None)
    return Gain(float(ours.mean() - theirs.mean()), *ends)


def _cell(tables: Tables, row: str, base: str, metric: Metric) -> Cell:
    values = values_of(tables[row], metric)
    gain = None if row == base else gain_of(values, values_of(tables[base], metric))
    values = values[:, ~np.isnan(values).any(axis=0)]
    count = values.shape[1]
    mean = float(values.mean()) if count else None
    spread = float(np.std(values.mean(axis=1), ddof=1)) if count and len(values) > 1 else None
    return Cell(row, metric, count, mean, spread, gain)
