"""Reading a score cache: sub-scores of every vocabulary entry by token, memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.rewards.cache_entry import entry_path
from simengine.rewards.cache_index import CacheIndex, load_index
from simengine.rewards.columns import COLUMNS
from simengine.rewards.reward_file import RewardFile, open_rewards


class CachedScores(Mapping[str, np.ndarray]):
    """Columns (K,) float32 of one token by name; `score` and `ego_progress` are views of the mapped file."""

    def __init__(self, file: RewardFile) -> None:
        self.file = file

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in COLUMNS:
            raise KeyError(name)
        return self.file.column(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COLUMNS)

    def __len__(self) -> int:
        return len(COLUMNS)

    @property
    def unknown(self) -> dict[str, str]:
        """Why columns are all NaN, by name."""
        return self.file.unknown()


class ScoreCache(Mapping[str, CachedScores]):
    """Scores by token: `cache[token]["score"]` is an array (K,).

    A file is opened when its token is asked for and none is kept open, so a cache of any size can be used from any
    number of processes.

    Args:
        directory: folder made by `algengine cache`.

    Raises:
        ScenarioFormatError: the folder is no score cache.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self.index: CacheIndex = load_index(self.directory)

    def __getitem__(self, token: str) -> CachedScores:
        key = self.index.keys[token]
        path = entry_path(self.directory, key)
        file = open_rewards(path)
        if file.token != token or file.size != self.index.size:
            raise ScenarioFormatError(
                f"{path}: holds {file.size} entries of {file.token!r}, expected {self.index.size} of {token!r}: delete "
                "it and make it again"
            )
        return CachedScores(file)

    def __iter__(self) -> Iterator[str]:
        return iter(self.index.keys)

    def __len__(self) -> int:
        return len(self.index.keys)

    def __contains__(self, token: object) -> bool:
        return token in self.index.keys

    def missing(self, tokens: Iterable[str]) -> list[str]:
        """Return those of `tokens` that are not in the cache."""
        return [token for token in tokens if token not in self.index.keys]

    def gather(self, tokens: Sequence[str], names: Sequence[str] = tuple(COLUMNS)) -> dict[str, np.ndarray]:
        """Return columns (B, K) float32 of B tokens by name; what is unknown is NaN.

        Raises:
            ScenarioFormatError: a token is not in the cache.
        """
        absent = self.missing(tokens)
        if absent:
            raise ScenarioFormatError(
                f"{self.directory}: {len(absent)} of {len(tokens)} tokens are not in the score cache (such as "
                f"{absent[0]}), expected all of them: run `algengine cache` on their split"
            )
        batch = {name: np.empty((len(tokens), self.index.size), np.float32) for name in names}
        for row, token in enumerate(tokens):
            scores = self[token]
            for name in names:
                batch[name][row] = scores[name]
        return batch

    def verify(self) -> Iterator[tuple[str, str]]:
        """Yield every token with a sentence about what is wrong with its file, "" if nothing is."""
        for token in self:
            try:
                self[token].file.verify()
            except ScenarioFormatError as error:
                yield token, str(error)
            else:
                yield token, ""
