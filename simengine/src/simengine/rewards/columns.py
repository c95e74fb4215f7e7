"""The columns of a score, and how they are kept in few bytes: halves, truths and single precision."""

from __future__ import annotations

import numpy as np

from simengine.errors import ScenarioFormatError

HALVES, TRUTH, SINGLE = np.dtype("u1"), np.dtype("?"), np.dtype("<f4")

COLUMNS = {
    "no_at_fault_collisions": HALVES,
    "drivable_area_compliance": TRUTH,
    "ego_progress": SINGLE,
    "time_to_collision_within_bound": TRUTH,
    "comfort": TRUTH,
    "driving_direction_compliance": HALVES,
    "lane_keeping": TRUTH,
    "score": SINGLE,
}
"""Names in the order of `VocabularyScores`, with their type on disk; halves are twice the value."""


def encode(name: str, values: np.ndarray) -> np.ndarray:
    """Return a column in its type on disk; unknown values (NaN) become 0 and have to be told apart elsewhere.

    Raises:
        ScenarioFormatError: a value cannot be kept exactly, such as a collision score of 0.3.
    """
    kind, known = COLUMNS[name], np.nan_to_num(np.asarray(values, np.float64))
    if kind == SINGLE:
        return known.astype(SINGLE)
    scale = 2.0 if kind == HALVES else 1.0
    stored = np.rint(np.clip(scale * known, 0.0, scale)).astype(kind)
    if (stored != scale * known).any():
        odd = known[stored != scale * known][0]
        expected = "0, 0.5 or 1" if kind == HALVES else "0 or 1"
        raise ScenarioFormatError(f"{name} has a value {odd}, expected {expected}: check where it comes from")
    return stored


def decode(name: str, stored: np.ndarray) -> np.ndarray:
    """Return a column as float32; one that is kept in single precision is returned as it is, not copied."""
    if COLUMNS[name] == SINGLE:
        return stored
    return stored.astype(np.float32) * np.float32(0.5 if COLUMNS[name] == HALVES else 1.0)
