import math

import pytest
import torch

from algengine.evaluation.map_segmentation import MapIoUMetric
from algengine.registry import METRICS
from algengine.structures.map_truth import MapPrediction

pytestmark = pytest.mark.mm

DIVIDER, CROSSING = 0, 1


def row(*cells: int) -> torch.Tensor:
    return torch.isin(torch.arange(8), torch.tensor(cells)).reshape(1, 8)


def make_sample(gt: list[tuple[int, tuple[int, ...]]], found: list[tuple[int, tuple[int, ...]]]) -> dict:
    def stacked(elements: list) -> tuple[torch.Tensor, torch.Tensor]:
        masks = (
            torch.stack([row(*cells) for _, cells in elements]) if elements else torch.zeros(0, 1, 8).bool()
        )
        return torch.tensor([label for label, _ in elements], dtype=torch.long), masks

    labels, masks = stacked(found)
    return {
        "gt_map_labels": stacked(gt)[0],
        "gt_map_masks": stacked(gt)[1],
        "gt_map_drivable": row(0, 1, 2, 3),
        "pred_map": MapPrediction(labels, torch.ones(len(labels)), masks, row(2, 3, 4)),
    }


def test_counts_are_summed_before_they_are_divided():
    metric = METRICS.build({"type": "MapIoUMetric"})
    assert isinstance(metric, MapIoUMetric)
    samples = [
        # Two dividers found as one: cells are compared, not elements. One crossing cell is called a divider.
        make_sample([(DIVIDER, (0, 1)), (DIVIDER, (2,)), (CROSSING, (5,))], [(DIVIDER, (0, 1, 2, 5))]),
        make_sample([(CROSSING, (5, 6, 7))], [(CROSSING, (6, 7))]),
    ]
    metric.process({}, samples[:1])
    metric.process({}, samples[1:])
    scores = metric.evaluate(size=2)
    # Drivable: 2 of 5 cells in both samples. Lanes: (4 + 2) / (4 + 3). Divider: 3 / 4. Crossing: (0 + 2) / (1 + 3).
    expected = {"drivable": 4 / 10, "lanes": 6 / 7, "divider": 3 / 4, "crossing": 2 / 4}
    for name, value in expected.items():
        assert scores[f"map_iou/{name}"] == pytest.approx(value)
    assert math.isnan(scores["map_iou/contour"])


def test_frames_without_elements_count_what_was_invented():
    metric = MapIoUMetric()
    metric.process({}, [make_sample([], [(DIVIDER, (1, 2))]), make_sample([(DIVIDER, (1,))], [])])
    assert metric.evaluate(size=2)["map_iou/divider"] == 0.0
