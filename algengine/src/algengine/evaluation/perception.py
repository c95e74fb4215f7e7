"""The metric of the perception stage: detection, tracking and map over the clips of a validation set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from algengine.evaluation import detection, tracking
from algengine.evaluation.boxes import BoxTable
from algengine.evaluation.map_segmentation import intersection_over_union, sample_overlap
from algengine.evaluation.perception_console import render_perception
from algengine.registry import METRICS
from algengine.structures.objects import ClipObjects, FoundObjects


@dataclass(frozen=True)
class _Clip:
    """What was there and what was found in a clip; frames count from 0."""

    frames: int
    truth: BoxTable
    found: BoxTable
    overlap: torch.Tensor | None


@METRICS.register_module()
class PerceptionMetric(BaseMetric):
    """NDS, mAP and errors of detection, AMOTA, AMOTP, MOTA and IDS of tracking, IoU of the map; printed as a table.

    Each clip is a drive of its own: identities are followed within it, from its first frame to its last.

    Args:
        least_score: findings below are not looked at.
        options: of `BaseMetric`.
    """

    default_prefix = "perception"

    def __init__(self, least_score: float = 0.02, **options: object) -> None:
        super().__init__(**options)
        self.least_score = least_score

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep what was there and what was found."""
        for sample in data_samples:
            truth, found, frames = BoxTable.empty(), BoxTable.empty(), 0
            if "pred_objects" in sample:
                truth = truth_table(sample["gt_objects"])
                found = found_table(sample["pred_objects"], self.least_score)
                frames = len(sample["pred_objects"].scores)
            overlap = sample_overlap(sample) if "pred_map" in sample else None
            self.results.append(_Clip(frames, truth, found, overlap))

    def compute_metrics(self, results: list[_Clip]) -> dict[str, float]:
        """Return all figures and print a table of them."""
        figures: dict[str, float] = {}
        detected, tracked = {}, {}
        if any(clip.frames for clip in results):
            truth, found = numbered(results)
            detected = detection.evaluate_detection(truth, found)
            tracked = tracking.evaluate_tracking(truth, found)
            figures |= detection.summarize(detected) | tracking.summarize(tracked)
        overlaps = [clip.overlap for clip in results if clip.overlap is not None]
        if overlaps:
            figures |= {f"IoU_{name}": value for name, value in intersection_over_union(overlaps).items()}
        print_log(render_perception(figures, detected, tracked), "current")
        return figures


def numbered(clips: Sequence[_Clip]) -> tuple[BoxTable, BoxTable]:
    """Return the labelled and found boxes of all clips with numbers of their own for each frame and drive."""
    first = np.cumsum([0, *(clip.frames for clip in clips)])
    tables = []
    for kind in ("truth", "found"):
        parts = [getattr(clip, kind) for clip in clips]
        moved = [
            replace(part, frame=part.frame + first[i], drive=np.full(len(part), i, np.int64))
            for i, part in enumerate(parts)
        ]
        tables.append(BoxTable.join(moved))
    return tables[0], tables[1]


def truth_table(objects: ClipObjects) -> BoxTable:
    """Return the labelled boxes of a clip."""
    frame, row = objects.present.cpu().nonzero(as_tuple=True)
    return _table(
        frame, objects.boxes[frame, row], objects.labels[row], objects.ids[row], torch.ones(len(frame))
    )


def found_table(found: FoundObjects, least_score: float) -> BoxTable:
    """Return what was found in a clip with at least a score."""
    frame, row = (found.scores.cpu() >= least_score).nonzero(as_tuple=True)
    return _table(frame, *(getattr(found, name)[frame, row] for name in ("boxes", "labels", "ids", "scores")))


def _table(frame: torch.Tensor, *columns: torch.Tensor) -> BoxTable:
    boxes, labels, ids, scores = (column.detach().cpu().numpy() for column in columns)
    frames = frame.numpy()
    return BoxTable(frames, np.zeros_like(frames), boxes.astype(np.float64), labels, ids, scores)
