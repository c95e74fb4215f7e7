"""Outputs, outcomes and run folders for tests of post-training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from alg_factories import CAMERAS, make_vocabulary, tiny_model_config
from algengine.engine.weights import build_planner
from algengine.heads.sub_score_heads import SUB_SCORES
from algengine.post_training.base import BasePlanner
from algengine.post_training.outcome import Outcomes
from factories import make_scenario
from metrics_factories import make_record
from simengine.datatypes.observation_log import ObservationLog
from simengine.datatypes.record_io import save_record
from simengine.rewards.reward_file import save_rewards
from simengine.rewards.scores import VocabularyScores, unknown_scores
from simengine.rewards.vocabulary import Vocabulary


def make_outputs(seed: int, batch: int = 4, plans: int = 7, sub_scores: bool = True) -> dict[str, Tensor]:
    """Return random float64 logits (batch, plans) by name."""
    generator = torch.Generator().manual_seed(seed)
    names = ("imitation", *(SUB_SCORES if sub_scores else ()))
    return {n: torch.randn(batch, plans, generator=generator, dtype=torch.float64) for n in names}


def make_outcomes(seed: int, batch: int = 4, plans: int = 7, sub_scores: bool = True) -> Outcomes:
    """Return random outcomes: every kind of decision, some perfect plans, some to be imitated."""
    generator = torch.Generator().manual_seed(1000 + seed)

    def uniform() -> Tensor:
        return torch.rand(batch, plans, generator=generator, dtype=torch.float64)

    rewards = {name: uniform() for name in SUB_SCORES} | {"score": uniform()}
    rewards["score"][:, ::3] = 1.0
    return Outcomes(
        rewards=rewards,
        nearest=uniform().argmin(-1),
        driven=torch.ones(batch, dtype=torch.bool),
        fail_mask=torch.tensor([0, 1, -1] * batch)[:batch],
        reference=make_outputs(500 + seed, batch, plans, sub_scores),
        behaviour=torch.full((batch,), -1),
    )


def write_run(
    folder: Path,
    plans: np.ndarray,
    logs: list[ObservationLog],
    driven: int = 0,
    score: Callable[[int, int], np.ndarray] | None = None,
) -> Path:
    """Write observations, rewards and records of `logs` as a run of `simengine run` leaves them, and return its folder.

    Args:
        folder: of the run.
        plans: (K, T, 3) vocabulary.
        logs: rollouts.
        driven: plan that was driven at every decision, -1 for none of the vocabulary.
        score: scores (K,) by number of the log and of the decision; by default the first plans are good.
    """
    vocabulary = Vocabulary(plans)
    default = np.linspace(1.0, 0.0, len(plans))
    for number, log in enumerate(logs):
        log.save(folder / "observations" / f"{log.token}.npz")
        rows = [
            make_scores(log.token, step, default if score is None else score(number, step))
            for step in range(log.num_decisions)
        ]
        save_rewards(folder / "rewards" / f"{log.token}.npz", rows, vocabulary)
        record = make_record(
            make_scenario(),
            token=log.token,
            decision_frames=log.decision_frames,
            plan_indices=np.full(log.num_decisions, driven),
            plans=np.repeat(plans[:1].astype(np.float64), log.num_decisions, axis=0),
            commands=np.zeros(log.num_decisions, np.int8),
        )
        save_record(record, folder / "records" / f"{log.token}.npz")
    return folder


def make_scores(token: str, step: int, score: np.ndarray) -> VocabularyScores:
    """Return rewards with that score; a plan with score 0 hits somebody. All NaN is unknown."""
    if np.isnan(score).all():
        return unknown_scores(token, step, "navsim_v1", len(score), "the log ends")
    ones = np.ones(len(score))
    return VocabularyScores(
        token,
        step,
        "navsim_v1",
        no_at_fault_collisions=(score > 0).astype(float),
        drivable_area_compliance=ones,
        ego_progress=score,
        time_to_collision_within_bound=ones,
        comfort=ones,
        driving_direction_compliance=ones,
        lane_keeping=ones,
        score=score,
    )


def make_base(plans: int = 12, **head: object) -> BasePlanner:
    """Return a tiny planner with random weights and the vocabulary of `alg_factories`; `head` changes its config."""
    model = tiny_model_config(plans)
    model["head"] = model["head"] | head
    torch.manual_seed(0)
    state = build_planner(model).state_dict()
    state["head.vocabulary"] = torch.from_numpy(make_vocabulary(plans))
    return BasePlanner(model, state, CAMERAS, {"config": "tiny"})
