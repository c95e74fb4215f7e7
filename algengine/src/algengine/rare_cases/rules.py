"""Which scenarios count as rare: three rules over the columns of a score table.

The rules are WorldEngine's. Each is a mask over the rows; a value that is not known satisfies none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from algengine.evaluation.score_table import ScoreTable
from simengine.errors import ConfigError

COLLISION, OFF_ROAD = "no_at_fault_collisions", "drivable_area_compliance"
PROGRESS = "ego_progress"
REQUIRED = (COLLISION, OFF_ROAD, PROGRESS)


@dataclass(frozen=True)
class Thresholds:
    """Where the rules cut; the defaults are the published ones.

    Attributes:
        ep_percentiles: per percentile one set of slow drives [percent], in (0, 100).
        max_collision: highest NC that counts as a collision; 0.5 takes hits of static objects in.
        max_off_road: highest DAC that counts as off the road.
        min_progress: EP that a drive must exceed to be among those of which the slowest are taken.
    """

    ep_percentiles: tuple[float, ...] = (1.0,)
    max_collision: float = 0.0
    max_off_road: float = 0.0
    min_progress: float = 0.0

    def __post_init__(self) -> None:
        if not self.ep_percentiles or not all(0.0 < p < 100.0 for p in self.ep_percentiles):
            raise ConfigError(
                f"percentiles of ego progress are {list(self.ep_percentiles)}, expected numbers between 0 and 100"
            )
        names = [name_of(percent) for percent in self.ep_percentiles]
        if len(set(names)) < len(names):
            raise ConfigError(
                f"percentiles of ego progress are {list(self.ep_percentiles)}, expected numbers whose splits have "
                f"names of their own, not {', '.join(names)}"
            )
        for name in ("max_collision", "max_off_road", "min_progress"):
            value = getattr(self, name)
            if not 0.0 <= value < 1.0:
                raise ConfigError(f"{name} is {value}, expected 0 or more and less than 1")


@dataclass(frozen=True)
class Selection:
    """What one rule chose.

    Attributes:
        name: ending of the split's name, such as `collision`.
        rule: the rule in words.
        chosen: (N,) bool, rows of the table.
        pool: rows the rule could decide about.
        cut: value of EP below which a row is chosen; None for the other rules and for an empty pool.
        tied: rows exactly at the cut, which stay out.
    """

    name: str
    rule: str
    chosen: np.ndarray
    pool: int
    cut: float | None = None
    tied: int = 0


def name_of(percent: float) -> str:
    """Return the ending of the name of a split of slow drives."""
    return f"ep_{percent:g}pct"


def select(table: ScoreTable, thresholds: Thresholds | None = None) -> list[Selection]:
    """Return what each rule chooses: slow drives per percentile, collisions, drives off the road.

    Rows of failed scenarios are never chosen, whatever their cells hold: they say nothing about the planner.

    Raises:
        ScenarioFormatError: the table lacks one of the three columns.
    """
    thresholds = thresholds or Thresholds()
    table.require(REQUIRED)
    collision, off_road, progress = (np.where(table.failed, np.nan, table.columns[name]) for name in REQUIRED)
    clean = (collision == 1.0) & (off_road == 1.0) & (progress > thresholds.min_progress)
    return [
        *(_slowest(progress, clean, percent, thresholds) for percent in thresholds.ep_percentiles),
        _at_most("collision", "NC", collision, thresholds.max_collision),
        _at_most("off_road", "DAC", off_road, thresholds.max_off_road),
    ]


def unknown_rows(table: ScoreTable) -> np.ndarray:
    """Return (N,) bool, rows that did not fail and yet lack a value that the rules need."""
    missing = np.any([np.isnan(table.columns[name]) for name in REQUIRED], axis=0)
    return missing & ~table.failed


def overlaps(selections: Sequence[Selection]) -> list[tuple[str, str, int]]:
    """Return for every two rules how many rows both chose."""
    pairs = [(a, b) for i, a in enumerate(selections) for b in selections[i + 1 :]]
    return [(a.name, b.name, int((a.chosen & b.chosen).sum())) for a, b in pairs]


def _slowest(progress: np.ndarray, clean: np.ndarray, percent: float, thresholds: Thresholds) -> Selection:
    pool = progress[clean]
    cut = float(np.percentile(pool, percent)) if len(pool) else None
    return Selection(
        name=name_of(percent),
        rule=f"slowest {percent:g} % of drives with NC = DAC = 1, EP > {thresholds.min_progress:g}",
        chosen=clean & (progress < (-np.inf if cut is None else cut)),
        pool=len(pool),
        cut=cut,
        tied=0 if cut is None else int((pool == cut).sum()),
    )


def _at_most(name: str, column: str, values: np.ndarray, limit: float) -> Selection:
    rule = f"{column} <= {limit:g}" if limit else f"{column} = 0"
    return Selection(name, rule, values <= limit, int((~np.isnan(values)).sum()))
