from dataclasses import fields

import pytest
import torch

from alg_factories import CAMERAS
from algengine import registry
from algengine.datasets.collate import planning_collate
from algengine.datasets.recordings import RecordingDataset
from algengine.evaluation import detection, tracking
from algengine.evaluation.perception import PerceptionMetric, numbered
from algengine.structures.objects import FoundObjects
from perception_factories import AREA, tiny_uniad_config, write_perception_recordings

pytestmark = pytest.mark.mm


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> RecordingDataset:
    folder = write_perception_recordings(tmp_path_factory.mktemp("run"), 2)
    return RecordingDataset(
        str(folder),
        part="all",
        clip_length=3,
        clip_stride=8,
        image_size=(64, 36),
        cameras=CAMERAS,
        objects=AREA,
    )


def make_model(seed: int = 0, **changes: object):
    torch.manual_seed(seed)
    return registry.MODELS.build(tiny_uniad_config(**changes))


def batch_of(model, dataset, rows, training=False):
    return model.data_preprocessor(planning_collate([dataset[i] for i in rows]), training)


def test_a_batch_finds_what_its_samples_find(dataset):
    model = make_model(
        track_head=tiny_uniad_config()["track_head"] | {"life_cycle": {"birth": 0.0101, "keep": 0.0099}}
    ).eval()
    with torch.no_grad():
        whole = model(**batch_of(model, dataset, [0, 1]), mode="predict")
        for i, together in enumerate(whole):
            [alone] = model(**batch_of(model, dataset, [i]), mode="predict")
            for field in fields(FoundObjects):
                one, other = (getattr(s.pred_objects, field.name).float() for s in (alone, together))
                assert torch.allclose(one, other, atol=1e-4), field.name
    assert (whole[0].pred_objects.ids >= 0).any()


def test_the_loss_of_a_batch_is_that_of_its_samples(dataset):
    # Without dropout and noise only the division by the number of objects ties samples together.
    head = tiny_uniad_config()["track_head"] | {
        "noise": {"overlap": 0.0, "drop": 0.0, "false_positives": 0.0}
    }
    model = make_model(track_head=head)
    model.train()
    model.backbone.eval()
    whole = model(**batch_of(model, dataset, [0, 0]), mode="loss")
    alone = model(**batch_of(model, dataset, [0]), mode="loss")
    for name, value in alone.items():
        assert whole[name].item() == pytest.approx(value.item(), rel=1e-3), name


def test_gradients_reach_every_part(dataset):
    model = make_model().train()
    losses = model(**batch_of(model, dataset, [0, 1], True), mode="loss")
    sum(value for name, value in losses.items() if "loss" in name).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_each_frame_is_encoded_once(dataset):
    model = make_model().eval()
    calls = []
    model.bev_encoder.register_forward_hook(lambda *_: calls.append("frame"))
    model.backbone.register_forward_hook(lambda *_: calls.append("images"))
    with torch.no_grad():
        model(**batch_of(model, dataset, [0]), mode="predict")
    assert calls == ["images", "frame", "frame", "frame"]


def test_a_clip_without_objects_has_a_loss(dataset):
    model = make_model().train()
    batch = batch_of(model, dataset, [0])
    empty = dataset._objects[0].clip(range(3), type(dataset.object_range)((90.0, 91.0), (0.0, 1.0)))
    batch["data_samples"][0].gt_objects = empty
    losses = model(**batch, mode="loss")
    assert all(torch.isfinite(value) for value in losses.values())


@pytest.mark.slow
def test_overfits_two_clips_until_it_detects_and_keeps_identities(dataset):
    model = make_model().train()
    batch = batch_of(model, dataset, range(2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    steps = 260
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for _ in range(steps):
        losses = model(**batch, mode="loss")
        optimizer.zero_grad()
        sum(value for name, value in losses.items() if "loss" in name).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    metric = PerceptionMetric()
    with torch.no_grad():
        samples = model.eval()(**batch, mode="predict")
    metric.process({}, [sample.to_dict() for sample in samples])
    truth, found = numbered(metric.results)
    detected = detection.evaluate_detection(truth, found)["vehicle"]
    followed = tracking.evaluate_tracking(truth, found)["vehicle"]
    assert detected.precision[2.0] > 0.95
    assert followed["ids"] == 0 and followed["amota"] > 0.9
