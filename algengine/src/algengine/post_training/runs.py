"""Decisions of recorded runs: observations, rewards of the whole vocabulary, and what was driven, found by token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from algengine.errors import RecordingError
from simengine.datatypes.record_io import load_record
from simengine.rewards.columns import COLUMNS
from simengine.rewards.reward_file import RewardFile, open_rewards


@dataclass(frozen=True)
class Decision:
    """One decision to learn from.

    Attributes:
        run: folder with `observations/` and `rewards/`.
        token: scenario id.
        step: number of the decision, row of the observation log.
        row: row of the reward file.
        fail_mask: see `algengine.post_training.outcome`.
        driven: plan that was driven, -1 if it is none of the vocabulary.
    """

    run: Path
    token: str
    step: int
    row: int
    fail_mask: int = 0
    driven: int = -1

    @cached_property
    def observations(self) -> Path:
        """The observation log."""
        return self.run / "observations" / f"{self.token}.npz"

    @cached_property
    def rewards(self) -> Path:
        """The native file of rewards."""
        return self.run / "rewards" / f"{self.token}.npz"

    def columns(self, rewards: RewardFile | None = None) -> dict[str, np.ndarray]:
        """Return all rewards (K,) by name; unknown ones are NaN."""
        rewards = rewards or open_rewards(self.rewards)
        return {name: rewards.column(name, self.row) for name in COLUMNS}


def read_run(run: Path, vocabulary_key: str) -> Iterator[tuple[Decision, RewardFile]]:
    """Yield every decision of a run that has images and rewards, in order of tokens and steps.

    Args:
        run: output folder of `simengine run` with `rewards.vocabulary` and cameras recorded.
        vocabulary_key: of the planner's vocabulary, see `simengine.rewards.vocabulary.Vocabulary`.

    Raises:
        RecordingError: nothing can be used, or the rewards are of another vocabulary.
    """
    run = Path(run)
    observed = {path.stem for path in (run / "observations").glob("*.npz")}
    tokens = sorted(observed & {path.stem for path in (run / "rewards").glob("*.npz")})
    if not tokens:
        raise RecordingError(
            f"{run} has no scenario with observations and rewards: record it with `simengine run --config-name record "
            "(or rollout) rewards.vocabulary=PLANS.npy`"
        )
    for token in tokens:
        rewards = open_rewards(run / "rewards" / f"{token}.npz")
        if rewards.header["vocabulary"] != vocabulary_key:
            raise RecordingError(
                f"{rewards.path} scores the vocabulary {rewards.header['vocabulary'][:12]}, the planner has "
                f"{vocabulary_key[:12]}: record again with its own (`algengine post-train --vocabulary PLANS.npy`)"
            )
        driven = load_record(run / "records" / f"{token}.npz").plan_indices
        for row, step in enumerate(rewards.steps):
            # The published rewards have one more step, where nothing is decided.
            if step < len(driven):
                yield Decision(run, token, step, row, driven=int(driven[step])), rewards
