import pytest
import torch

from alg_factories import CAMERAS, make_vocabulary, tiny_model_config, write_recordings
from algengine import registry
from algengine.datasets.collate import planning_collate
from algengine.datasets.recordings import RecordingDataset

pytestmark = pytest.mark.mm


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> RecordingDataset:
    folder = tmp_path_factory.mktemp("recordings")
    write_recordings(folder, 16, decisions=12)
    return RecordingDataset(
        str(folder), part="all", clip_length=2, clip_stride=8, image_size=(64, 36), cameras=CAMERAS
    )


def make_model(seed: int = 0):
    torch.manual_seed(seed)
    model = registry.MODELS.build(tiny_model_config(16))
    model.head.vocabulary.copy_(torch.from_numpy(make_vocabulary(16)))
    return model


def test_batch_equals_single(dataset):
    model = make_model().eval()
    samples = [dataset[i] for i in range(3)]
    with torch.no_grad():
        whole = model.forward(**model.data_preprocessor(planning_collate(samples)), mode="tensor")
        assert whole.shape == (3, 2, 16)
        for i, sample in enumerate(samples):
            one = model.forward(**model.data_preprocessor(planning_collate([sample])), mode="tensor")
            assert torch.allclose(one[0], whole[i], atol=1e-4)


def test_memory_changes_the_answer_and_each_sample_keeps_its_own(dataset):
    model = make_model().eval()
    batch = planning_collate([dataset[0], dataset[5]])
    with torch.no_grad():
        inputs = model.data_preprocessor(batch)["inputs"]
        maps = model.encode_clip(inputs)
        alone = model.encode_clip(
            {k: v[:, 1:] for k, v in inputs.items() if k in ("images", "motion")}
            | {k: inputs[k] for k in ("intrinsic", "cam_from_ego", "distortion")}
        )
        other = {k: v.clone() for k, v in inputs.items()}
        other["images"][1, 0] += 1.0
        changed = model.encode_clip(other)
    assert not torch.allclose(maps[1], alone[0], atol=1e-3)
    assert torch.allclose(maps[1][0], changed[1][0], atol=1e-5)
    assert not torch.allclose(maps[1][1], changed[1][1], atol=1e-3)


def test_predict_fills_the_samples(dataset):
    model = make_model().eval()
    data = model.data_preprocessor(planning_collate([dataset[0], dataset[1]]))
    with torch.no_grad():
        samples = model.forward(**data, mode="predict")
    assert samples[1].pred_trajectory.shape == (2, 40, 3)
    assert torch.equal(samples[0].pred_scores.argmax(-1), samples[0].pred_index)
    assert torch.allclose(samples[0].pred_scores.exp().sum(-1), torch.ones(2), atol=1e-4)


def test_gradients_reach_every_part(dataset):
    model = make_model().train()
    losses = model.forward(
        **model.data_preprocessor(planning_collate([dataset[0], dataset[1]]), True), mode="loss"
    )
    losses["loss_imitation"].backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []


def test_memorises_sixteen_samples(tmp_path):
    write_recordings(tmp_path, 16, decisions=9)
    data = RecordingDataset(
        str(tmp_path), part="all", clip_length=1, clip_stride=8, image_size=(64, 36), cameras=CAMERAS
    )
    model = make_model().train()
    batch = model.data_preprocessor(planning_collate([data[i] for i in range(16)]))
    with torch.no_grad():
        target = torch.stack([s.gt_trajectory[0] for s in batch["data_samples"]])
        model.head.vocabulary.copy_(target)  # each sample is its own plan
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(60):
        losses = model.forward(**batch, mode="loss")
        optimizer.zero_grad()
        losses["loss_imitation"].backward()
        optimizer.step()
    assert losses["top1"] > 0.85
    assert losses["ade"] < 0.5
