"""Driving to learn: many scenes at once, the whole vocabulary scored at every decision.

S scenes, D decisions, K plans; B = S D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from algengine.on_policy.eyes import Eyes
from algengine.on_policy.world import World
from algengine.planners.vadv2 import VADv2
from algengine.post_training.batches import Batch
from algengine.post_training.outcome import Outcomes
from algengine.post_training.policy import log_policy
from algengine.structures.fail_mask import SYNTHETIC
from simengine.datatypes.plan import Plan

PLAN_DT = 0.1
_SAFE = ("no_at_fault_collisions", "drivable_area_compliance")


@dataclass(frozen=True)
class Experience:
    """What was seen and earned in one round.

    Attributes:
        batch: all B decisions, those of one instant together.
        driven: mean score of the driven plans, of known decisions.
        expected: mean score of the policy, likewise.
        clean: share of scenes whose driven plans never hit anybody or left the road within their four seconds.
    """

    batch: Batch
    driven: float
    expected: float
    clean: float


@torch.no_grad()
def collect(
    world: World,
    student: VADv2,
    reference: VADv2,
    eyes: Eyes,
    scenarios: Sequence[int],
    explore: float,
    generator: torch.Generator,
) -> Experience:
    """Drive an episode in each of some scenarios and return everything needed to learn from it.

    Args:
        world: simulator.
        student: in evaluation mode; only its head is used.
        reference: frozen planner that the student is held near to, likewise.
        eyes: of both.
        scenarios: numbers.
        explore: share of decisions drawn from the policy instead of its likeliest plan, which is driven at the wheel.
        generator: of these draws, on the CPU.
    """
    plans = reference.head.vocabulary.double().cpu().numpy()
    steps: list[Batch] = []
    observations = world.begin(scenarios)
    eyes.forget()
    while observations:
        bev, status = eyes.look(observations)
        frozen = reference.head(bev, status)
        log_pi = log_policy(student.head(bev, status), student.head.ranking).cpu()
        index = _choose(log_pi, explore, generator)
        answers = world.advance([Plan(plans[k], PLAN_DT, vocabulary_index=k) for k in index.tolist()])
        rewards = {
            name: torch.from_numpy(np.stack([answer.rewards[name] for answer in answers]))
            for name in answers[0].rewards
        }
        steps.append(Batch(bev, status, _outcomes(rewards, frozen, index)).to(bev.device))
        observations = [answer.observation for answer in answers if answer.observation is not None]
    return _experience(joined(steps), student, len(scenarios))


def _choose(log_pi: Tensor, explore: float, generator: torch.Generator) -> Tensor:
    """Return a plan (S,) per scene; as many numbers are drawn whatever is chosen."""
    drawn = torch.multinomial(log_pi.exp(), 1, generator=generator)[:, 0]
    tries = torch.rand(len(log_pi), generator=generator) < explore
    return torch.where(tries, drawn, log_pi.argmax(-1))


def _outcomes(rewards: dict[str, Tensor], frozen: dict[str, Tensor], index: Tensor) -> Outcomes:
    """Nobody shows how to drive here: there is nothing to imitate."""
    count = len(index)
    return Outcomes(
        rewards=rewards,
        nearest=torch.zeros(count, dtype=torch.long),
        driven=torch.zeros(count, dtype=torch.bool),
        fail_mask=torch.full((count,), SYNTHETIC),
        reference=frozen,
        behaviour=index,
    )


def _experience(batch: Batch, student: VADv2, scenes: int) -> Experience:
    outcomes = batch.outcomes
    score, known = outcomes.rewards["score"], outcomes.known()
    chosen = outcomes.behaviour[:, None]
    policy = log_policy(student.head(batch.bev, batch.status), student.head.ranking).exp()
    safe = torch.stack([outcomes.rewards[n].gather(1, chosen)[:, 0] for n in _SAFE]).amin(0)
    bad = ((safe < 1.0) & known).view(-1, scenes).any(0)
    driven = score.gather(1, chosen)[:, 0][known]
    expected = (policy * score.to(policy)).sum(-1)[known]
    return Experience(batch, _mean(driven), _mean(expected), 1.0 - float(bad.float().mean()))


def _mean(values: Tensor) -> float:
    return float(values.mean()) if len(values) else float("nan")


def joined(batches: Sequence[Batch]) -> Batch:
    """Return several batches as one."""
    outcomes = [batch.outcomes for batch in batches]
    return Batch(
        torch.cat([batch.bev for batch in batches]),
        _cat([batch.status for batch in batches]),
        Outcomes(
            rewards=_cat([o.rewards for o in outcomes]),
            nearest=torch.cat([o.nearest for o in outcomes]),
            driven=torch.cat([o.driven for o in outcomes]),
            fail_mask=torch.cat([o.fail_mask for o in outcomes]),
            reference=_cat([o.reference for o in outcomes]),
            behaviour=torch.cat([o.behaviour for o in outcomes]),
        ),
    )


def taken(batch: Batch, rows: Tensor) -> Batch:
    """Return some decisions of a batch; the rows are on its device."""
    return batch.mapped(lambda value: value[rows])


def _cat(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
