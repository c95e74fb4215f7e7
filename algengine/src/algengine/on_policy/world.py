"""What on-policy training needs from a simulator: many scenes that are driven decision by decision, in lockstep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan


@dataclass(frozen=True)
class Answer:
    """What came of one decision in one scene.

    Attributes:
        rewards: (K,) of every plan of the vocabulary at that decision, by column; NaN where unknown.
        observation: at the next decision; None where the episode is over, in all scenes at once.
    """

    rewards: dict[str, np.ndarray]
    observation: Observation | None


class World(Protocol):
    """Scenes of one simulator."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """Scenarios that can be begun, by number."""
        ...

    def describe(self) -> dict:
        """Return everything else that decides what happens, as plain values."""
        ...

    def begin(self, scenarios: Sequence[int]) -> list[Observation]:
        """Begin an episode in each of some scenarios and return the first observations.

        Args:
            scenarios: numbers, at most as many as the world has scenes.
        """
        ...

    def advance(self, plans: Sequence[Plan]) -> list[Answer]:
        """Score the vocabulary in every scene, drive the plans up to the next decision, and return what came of it."""
        ...

    def close(self) -> None:
        """Release threads."""
        ...
