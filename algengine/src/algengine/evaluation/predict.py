"""Runs a planner over samples, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader

from algengine.evaluation.prediction import Prediction, displacement
from algengine.evaluation.samples import EvaluationSet, GuardedSamples, guarded_collate
from algengine.planners.vadv2 import VADv2


def predict(
    planner: VADv2,
    chosen: EvaluationSet,
    tokens: Sequence[str],
    device: torch.device | str = "cpu",
    batch_size: int = 1,
    workers: int = 0,
) -> Iterator[Prediction]:
    """Yield the choice for each token, in order; a sample that cannot be made gives one with `error`.

    Args:
        planner: in evaluation mode, on `device`.
        chosen: the samples.
        tokens: of them.
        device: where to compute.
        batch_size: samples at a time. On the CPU choices do not depend on it beyond rounding; 1 rules that out.
        workers: processes that read and decode images.
    """
    loader = DataLoader(
        GuardedSamples(chosen, tokens),
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=guarded_collate,
        pin_memory=torch.device(device).type == "cuda",
    )
    for named, batch, failed in loader:
        if batch is not None:
            yield from _choices(planner, named, batch)
        yield from (Prediction(token, error=error) for token, error in failed)


@torch.inference_mode()
def _choices(planner: VADv2, tokens: Sequence[str], batch: dict) -> list[Prediction]:
    truth = [
        (sample.gt_trajectory[-1].numpy(), sample.gt_valid[-1].numpy(), sample.metainfo.get("log_name", ""))
        for sample in batch["data_samples"]
    ]
    prepared = planner.data_preprocessor(batch, False)
    samples = planner(prepared["inputs"], prepared["data_samples"], mode="predict")
    found = []
    for token, sample, (driven, valid, log_name) in zip(tokens, samples, truth, strict=True):
        plan = sample.pred_trajectory[-1].float().cpu().numpy()
        poses = tuple(tuple(float(value) for value in pose) for pose in plan)
        errors = displacement(plan, driven, valid)
        found.append(Prediction(token, str(log_name), int(sample.pred_index[-1]), poses, *errors))
    return found
