"""Which weights of the ranking let a planner with sub-scores choose the best plans on held-out decisions.

N decisions, K plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from algengine.datasets.collate import planning_collate
from algengine.heads.sub_score_heads import PUBLISHED_RANKING, SUB_SCORES, Ranking, combine_scores
from algengine.heads.trajectory_scoring import IMITATION
from algengine.planners.vadv2 import VADv2
from simengine.errors import ConfigError
from simengine.metrics.pdm.aggregate import pdm_score
from simengine.metrics.pdm.parameters import NAVSIM_V1

# Only ratios of the weights matter, so that of the average stays. Coarse steps: held-out decisions are few.
_IMITATION = (0.0, 0.05, 0.15, 0.5, 1.5, 5.0, 15.0)
_MULTIPLIERS = (0.15, 0.5, 1.5, 5.0, 15.0)


@dataclass(frozen=True)
class HeldOut:
    """What a planner thinks of every plan, and what they are worth.

    Attributes:
        logits: (N, K) by name, see `TrajectoryScoringHead.forward`.
        scores: (N, K) true PDM scores.
    """

    logits: dict[str, Tensor]
    scores: Tensor

    def earned(self, ranking: Ranking | None) -> float:
        """Return the mean true score of the plans that a ranking chooses; None ranks by imitation alone."""
        sub_scores = {name: self.logits[name] for name in SUB_SCORES} if ranking is not None else {}
        ranked = combine_scores(self.logits[IMITATION], sub_scores, ranking or PUBLISHED_RANKING)
        return float(self.scores.gather(1, ranked.argmax(-1, keepdim=True)).mean())


def candidates() -> Iterator[Ranking]:
    """Yield the rankings to choose from, the published one first."""
    yield PUBLISHED_RANKING
    for imitation, multipliers in product(_IMITATION, _MULTIPLIERS):
        yield Ranking(imitation, multipliers, PUBLISHED_RANKING.average)


def best_ranking(held_out: HeldOut) -> Ranking:
    """Return the candidate that earns most; of equal ones the first."""
    return max(candidates(), key=held_out.earned)


@torch.inference_mode()
def held_out_decisions(planner: VADv2, data: Dataset, batch_size: int = 4, workers: int = 0) -> HeldOut:
    """Return a planner's logits and the true scores of all decisions of `data` whose scores are known.

    Args:
        planner: with sub-score heads, in evaluation mode; it computes where it is.
        data: samples with `gt_sub_scores`, not displaced.
        batch_size: samples at a time.
        workers: processes that decode images.

    Raises:
        ConfigError: the planner or the samples have no sub-scores.
    """
    if planner.head.sub_scores is None:
        raise ConfigError(
            "the planner predicts no sub-scores, expected one that ranks by them: train it with "
            "model.head.sub_scores=True"
        )
    logits: dict[str, list[Tensor]] = {name: [] for name in (IMITATION, *SUB_SCORES)}
    scores: list[Tensor] = []
    for batch in DataLoader(data, batch_size, collate_fn=planning_collate, num_workers=workers):
        if not all("gt_sub_scores" in sample for sample in batch["data_samples"]):
            raise ConfigError(
                "the validation data have no sub-scores, expected val_dataloader.dataset.sub_scores: record them with "
                "rewards.vocabulary"
            )
        outputs = planner.logits(planner.data_preprocessor(batch, False)["inputs"])
        frames = len(outputs[IMITATION]) // len(batch["data_samples"])
        truth = torch.cat([sample.gt_sub_scores[-frames:] for sample in batch["data_samples"]])
        score = plan_scores(truth)
        known = ~score.isnan().any(-1)
        scores.append(score[known])
        for name, values in logits.items():
            values.append(outputs[name].float().cpu()[known])
    return HeldOut({name: torch.cat(values) for name, values in logits.items()}, torch.cat(scores))


def plan_scores(sub_scores: Tensor) -> Tensor:
    """Return the PDM scores (N, K) of true sub-scores (N, len(SUB_SCORES), K); NaN where one is not known."""
    by_name = dict(zip(SUB_SCORES, sub_scores.double().numpy().transpose(1, 0, 2), strict=True))
    multiplier = by_name["no_at_fault_collisions"] * by_name["drivable_area_compliance"]
    score = pdm_score(
        multiplier,
        progress=by_name["ego_progress"],
        ttc=by_name["time_to_collision_within_bound"],
        comfort=by_name["comfort"],
        # Has weight 0 in the score.
        direction=multiplier,
        parameters=NAVSIM_V1,
    )
    return torch.from_numpy(score)
