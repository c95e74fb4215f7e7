"""What an event is to the generator."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from simengine.world.stage import Stage


class Event(Protocol):
    """Something that happens around the ego: a frozen dataclass of parameters that can stage itself."""

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """Return a place with the ego and everyone the event needs.

        Args:
            rng: source of all choices.
            difficulty: 0 (easy) to 1 (hard).
        """
        ...
