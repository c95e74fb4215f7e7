"""The native file of rewards: all decision steps of one scenario, memory-mapped.

An uncompressed .npz with a JSON header. Each of the eight columns is an array (D, K) in its type of `COLUMNS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.files.arrays import read_arrays, write_arrays
from simengine.files.mapped import map_arrays
from simengine.rewards.columns import COLUMNS, decode, encode
from simengine.rewards.imitation import Imitation
from simengine.rewards.scores import VocabularyScores
from simengine.rewards.vocabulary import Vocabulary

FORMAT = "simengine-rewards"
FORMAT_VERSION = 1
_TARGETS = 8


@dataclass(frozen=True)
class RewardFile:
    """Rewards of one scenario: D steps, K entries.

    Attributes:
        path: where they lie.
        header: format, token, mode, steps, vocabulary, what is unknown and why, content hash, ...
        arrays: columns (D, K) as they are stored, `imitation_index` (D,), `target` (D, 8, 2) with NaN beyond the log.
    """

    path: Path
    header: Mapping
    arrays: Mapping[str, np.ndarray]

    @property
    def token(self) -> str:
        """Id of the scenario."""
        return self.header["token"]

    @property
    def mode(self) -> str:
        """Mode of the rewards."""
        return self.header["mode"]

    @property
    def steps(self) -> tuple[int, ...]:
        """Numbers of the D decisions."""
        return tuple(self.header["steps"])

    @property
    def size(self) -> int:
        """Number of entries K."""
        return self.arrays["score"].shape[1]

    def column(self, name: str, row: int = 0) -> np.ndarray:
        """Return a column (K,) float32 of one row; `score` and `ego_progress` are views of the mapped file.

        All NaN if it is unknown there; `unknown(row)` says why.
        """
        if name in self.unknown(row):
            return np.full(self.size, np.nan, np.float32)
        return decode(name, self.arrays[name][row])

    def unknown(self, row: int = 0) -> dict[str, str]:
        """Return why columns are unknown in one row, by name."""
        return dict(self.header["unknown"][row])

    @property
    def trust(self) -> np.ndarray:
        """Trust (D,) in the images that each decision was made from, NaN where it was not measured."""
        values = self.header.get("trust") or [None] * len(self.steps)
        return np.array([np.nan if value is None else value for value in values], np.float64)

    def trusted(self, threshold: float) -> np.ndarray:
        """Return the mask (D,) of decisions to learn from: all but those whose trust is known to be too low."""
        return ~(self.trust < threshold)

    def scores(self, row: int = 0) -> VocabularyScores:
        """Return all columns of one row."""
        progress = self.header["reference_progress"][row]
        return VocabularyScores(
            self.token,
            self.steps[row],
            self.mode,
            **{name: self.column(name, row) for name in COLUMNS},
            reference_progress=float("nan") if progress is None else progress,
            reference=self.header["reference"][row],
            unknown=self.unknown(row),
        )

    def imitation(self, row: int = 0) -> Imitation:
        """Return the entry to imitate at one row."""
        target = np.array(self.arrays["target"][row])
        return Imitation(int(self.arrays["imitation_index"][row]), target[~np.isnan(target[:, 0])])

    def verify(self) -> None:
        """Read everything and raise `ScenarioFormatError` unless it is what was written."""
        _, arrays = read_arrays(self.path, FORMAT, FORMAT_VERSION)
        found = content_hash(arrays)
        if found != self.header["content"]:
            raise ScenarioFormatError(
                f"{self.path}: content has hash {found[:16]}, expected {self.header['content'][:16]} as its header "
                "says: delete it and make it again"
            )


def save_rewards(
    path: Path,
    scores: Sequence[VocabularyScores],
    vocabulary: Vocabulary,
    imitations: Sequence[Imitation] = (),
    **labels: object,
) -> Path:
    """Write the rewards of one scenario, atomically, and return `path`; equal rewards give equal bytes.

    Args:
        path: .npz file to write.
        scores: at least one step, all of one scenario and mode.
        vocabulary: what was scored.
        imitations: one for each step, or none.
        labels: further JSON values for the header.
    """
    arrays = {name: np.stack([encode(name, s.columns[name]) for s in scores]) for name in COLUMNS}
    imitations = imitations or [Imitation(-1, np.zeros((0, 2)))] * len(scores)
    arrays["imitation_index"] = np.array([i.index for i in imitations], "<i4")
    arrays["target"] = np.full((len(scores), _TARGETS, 2), np.nan, "<f4")
    for row, imitation in enumerate(imitations):
        arrays["target"][row, : len(imitation.target)] = imitation.target
    header = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "token": scores[0].token,
        "mode": scores[0].mode,
        "steps": [s.step for s in scores],
        "vocabulary": vocabulary.key,
        "vocabulary_dt": vocabulary.dt,
        "reference": [s.reference for s in scores],
        "reference_progress": [
            None if np.isnan(s.reference_progress) else s.reference_progress for s in scores
        ],
        "unknown": [dict(s.unknown) for s in scores],
        **labels,
        "content": content_hash(arrays),
    }
    write_arrays(path, header, arrays, compress=False)
    return Path(path)


def open_rewards(path: Path) -> RewardFile:
    """Return the rewards in a native file, memory-mapped.

    Raises:
        ScenarioFormatError: the file is missing, truncated, of another format, or its arrays do not fit together.
    """
    header, arrays = map_arrays(path, FORMAT, FORMAT_VERSION)
    steps, size = len(header.get("steps", ())), arrays["score"].shape[-1] if "score" in arrays else -1
    odd = [name for name, kind in COLUMNS.items() if not _fits(arrays.get(name), kind, (steps, size))]
    lists = [
        key for key in ("reference", "reference_progress", "unknown") if len(header.get(key, ())) != steps
    ]
    if len(header.get("trust", [None] * steps)) != steps:
        lists.append("trust")
    if odd or lists or not {"token", "mode", "content", "vocabulary"} <= set(header):
        raise ScenarioFormatError(
            f"{path}: {', '.join([*odd, *lists]) or 'the header'} does not fit {steps} steps of {size} entries, "
            "expected a complete file of rewards: delete it and make it again"
        )
    return RewardFile(Path(path), header, arrays)


def content_hash(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the hex SHA-256 over names, types, shapes and content of arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _fits(array: np.ndarray | None, kind: np.dtype, shape: tuple[int, ...]) -> bool:
    return array is not None and array.dtype == kind and array.shape == shape
