"""PDM scores of every plan by token, from our score cache, the original's pickle, or files of single decisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from algengine.errors import RecordingError
from simengine.errors import ScenarioFormatError
from simengine.rewards.cache_pickle import PUBLISHED_COLUMNS
from simengine.rewards.columns import decode, encode
from simengine.rewards.pdms_pkl import legacy_column
from simengine.rewards.pickle_stream import stream_pickled_dict
from simengine.rewards.score_cache import ScoreCache

REMEDY = (
    "make it with `algengine cache`, or take the original's with `algengine cache - VOCABULARY OUT "
    "--import-pkl FILE`"
)


class PlanScores(Protocol):
    """Columns (K,) float32 by token."""

    def __contains__(self, token: object) -> bool:
        """Whether `token` has scores."""
        ...

    def __getitem__(self, token: str) -> Mapping[str, np.ndarray]:
        """Columns (K,) by name: at least `PUBLISHED_COLUMNS`."""
        ...


class PickledScores:
    """The original's cache, of the tokens that are asked for, in a quarter of its size.

    Args:
        path: `pdm_8192_gt_cache_<split>.pkl`; read item by item through the restricted unpickler.
        tokens: to keep, all if None.

    Raises:
        ScenarioFormatError: the file is no such cache.
    """

    def __init__(self, path: Path, tokens: Collection[str] | None = None) -> None:
        self.path = Path(path)
        wanted = None if tokens is None else set(tokens)
        self._items: dict[str, dict[str, np.ndarray]] = {}

        def take(token: object, record: object) -> None:
            if wanted is None or token in wanted:
                self._items[str(token)] = self._packed(str(token), record)

        stream_pickled_dict(self.path, take)

    def __contains__(self, token: object) -> bool:
        return token in self._items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, token: str) -> dict[str, np.ndarray]:
        """Return columns (K,) float32 by name."""
        return {name: decode(name, values) for name, values in self._items[token].items()}

    def _packed(self, token: str, record: object) -> dict[str, np.ndarray]:
        missing = [n for n in PUBLISHED_COLUMNS if not isinstance(record, Mapping) or n not in record]
        if missing:
            raise ScenarioFormatError(
                f"{self.path}: token {token} has no {', '.join(missing)}, expected a dictionary of arrays (K,): check "
                "how the file was made"
            )
        named = {n: legacy_column(f"{self.path}: {n} of {token}", record[n], None) for n in PUBLISHED_COLUMNS}
        return {name: encode(name, values) for name, values in named.items()}


def open_scores(path: str | Path, tokens: Collection[str] | None = None) -> ScoreCache | PickledScores:
    """Return the scores at `path`: a folder is our cache, anything else the original's pickle.

    Args:
        path: of a cache.
        tokens: that will be asked for; a pickle keeps only those.

    Raises:
        RecordingError: there is nothing at `path`.
        ScenarioFormatError: it is no cache.
    """
    path = Path(path)
    require_scores(path)
    return ScoreCache(path) if path.is_dir() else PickledScores(path, tokens)


def require_scores(path: Path) -> None:
    """Check that there is a folder or a file at `path`, without reading it.

    Raises:
        RecordingError: there is nothing.
    """
    if not path.is_dir() and not path.is_file():
        raise RecordingError(f"there is no score cache {path}, expected a folder or a pickle: {REMEDY}")


def stacked(scores: Mapping[str, np.ndarray], names: Iterable[str]) -> np.ndarray:
    """Return the named columns of one token as (len(names), K) float32."""
    return np.stack([np.asarray(scores[name], np.float32) for name in names])
