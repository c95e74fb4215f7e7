"""The original's score cache, one pickle `pdm_8192_gt_cache_<split>.pkl`: token -> six arrays (K,) float32."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.files.plain_pickle import write_pickled_dict
from simengine.rewards.cache_entry import entry_path
from simengine.rewards.columns import COLUMNS
from simengine.rewards.pdms_pkl import NOT_STORED, legacy_column
from simengine.rewards.pickle_stream import stream_pickled_dict
from simengine.rewards.reward_file import content_hash, save_rewards
from simengine.rewards.score_cache import ScoreCache
from simengine.rewards.scores import VocabularyScores
from simengine.rewards.vocabulary import Vocabulary

PUBLISHED_COLUMNS = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "ego_progress",
    "time_to_collision_within_bound",
    "comfort",
    "score",
)


def export_cache(cache: ScoreCache, path: Path, tokens: Iterable[str] | None = None) -> int:
    """Write the scores of `tokens`, by default of all, as the original's pickle; return how many there are.

    One token at a time is held in memory.
    """
    chosen = list(cache if tokens is None else tokens)
    items = (
        (token, {name: np.ascontiguousarray(scores[name], np.float32) for name in PUBLISHED_COLUMNS})
        for token in chosen
        for scores in (cache[token],)
    )
    return write_pickled_dict(path, items)


def import_cache(
    path: Path,
    directory: Path,
    vocabulary: Vocabulary,
    mode: str,
    progress: Callable[[str], None] | None = None,
) -> dict[str, str]:
    """Write an entry into the cache at `directory` for each token of the original's pickle, and return token -> key.

    Tokens are read one after another; the file is never held in memory. Columns beyond the six are unknown.

    Args:
        path: the pickle, read through the restricted unpickler.
        directory: of the cache; its index is left to the caller.
        vocabulary: the one that was scored.
        mode: that the scores are said to have.
        progress: called with each token.

    Raises:
        ScenarioFormatError: the file is no such cache, or of a vocabulary of another size.
    """
    keys: dict[str, str] = {}

    def take(token: object, record: object) -> None:
        scores = _scores(path, token, record, vocabulary.size, mode)
        columns = {name: scores.columns[name] for name in PUBLISHED_COLUMNS}
        named = f"imported {mode} {vocabulary.key} {scores.token} {content_hash(columns)}"
        key = hashlib.sha256(named.encode()).hexdigest()[:40]
        target = entry_path(directory, key)
        if not target.exists():
            save_rewards(target, [scores], vocabulary, key=key)
        keys[scores.token] = key
        if progress is not None:
            progress(scores.token)

    stream_pickled_dict(path, take)
    return keys


def _scores(path: Path, token: object, record: object, size: int, mode: str) -> VocabularyScores:
    if (
        not isinstance(token, str)
        or not isinstance(record, dict)
        or not set(PUBLISHED_COLUMNS) <= set(record)
    ):
        raise ScenarioFormatError(
            f"{path}: the item {token!r} is no score table, expected a token with the arrays "
            f"{', '.join(PUBLISHED_COLUMNS)}: check how the file was made"
        )
    columns = {
        name: legacy_column(f"{path}: {name} of {token}", record[name], size) for name in PUBLISHED_COLUMNS
    }
    unknown = {name: NOT_STORED for name in COLUMNS if name not in columns}
    columns |= {name: np.full(size, np.nan) for name in unknown}
    return VocabularyScores(token, 0, mode, **columns, reference="imported", unknown=unknown)
