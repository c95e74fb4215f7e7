"""What each term of post-training does, on a contextual bandit that takes seconds instead of a simulator.

A context says how fast the road is and whether something stands on it, and where; a plan is a lateral offset and a
speed; all sub-scores follow from both. The base policy imitates drives on empty roads and never saw an obstacle. It is
post-trained on a few contexts, half of them with obstacles, and judged on fresh ones:

    python benchmarks/post_training_ablation.py --seeds 5
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from algengine.heads.sub_score_heads import SUB_SCORES
from algengine.post_training.objective import ExpectationObjective
from algengine.post_training.outcome import Outcomes
from algengine.post_training.policy import log_policy
from algengine.post_training.published import PublishedObjective

OFFSETS, SPEEDS = torch.linspace(-1.0, 1.0, 11), torch.linspace(0.0, 1.0, 6)
PLANS = torch.cartesian_prod(OFFSETS, SPEEDS)
TRAINING, FRESH, UPDATES = 64, 2000, 300
OURS = ExpectationObjective(kl_weight=0.05)
VARIANTS = {
    "ours: exact, KL(pi || ref) 0.05": OURS,
    "without KL": replace(OURS, kl="none"),
    "KL(ref || pi) 0.05": replace(OURS, kl="reference_policy"),
    "KL 0.5": replace(OURS, kl_weight=0.5),
    "with entropy 0.05": replace(OURS, entropy_weight=0.05),
    "with imitation 0.1": replace(OURS, imitation_weight=0.1),
    "advantage normalised": replace(OURS, normalize=True),
    "no reward (KL only)": replace(OURS, reward_weight=0.0),
    "sampled, 4 draws, baseline": replace(OURS, estimator="sampled", samples=4),
    "sampled, 4 draws, no baseline": replace(OURS, estimator="sampled", samples=4, baseline="none"),
    "published": PublishedObjective(),
    "published, PG weight 0": PublishedObjective(pg_weight=0.0),
    "published, PG weight 1": PublishedObjective(pg_weight=1.0),
}


class Policy(nn.Module):
    """Logits of every plan, and of its sub-scores for the published objective."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.heads = nn.ModuleDict({n: nn.Linear(64, len(PLANS)) for n in ("imitation", *SUB_SCORES)})

    def forward(self, contexts: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
        """Return logits (B, K) of the outputs `names`."""
        hidden = self.body(contexts)
        return {name: self.heads[name](hidden) for name in names}


def draw_contexts(count: int, rare: bool, generator: torch.Generator) -> Tensor:
    """Return (count, 3): speed of the road, whether something stands there, and its offset."""
    speed = 0.4 + 0.6 * torch.rand(count, generator=generator)
    place = torch.rand(count, generator=generator) - 0.5
    there = torch.full_like(speed, float(rare))
    return torch.stack([speed, there, place * there], dim=1)


def rewards(contexts: Tensor) -> dict[str, Tensor]:
    """Return all sub-scores and the score (B, K) of every plan."""
    road, there, place = (contexts[:, i, None] for i in range(3))
    offset, speed = PLANS[:, 0], PLANS[:, 1]
    gap = (offset - place).abs()
    columns = {
        "no_at_fault_collisions": 1.0 - there * ((gap < 0.35) & (speed > 0.3)),
        "drivable_area_compliance": (offset.abs() < 0.85).float().expand(len(contexts), -1),
        "time_to_collision_within_bound": 1.0 - there * ((gap < 0.5) & (speed > 0.5)),
        "comfort": (offset.abs() < 0.7).float().expand(len(contexts), -1),
        "ego_progress": (speed / road).clamp(max=1.0) * (speed < road + 0.1),
    }
    nc, dac, ttc, comfort, progress = columns.values()
    return columns | {"score": nc * dac * (5 * ttc + 5 * progress + 2 * comfort) / 12}


def distance(contexts: Tensor) -> Tensor:
    """Return how far (B, K) plans are from the drive on an empty road: straight on, as fast as the road."""
    return 8.0 * torch.hypot(PLANS[:, 0], PLANS[:, 1] - contexts[:, :1])


def pretrain(seed: int) -> Policy:
    torch.manual_seed(seed)
    policy = Policy()
    optimizer = torch.optim.Adam(policy.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(400):
        contexts = draw_contexts(64, False, generator)
        logits = policy(contexts, ("imitation",))["imitation"]
        loss = nn.functional.cross_entropy(logits, (-2.0 * distance(contexts)).softmax(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return policy


def post_train(base: Policy, objective: ExpectationObjective | PublishedObjective, seed: int) -> Policy:
    generator = torch.Generator().manual_seed(1000 + seed)
    parts = [draw_contexts(TRAINING // 2, rare, generator) for rare in (True, False)]
    contexts, names = torch.cat(parts), names_of(objective)
    with torch.no_grad():
        reference = base(contexts, names)
    mask = torch.tensor([1] * (TRAINING // 2) + [0] * (TRAINING // 2))
    driven, nobody = torch.ones(TRAINING, dtype=torch.bool), torch.full((TRAINING,), -1)
    outcomes = Outcomes(rewards(contexts), distance(contexts).argmin(-1), driven, mask, reference, nobody)
    policy = copy.deepcopy(base)
    optimizer = torch.optim.Adam(policy.parameters(), 1e-3)
    torch.manual_seed(seed)
    for _ in range(UPDATES):
        losses = objective(policy(contexts, names), outcomes)
        optimizer.zero_grad()
        sum(v for n, v in losses.items() if n.startswith("loss_")).backward()
        optimizer.step()
    return policy


def names_of(objective: ExpectationObjective | PublishedObjective) -> tuple[str, ...]:
    return ("imitation", *SUB_SCORES) if isinstance(objective, PublishedObjective) else ("imitation",)


@torch.no_grad()
def judge(policy: Policy, names: tuple[str, ...], seed: int) -> list[float]:
    """Return the score of the likeliest plan on rare and on common contexts, and the entropy on common ones."""
    generator = torch.Generator().manual_seed(2000 + seed)
    result = []
    for rare in (True, False):
        contexts = draw_contexts(FRESH, rare, generator)
        log_pi = log_policy(policy(contexts, names))
        result.append(
            float(100 * rewards(contexts)["score"].gather(1, log_pi.argmax(-1, keepdim=True)).mean())
        )
    return [*result, float(-(log_pi.exp() * log_pi).sum(-1).mean())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    bases = [pretrain(seed) for seed in seeds]
    rows = {"base": [judge(base, ("imitation",), seed) for seed, base in zip(seeds, bases, strict=True)]}
    for name, objective in VARIANTS.items():
        rows[name] = [
            judge(post_train(base, objective, seed), names_of(objective), seed)
            for seed, base in zip(seeds, bases, strict=True)
        ]
    table = {}
    for name, values in rows.items():
        mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
        table[name] = {
            "rare": f"{mean[0]:.1f} +- {spread[0]:.1f}",
            "common": f"{mean[1]:.1f} +- {spread[1]:.1f}",
            "entropy_common": round(float(mean[2]), 2),
        }
    print(json.dumps({"seeds": len(bases), "variants": table}, indent=1))


if __name__ == "__main__":
    main()
