"""The map half inside the perception model: labels from files, losses, predictions and the metric."""

import numpy as np
import pytest
import torch

from alg_factories import CAMERAS, make_log
from algengine import registry
from algengine.datasets.bev_labels import LabelGrid
from algengine.datasets.collate import planning_collate
from algengine.datasets.map_label_files import map_labels_path, save_map_labels
from algengine.datasets.map_labels import MapElements
from algengine.datasets.recordings import RecordingDataset
from algengine.evaluation.map_segmentation import KINDS, MapIoUMetric
from map_factories import make_marked_road
from perception_factories import AREA, tiny_uniad_config

pytestmark = pytest.mark.mm

MAP_HEAD = {
    "type": "PansegformerHead",
    "dims": 32,
    "heads": 2,
    "points": 2,
    "hidden": 32,
    "num_queries": 8,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "things_blocks": 1,
    "stuff_blocks": 1,
    "upsample": 4,
}
GRID = LabelGrid(**AREA, cell=1.6)


def make_dataset(run) -> RecordingDataset:
    elements = MapElements(make_marked_road(), GRID)
    for i, speed in enumerate((4.0, 8.0)):
        log = make_log(f"log_{i}", speed, 0.0, decisions=12)
        path = run / "observations" / f"{log.token}.npz"
        log.save(path)
        save_map_labels([elements.draw(pose) for pose in log.ego_pose], GRID, map_labels_path(path))
    return RecordingDataset(
        str(run / "observations"),
        part="all",
        clip_length=3,
        image_size=(64, 36),
        cameras=CAMERAS,
        map_grid={**AREA, "cell": 1.6},
    )


def test_labels_are_those_of_the_last_frame(tmp_path, monkeypatch):
    dataset = make_dataset(tmp_path)
    elements = MapElements(make_marked_road(), GRID)
    for row in (0, len(dataset) - 1):
        clip, sample = dataset.clips[row], dataset[row]["data_samples"]
        expected = elements.draw(dataset.logs[clip.log].ego_pose[clip.first + 2])
        assert np.array_equal(sample.gt_map_masks.numpy(), expected.masks)
        assert np.array_equal(sample.gt_map_drivable.numpy(), expected.drivable)
    # A frame 3.2 m to the left has everything two cells further right; what comes into sight there is unknown.
    there = dataset[0]["data_samples"].gt_map_drivable
    monkeypatch.setattr(dataset, "_draw_shift", lambda *_: (np.array([0.0, 3.2, 0.0]), 0))
    moved = dataset[0]["data_samples"].gt_map_drivable
    assert torch.equal(moved[:-2], there[2:]) and there.any() and not moved[-2:].any()


def test_model_learns_and_draws_maps(tmp_path):
    torch.manual_seed(0)
    dataset = make_dataset(tmp_path)
    model = registry.MODELS.build(tiny_uniad_config(track_head=None, map_head=MAP_HEAD))
    batch = planning_collate([dataset[0], dataset[len(dataset) - 1]])
    losses = model(**model.data_preprocessor(batch, True), mode="loss")
    assert {name.split("_")[0] for name in losses} == {"map.loss"}
    model.parse_losses(losses)[0].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    samples = model.eval()(**model.data_preprocessor(batch, False), mode="predict")
    metric = MapIoUMetric()
    metric.process({}, [sample.to_dict() for sample in samples])
    scores = metric.evaluate(size=2)
    assert set(scores) == {f"map_iou/{name}" for name in KINDS}
    assert 0.0 <= scores["map_iou/lanes"] <= 1.0
