"""The data recipes of post-training: which decisions of common logs, rare logs and rollouts are learned from.

The seven rows of the published table differ in these keys only (reference: algengine.md 4.6, 4.8, 6.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from algengine.datasets.decision_filters import FILTERS, keeps
from algengine.datasets.split_file import read_split
from algengine.errors import RecordingError
from algengine.post_training.check import check_least
from algengine.post_training.runs import Decision, read_run
from algengine.structures.fail_mask import NORMAL, REAL_FAILURE, SYNTHETIC
from simengine.errors import ConfigError


@dataclass(frozen=True)
class DataConfig:
    """A recipe. Runs are output folders of `simengine run`.

    Attributes:
        common: runs over common logs; normal decisions are drawn from them.
        rare: runs over logs in which the base planner fails: real failures.
        rollouts: runs in which somebody else than the log drove: synthetic.
        failures: splits (YAML or folders) of rare cases; only their tokens of `rare` and `rollouts` count; all without
            splits.
        filter: of synthetic decisions, see `keeps`.
        first_only: real failures are the first decision of each log, as in the original, where a token is one frame.
        include_real_failures: whether `rare` counts beside `rollouts`.
        normal_ratio: normal decisions drawn for each failure.
        normal_only: keep the drawn normal decisions and drop the failures.
        seed: of the drawing.
    """

    common: Sequence[str] = ()
    rare: Sequence[str] = ()
    rollouts: Sequence[str] = ()
    failures: Sequence[str] = ()
    filter: str = "v1"
    first_only: bool = False
    include_real_failures: bool = True
    normal_ratio: float = 1.0
    normal_only: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.filter not in FILTERS:
            raise ConfigError(f"data.filter is {self.filter!r}, expected one of {', '.join(FILTERS)}")
        check_least("data", self, ("normal_ratio", "seed"), 0)


def select_decisions(config: DataConfig, vocabulary_key: str) -> list[Decision]:
    """Return the decisions of a recipe: failures, then as many normal ones as it asks for.

    Decisions without a known score are left out. Normal decisions are drawn without replacement while there are enough.

    Raises:
        RecordingError: a run cannot be used, or the recipe selects nothing.
    """
    wanted = None
    if config.failures:
        wanted = {token for split in config.failures for token in read_split(Path(split)).tokens}
    failures = _synthetic(config, wanted, vocabulary_key)
    if config.include_real_failures:
        failures += _real(config, wanted, vocabulary_key)
    if not failures:
        raise RecordingError(_why_none(config, wanted))
    normals = _normals(config, round(config.normal_ratio * len(failures)), wanted, vocabulary_key)
    return normals if config.normal_only else failures + normals


def _why_none(config: DataConfig, wanted: set[str] | None) -> str:
    runs = [*config.rollouts, *(config.rare if config.include_real_failures else ())]
    if not runs:
        return "the recipe names no run with failures, expected some: give data.rare or data.rollouts"
    among, remedy = "", "give more runs"
    if wanted is not None:
        among = f" among the {len(wanted)} tokens of data.failures"
        remedy += ", or splits of these runs as data.failures"
    return f"the recipe selects no failure of {runs} with filter {config.filter!r}{among}: {remedy}, or another filter"


def _synthetic(config: DataConfig, wanted: set[str] | None, key: str) -> list[Decision]:
    chosen = []
    for run in config.rollouts:
        for decision, rewards in read_run(Path(run), key):
            if wanted is not None and decision.token not in wanted:
                continue
            if keeps(config.filter, decision.step, decision.columns(rewards), decision.driven):
                chosen.append(replace(decision, fail_mask=SYNTHETIC))
    return chosen


def _real(config: DataConfig, wanted: set[str] | None, key: str) -> list[Decision]:
    name = "v2" if config.first_only else "none"
    return [
        replace(decision, fail_mask=REAL_FAILURE)
        for run in config.rare
        for decision, rewards in read_run(Path(run), key)
        if (wanted is None or decision.token in wanted)
        and keeps(name, decision.step, decision.columns(rewards), decision.driven)
    ]


def _normals(config: DataConfig, count: int, wanted: set[str] | None, key: str) -> list[Decision]:
    pool = [
        replace(decision, fail_mask=NORMAL)
        for run in config.common
        for decision, rewards in read_run(Path(run), key)
        if decision.token not in (wanted or ())
        and keeps("none", decision.step, decision.columns(rewards), -1)
    ]
    if not count:
        return []
    if not pool:
        raise RecordingError(
            f"the recipe needs {count} normal decisions but {list(config.common)} has none: give runs over common "
            "logs as data.common, or set data.normal_ratio=0"
        )
    rng = np.random.default_rng(config.seed)
    rows = rng.choice(len(pool), count, replace=count > len(pool))
    return [pool[row] for row in sorted(rows.tolist())]
