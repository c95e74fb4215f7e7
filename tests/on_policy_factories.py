"""A world without a simulator: recorded observations, and rewards that say which plan is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alg_factories import make_log, make_observation
from algengine.on_policy.world import Answer
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.rewards.columns import COLUMNS

PLANS = 12


class ToyWorld:
    """Cars of different speed; in every scenario one plan is right.

    Args:
        scenarios: how many.
        decisions: of an episode.
        unknown: token whose rewards are not known.
        right: the right plans of the scenarios, over and over.
    """

    def __init__(
        self, scenarios: int = 6, decisions: int = 3, unknown: str = "", right: Sequence[int] = (7,)
    ) -> None:
        self._logs = [
            make_log(f"toy_{k}", 3.0 if k % 2 else 11.0, decisions=decisions) for k in range(scenarios)
        ]
        self._decisions, self._unknown, self._right = decisions, unknown, tuple(right)
        self._at: list[int] = []
        self._step = 0
        self.driven: list[list[int]] = []

    @property
    def tokens(self) -> tuple[str, ...]:
        return tuple(log.token for log in self._logs)

    def describe(self) -> dict:
        return {"decisions": self._decisions, "unknown": self._unknown, "right": list(self._right)}

    def begin(self, scenarios: Sequence[int]) -> list[Observation]:
        self._at, self._step = list(scenarios), 0
        return [make_observation(self._logs[k], 0) for k in scenarios]

    def advance(self, plans: Sequence[Plan]) -> list[Answer]:
        self.driven.append([plan.vocabulary_index for plan in plans])
        self._step += 1
        over = self._step == self._decisions
        return [
            Answer(self.rewards(k), None if over else make_observation(self._logs[k], self._step))
            for k in self._at
        ]

    def close(self) -> None:
        pass

    def right(self, scenario: int) -> int:
        """Return the plan that earns everything in a scenario."""
        return self._right[scenario % len(self._right)]

    def rewards(self, scenario: int) -> dict[str, np.ndarray]:
        """Return all columns (K,) of a scenario."""
        score = np.where(np.arange(PLANS) == self.right(scenario), 1.0, 0.1).astype(np.float32)
        if self._logs[scenario].token == self._unknown:
            return {name: np.full(PLANS, np.nan, np.float32) for name in COLUMNS}
        ones = np.ones(PLANS, np.float32)
        return {name: ones for name in COLUMNS} | {
            "score": score,
            "no_at_fault_collisions": np.float32(score == 1),
        }
