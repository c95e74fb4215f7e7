"""The work of one worker: cache entries of scenarios, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from simengine.rewards.cache_entry import EntryResult, compute_entry
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.vocabulary import Vocabulary
from simengine.scenario.splits import ScenarioHandle


@dataclass(frozen=True)
class CacheJob:
    """What every worker is given; small enough to be sent.

    Attributes:
        directory: of the cache.
        vocabulary: what to score.
        mode: of the scores.
        threads: in each worker, None for one per core; entries do not depend on it.
    """

    directory: Path
    vocabulary: Vocabulary
    mode: str
    threads: int | None = 1

    @cached_property
    def scorer(self) -> VocabularyScorer:
        """The scorer of this process, made when it is first needed."""
        return VocabularyScorer(self.vocabulary, self.mode, self.threads)

    def run(self, handle: ScenarioHandle) -> EntryResult:
        """Return what became of one scenario; whatever goes wrong in it must not end the work on the others."""
        try:
            return compute_entry(handle, self.scorer, self.directory)
        except Exception as error:  # noqa: BLE001
            return EntryResult(handle.token, error=f"{type(error).__name__}: {' '.join(str(error).split())}")
