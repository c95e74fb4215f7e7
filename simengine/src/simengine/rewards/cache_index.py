"""The index of a score cache: which file has the scores of which token, and what all of them have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from simengine.errors import ConfigError, ScenarioFormatError
from simengine.files.atomic import write_atomically
from simengine.rewards.modes import VERSION
from simengine.rewards.vocabulary import Vocabulary

INDEX = "index.json"
FORMAT = "simengine-score-cache"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class CacheIndex:
    """One cache holds one vocabulary in one mode.

    Attributes:
        mode: of the scores.
        vocabulary: key of the vocabulary.
        vocabulary_dt: time between its poses [s].
        size: its number of entries K.
        scorer: version of the scorer.
        keys: token -> key of its file.
        imported: tokens that were imported instead of computed.
    """

    mode: str
    vocabulary: str
    vocabulary_dt: float
    size: int
    scorer: int = VERSION
    keys: Mapping[str, str] = field(default_factory=dict)
    imported: frozenset[str] = frozenset()

    @classmethod
    def of(cls, vocabulary: Vocabulary, mode: str) -> CacheIndex:
        """Return the index of an empty cache."""
        return cls(mode, vocabulary.key, vocabulary.dt, vocabulary.size)

    def with_keys(self, keys: Mapping[str, str], imported: bool = False) -> CacheIndex:
        """Return this index with further tokens, or with new files of known ones."""
        known = self.imported | set(keys) if imported else self.imported - set(keys)
        return replace(self, keys={**self.keys, **keys}, imported=known)

    def check_same(self, other: CacheIndex, directory: Path) -> None:
        """Raise `ConfigError` if `other`, which lies in `directory`, is a cache of something else."""
        for name in ("mode", "vocabulary", "scorer"):
            mine, found = getattr(self, name), getattr(other, name)
            if mine != found:
                raise ConfigError(
                    f"{directory} is a cache with {name} {str(found)[:16]}, expected {str(mine)[:16]}: choose another "
                    "folder"
                )


def load_index(directory: Path) -> CacheIndex:
    """Return the index of a cache.

    Raises:
        ScenarioFormatError: there is none, or it cannot be read.
    """
    path = Path(directory) / INDEX
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        found = (body.pop("format"), body.pop("version"))
        if found != (FORMAT, FORMAT_VERSION):
            raise ValueError(f"format {found[0]!r} version {found[1]!r}")
        return CacheIndex(**{**body, "imported": frozenset(body["imported"])})
    except OSError as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error.strerror}), expected the index of a score cache: make one with "
            "`algengine cache`"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScenarioFormatError(
            f"{path}: not an index of a score cache ({error}), expected one written by `algengine cache`: run it again "
            "into an empty folder, or delete the index only to make it anew"
        ) from None


def save_index(directory: Path, index: CacheIndex) -> None:
    """Write the index, atomically, tokens sorted."""
    body = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "mode": index.mode,
        "vocabulary": index.vocabulary,
        "vocabulary_dt": index.vocabulary_dt,
        "size": index.size,
        "scorer": index.scorer,
        "keys": dict(sorted(index.keys.items())),
        "imported": sorted(index.imported),
    }
    write_atomically(Path(directory) / INDEX, (json.dumps(body, indent=0) + "\n").encode())


def open_index(directory: Path, vocabulary: Vocabulary, mode: str) -> CacheIndex:
    """Return the index to go on with: that of the cache in `directory`, or an empty one.

    Raises:
        ConfigError: the folder holds a cache of another vocabulary or mode.
    """
    fresh = CacheIndex.of(vocabulary, mode)
    if not (Path(directory) / INDEX).exists():
        return fresh
    found = load_index(directory)
    fresh.check_same(found, Path(directory))
    return found
