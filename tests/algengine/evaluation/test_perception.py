from dataclasses import replace

import numpy as np
import pytest
import torch

from algengine.evaluation.perception import PerceptionMetric, found_table, truth_table
from algengine.structures.map_truth import MapPrediction
from algengine.structures.objects import ClipObjects, FoundObjects

pytestmark = pytest.mark.mm


def make_truth() -> ClipObjects:
    """Return two objects over three frames; the second is there in the last frame only."""
    boxes = torch.zeros(3, 2, 9)
    boxes[..., 3:6] = torch.tensor([4.0, 2.0, 1.5])
    boxes[:, 0, 0], boxes[:, 1, 0] = torch.arange(3.0), 20.0
    present = torch.tensor([[True, False], [True, False], [True, True]])
    blank = torch.zeros(3, 2, 7, 2)
    return ClipObjects(
        boxes, present, torch.tensor([0, 2]), torch.tensor([4, 9]), blank, blank[..., 0].bool()
    )


def make_found(truth: ClipObjects) -> FoundObjects:
    scores = torch.where(truth.present, 0.9, 0.01)
    return FoundObjects(truth.boxes, scores, truth.labels.expand(3, -1), truth.ids.expand(3, -1))


def test_tables_hold_what_is_there():
    truth = truth_table(make_truth())
    assert truth.frame.tolist() == [0, 1, 2, 2] and truth.ids.tolist() == [4, 4, 4, 9]
    assert truth.labels.tolist() == [0, 0, 0, 2]
    found = found_table(make_found(make_truth()), 0.02)
    assert np.allclose(found.boxes, truth.boxes) and found.scores.tolist() == pytest.approx([0.9] * 4)


def test_all_figures_of_a_perfect_model():
    truth = make_truth()
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, 1] = True
    sample = {
        "gt_objects": truth,
        "pred_objects": make_found(truth),
        "gt_map_labels": torch.tensor([1]),
        "gt_map_masks": mask,
        "gt_map_drivable": ~mask[0],
        "pred_map": MapPrediction(torch.tensor([1]), torch.ones(1), mask, ~mask[0]),
    }
    metric = PerceptionMetric()
    metric.process({}, [sample, sample])
    figures = metric.compute_metrics(metric.results)
    wanted = {
        "NDS": 1.0,
        "mAP": 1.0,
        "AMOTA": 1.0,
        "MOTA": 1.0,
        "IDS": 0.0,
        "IoU_drivable": 1.0,
        "IoU_crossing": 1.0,
    }
    assert {name: figures[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)
    assert np.isnan(figures["IoU_divider"])


def test_clips_do_not_share_identities():
    truth = make_truth()
    metric = PerceptionMetric()
    swapped = replace(make_found(truth), ids=truth.ids.flip(0).expand(3, -1))
    metric.process({}, [{"gt_objects": truth, "pred_objects": make_found(truth)}])
    metric.process({}, [{"gt_objects": truth, "pred_objects": swapped}])
    assert metric.compute_metrics(metric.results)["IDS"] == 0
