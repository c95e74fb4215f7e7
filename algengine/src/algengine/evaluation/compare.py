"""Two score tables of the same scenarios, compared scenario by scenario.

The difference of two means says little while its spread is not known, and scenarios differ far more from each other
than two planners do in one scenario. So every interval is of the mean of the differences (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993: resample the pairs).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from algengine.evaluation.score_table import DISTANCES, LABELS, ScoreTable
from simengine.errors import ScenarioFormatError
from simengine.metrics.summary import bootstrap_interval

COMPLETED, SUCCESS = "completed", "success"
TOLERANCE = 1e-4
"""Differences up to this are equal: the original rounds its open-loop scores to four decimals."""
FEW = 20
_COLLISION, _OFF_ROAD = "no_at_fault_collisions", "drivable_area_compliance"


@dataclass(frozen=True)
class ColumnComparison:
    """One column over the scenarios in which both tables know it; None where there are too few.

    Attributes:
        name: of the column.
        mean_a: of the first table.
        mean_b: of the second.
        difference: mean of b - a.
        low: lower end of its interval.
        high: upper end.
        n: scenarios.
        better: of them, in how many b is better by more than `TOLERANCE`.
        worse: in how many it is worse.
        lower_is_better: true of displacement errors.
    """

    name: str
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    n: int
    better: int
    worse: int
    lower_is_better: bool = False

    @property
    def same(self) -> int:
        """In how many scenarios both are equal."""
        return self.n - self.better - self.worse

    @property
    def verdict(self) -> str:
        """`better` or `worse` if the interval of b - a excludes 0, else `not shown`."""
        if self.low is None or self.high is None or self.low <= 0.0 <= self.high:
            return "not shown"
        return "better" if (self.low > 0.0) != self.lower_is_better else "worse"


@dataclass(frozen=True)
class Comparison:
    """Two tables beside each other.

    Attributes:
        a: first table, its rows those of `tokens`.
        b: second table, likewise.
        tokens: scenarios of both, sorted.
        columns: of both, by name.
        only_a: scenarios of the first table alone.
        only_b: of the second alone.
        notes: what a reader should know, one sentence each.
        seed: of the resampling.
    """

    a: ScoreTable
    b: ScoreTable
    tokens: tuple[str, ...]
    columns: dict[str, ColumnComparison]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    notes: tuple[str, ...]
    seed: int

    def differences(self, name: str) -> np.ndarray:
        """Return b - a (N,) of a column, NaN where either is not known."""
        return self.b.columns[name] - self.a.columns[name]


def compare_tables(a: ScoreTable, b: ScoreTable, seed: int = 0) -> Comparison:
    """Return the comparison of two tables.

    A failed scenario has no scores, so it is in no mean; that it failed is the column `completed`, which is there
    if any scenario failed in either table. `success` is made of collisions and drivable area where a table lacks it.

    Raises:
        ScenarioFormatError: the tables share no scenario, or no column.
    """
    notes = [*_label_notes(a, b), *_duplicate_notes(a, b)]
    common = sorted(set(a.tokens) & set(b.tokens))
    if not common:
        raise ScenarioFormatError(
            f"{a.name} ({len(a)} rows) and {b.name} ({len(b)} rows) share no token: compare runs of one split"
        )
    only = [tuple(sorted(set(x.tokens) - set(y.tokens))) for x, y in ((a, b), (b, a))]
    sides = []
    for table in (a, b):
        side = _prepared(_rows(table, common))
        if SUCCESS in side.columns and SUCCESS not in table.columns:
            notes.append(f"{table.name} has no column success: made of collisions and drivable area")
        sides.append(side)
    left, right = sides
    names = [name for name in left.columns if name in right.columns]
    if not (left.failed | right.failed).any():
        names.remove(COMPLETED)
    if not set(names) - {COMPLETED}:
        raise ScenarioFormatError(
            f"{a.name} has the columns {', '.join(a.columns) or 'none'}, {b.name} {', '.join(b.columns) or 'none'}: "
            "they share no score"
        )
    columns = {name: _compare(name, left.columns[name], right.columns[name], seed) for name in names}
    if any(0 < column.n < FEW for column in columns.values()):
        notes.append(f"fewer than {FEW} scenarios in some columns: their intervals are too narrow")
    return Comparison(left, right, tuple(common), columns, *only, tuple(notes), seed)


def _compare(name: str, a: np.ndarray, b: np.ndarray, seed: int) -> ColumnComparison:
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    difference, count = b - a, int(known.sum())
    low, high = bootstrap_interval(difference, seed) if count > 1 else (None, None)
    lower = name in DISTANCES
    gain = -difference if lower else difference
    return ColumnComparison(
        name=name,
        mean_a=float(a.mean()) if count else None,
        mean_b=float(b.mean()) if count else None,
        difference=float(difference.mean()) if count else None,
        low=low,
        high=high,
        n=count,
        better=int((gain > TOLERANCE).sum()),
        worse=int((gain < -TOLERANCE).sum()),
        lower_is_better=lower,
    )


def _rows(table: ScoreTable, tokens: list[str]) -> ScoreTable:
    place = {token: i for i, token in enumerate(table.tokens)}
    rows = [place[token] for token in tokens]
    return replace(
        table,
        tokens=tuple(tokens),
        columns={name: values[rows] for name, values in table.columns.items()},
        failed=table.failed[rows],
        labels={name: tuple(texts[row] for row in rows) for name, texts in table.labels.items()},
    )


def _prepared(table: ScoreTable) -> ScoreTable:
    """Return a table without values in failed rows, with `success` and `completed`."""
    columns = {name: np.where(table.failed, np.nan, values) for name, values in table.columns.items()}
    if SUCCESS not in columns and {_COLLISION, _OFF_ROAD} <= set(columns):
        hit, road = columns[_COLLISION], columns[_OFF_ROAD]
        columns[SUCCESS] = np.where(np.isnan(hit), np.nan, (hit == 1.0) & (road != 0.0))
    return replace(table, columns=columns | {COMPLETED: 1.0 - table.failed})


def _label_notes(a: ScoreTable, b: ScoreTable) -> list[str]:
    notes = []
    for name in LABELS[:3]:
        found = [sorted(set(table.labels.get(name, ())) - {""}) for table in (a, b)]
        if all(found) and found[0] != found[1]:
            notes.append(f"different {name}: {', '.join(found[0])} against {', '.join(found[1])}")
    return notes


def _duplicate_notes(a: ScoreTable, b: ScoreTable) -> list[str]:
    return [
        f"{table.name}: {len(table.duplicates)} tokens came more than once, their first row counts"
        for table in (a, b)
        if table.duplicates
    ]
