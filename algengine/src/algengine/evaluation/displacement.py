"""How far chosen plans end up from what was driven, on held-out recordings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric

from algengine.datasets.openscene.places import located
from algengine.datasets.vocabulary import load_vocabulary
from algengine.losses.imitation import trajectory_distance
from algengine.registry import METRICS


@METRICS.register_module()
class DisplacementMetric(BaseMetric):
    """Average and final displacement error [m], best possible error of the vocabulary, and top-1 accuracy.

    Args:
        vocabulary: path of the plans (.npy).
        stride: compare every `stride`-th pose.
    """

    default_prefix = "plan"

    def __init__(self, vocabulary: str, stride: int = 5, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.vocabulary = torch.from_numpy(load_vocabulary(located(vocabulary)))
        self.stride = stride

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the errors of each fully recorded frame."""
        for sample in data_samples:
            driven, valid = sample["gt_trajectory"].cpu(), sample["gt_valid"].cpu()
            plan, index = sample["pred_trajectory"].cpu(), sample["pred_index"].cpu()
            # A planner that is supervised at the last frame of a clip predicts for that one only.
            driven, valid = driven[-len(plan) :], valid[-len(plan) :]
            distance = trajectory_distance(self.vocabulary, driven, valid, self.stride)
            gap = (plan[..., :2] - driven[..., :2]).norm(dim=-1)[:, self.stride - 1 :: self.stride]
            best = distance.min(-1).values / gap.shape[1]
            top1 = (distance.argmin(-1) == index).float()
            rows = torch.stack([gap.mean(-1), gap[:, -1], gap[:, 1], best, top1], dim=-1)
            self.results.append(rows[valid.all(-1)])

    def compute_metrics(self, results: list[torch.Tensor]) -> dict[str, float]:
        """Return means over all frames."""
        mean = torch.cat(results).mean(0)
        return dict(zip(("ade", "fde", "error_1s", "best_ade", "top1"), mean.tolist(), strict=True))
