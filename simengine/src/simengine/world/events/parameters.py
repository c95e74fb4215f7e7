"""What events are made of: numbers that the difficulty moves, and numbers drawn at random."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

Dial = tuple[float, float]
"""The values of a number at difficulty 0 and at difficulty 1."""

Span = tuple[float, float]
"""The least and the greatest value of a number that is drawn at random."""


def dial(values: Dial, difficulty: float) -> float:
    """Return what `difficulty` makes of a dial."""
    easy, hard = values
    return easy + difficulty * (hard - easy)


def draw(span: Span, rng: np.random.Generator) -> float:
    """Return a random number within `span`."""
    return float(rng.uniform(*span))


def settings(event: object, difficulty: float) -> dict[str, float]:
    """Return what the dials of a rare event say at `difficulty`, by name."""
    names = [item.name for item in fields(event)]  # type: ignore[arg-type]
    return {name: round(dial(getattr(event, name), difficulty), 3) for name in names}
