"""PDM scores of chosen plans: looked up in a cache of all plans, or computed in the scenario."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from algengine.datasets.openscene.places import located
from algengine.datasets.openscene.scores import open_scores, require_scores
from algengine.evaluation.prediction import NAN, Prediction
from simengine.child_process import follow_parent, interrupts_ignored
from simengine.datatypes.plan import Plan
from simengine.errors import ConfigError, SimEngineError
from simengine.metrics.episode import SUB_SCORES
from simengine.metrics.open_loop.score import score_plan
from simengine.metrics.pdm.parameters import MODES
from simengine.pdm_closed.reference import pdm_closed_reference
from simengine.rewards.score_cache import ScoreCache
from simengine.rewards.vocabulary import Vocabulary
from simengine.scenario.splits import ScenarioHandle, load_index

PLAN_DT = 0.1


@dataclass(frozen=True)
class PlanResult:
    """The score of one choice.

    Attributes:
        token: of the frame or scenario.
        values: sub-scores and `score` by name; what is missing is not known.
        mode: scoring mode.
        blame: most severe failure in words, where it was computed.
        error: why there is no score.
    """

    token: str
    values: dict[str, float] = field(default_factory=dict)
    mode: str = ""
    blame: str = ""
    error: str = ""

    def value(self, name: str) -> float:
        """Return a score, NaN if it is not known."""
        return self.values.get(name, NAN)


class Scorer(Protocol):
    """Scores choices."""

    def describe(self) -> dict[str, str]:
        """What scores depend on, for files of results."""
        ...

    def score(self, predictions: Sequence[Prediction], workers: int = 1) -> Iterator[PlanResult]:
        """Yield a result for each choice."""
        ...


class NoScorer:
    """Displacement errors only."""

    def describe(self) -> dict[str, str]:
        """Return what scores depend on."""
        return {"scores": "none"}

    def score(self, predictions: Sequence[Prediction], workers: int = 1) -> Iterator[PlanResult]:
        """Yield results without values."""
        for one in predictions:
            yield PlanResult(one.token, error=one.error)


class CacheScorer:
    """Looks the chosen row of the vocabulary up, as published.

    Args:
        path: our cache, or the original's pickle.
        vocabulary: (K, T, 3) plans of the planner.

    Raises:
        RecordingError: there is no cache.
        ConfigError: it is of another vocabulary.
    """

    def __init__(self, path: str | Path, vocabulary: np.ndarray) -> None:
        self._path, self._size = located(path), len(vocabulary)
        self._mode = "navsim_v1"
        require_scores(self._path)
        if self._path.is_dir():
            index = ScoreCache(self._path).index
            self._mode = index.mode
            if index.vocabulary != Vocabulary(vocabulary, index.vocabulary_dt).key:
                raise ConfigError(
                    f"{self._path} has scores of another vocabulary ({index.size} plans), expected the planner's "
                    f"{self._size}: make a cache of its plans with `algengine cache`"
                )

    def describe(self) -> dict[str, str]:
        """Return what scores depend on."""
        return {"scores": "cache", "cache": str(self._path), "mode": self._mode}

    def score(self, predictions: Sequence[Prediction], workers: int = 1) -> Iterator[PlanResult]:
        """Yield the scores of the chosen rows; of the original's pickle only the tokens in question are kept.

        Raises:
            ConfigError: the pickle is of a vocabulary of another size.
        """
        cache = open_scores(self._path, {one.token for one in predictions})
        for one in predictions:
            if one.error:
                yield PlanResult(one.token, error=one.error)
            elif one.token not in cache:
                yield PlanResult(
                    one.token, mode=self._mode, error=f"the token is not in the cache {self._path.name}"
                )
            else:
                yield PlanResult(one.token, self._looked_up(one, cache[one.token]), self._mode)

    def _looked_up(self, one: Prediction, columns: Mapping[str, np.ndarray]) -> dict[str, float]:
        if len(columns["score"]) != self._size:
            raise ConfigError(
                f"{self._path} scores {len(columns['score'])} plans, expected the planner's {self._size}: use the "
                "cache of its vocabulary"
            )
        names = [name for name in (*SUB_SCORES, "score") if name in columns]
        found = {name: float(columns[name][one.plan_index]) for name in names}
        return {name: value for name, value in found.items() if not np.isnan(value)}


class ScenarioScorer:
    """Tracks the chosen plan among logged traffic and scores that, as NAVSIM does.

    Args:
        directory: split folder of native scenarios.
        mode: scoring mode.

    Raises:
        ConfigError: there is no such mode.
        ScenarioFormatError: the folder has no index.
    """

    def __init__(self, directory: str | Path, mode: str = "navsim_v1") -> None:
        if mode not in MODES:
            raise ConfigError(f"--metric is {mode!r}, expected one of {', '.join(MODES)}")
        self._directory, self._mode = located(directory), mode
        self._handles = {handle.token: handle for handle in load_index(self._directory).handles()}

    def describe(self) -> dict[str, str]:
        """Return what scores depend on."""
        return {"scores": "scenarios", "scenarios": str(self._directory), "mode": self._mode}

    def score(self, predictions: Sequence[Prediction], workers: int = 1) -> Iterator[PlanResult]:
        """Yield the score of each choice; values do not depend on the number of processes."""
        jobs = [(self._handles.get(one.token), one, self._mode) for one in predictions]
        if min(workers, len(jobs)) <= 1:
            yield from (computed(*job) for job in jobs)
            return
        pool = ProcessPoolExecutor(
            min(workers, len(jobs)), multiprocessing.get_context("spawn"), follow_parent
        )
        try:
            with interrupts_ignored():
                futures = [pool.submit(computed, *job) for job in jobs]
            yield from (future.result() for future in futures)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def computed(handle: ScenarioHandle | None, one: Prediction, mode: str) -> PlanResult:
    """Return the score of one choice in its scenario; whatever a user can cause becomes its `error`."""
    if one.error or handle is None:
        return PlanResult(
            one.token, mode=mode, error=one.error or "the token is not in the split of scenarios"
        )
    try:
        plan = Plan(np.array(one.poses), PLAN_DT, vocabulary_index=one.plan_index)
        row = score_plan(handle.load(), plan, mode, pdm_closed_reference).row
    except SimEngineError as error:
        return PlanResult(one.token, mode=mode, error=" ".join(str(error).split()))
    values = {name: float(getattr(row, name)) for name in (*SUB_SCORES, "score")}
    return PlanResult(one.token, {k: v for k, v in values.items() if not np.isnan(v)}, mode, row.blame)


def make_scorer(cache: str | None, scenarios: str | None, mode: str, vocabulary: np.ndarray) -> Scorer:
    """Return the scorer for what was given: at most one of a cache and a folder of scenarios.

    Raises:
        ConfigError: both are given.
    """
    if cache and scenarios:
        raise ConfigError("got --cache and --scenarios, expected one of the two: scores come from one place")
    if cache:
        return CacheScorer(cache, vocabulary)
    return ScenarioScorer(scenarios, mode) if scenarios else NoScorer()
