import pytest
import torch

from alg_factories import CAMERAS, make_vocabulary, tiny_model_config, write_recordings
from algengine import registry
from algengine.datasets.collate import planning_collate
from algengine.datasets.recordings import RecordingDataset
from algengine.heads.sub_score_heads import SUB_SCORES
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> RecordingDataset:
    folder = tmp_path_factory.mktemp("recordings")
    write_recordings(folder, 16, decisions=12)
    return RecordingDataset(
        str(folder), part="all", clip_length=2, clip_stride=8, image_size=(64, 36), cameras=CAMERAS
    )


def make_model(seed: int = 0, head: dict | None = None, bev_encoder: dict | None = None, **options):
    torch.manual_seed(seed)
    config = tiny_model_config(16) | options
    config["head"] |= head or {}
    config["bev_encoder"] |= bev_encoder or {}
    model = registry.MODELS.build(config)
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


def test_supervising_the_last_frame_gives_its_scores(dataset):
    every = make_model().eval()
    last = make_model(supervised="last").eval()
    batch = every.data_preprocessor(planning_collate([dataset[0], dataset[1]]))
    with torch.no_grad():
        wanted = every.forward(**batch, mode="tensor")
        found = last.forward(**batch, mode="tensor")
        assert found.shape == (2, 1, 16)
        assert torch.allclose(found[:, 0], wanted[:, 1], atol=1e-4)
        samples = last.forward(**batch, mode="predict")
    assert samples[0].pred_trajectory.shape == (1, 40, 3)


def test_past_frames_leave_no_trace_when_the_last_is_supervised(dataset):
    model = make_model(supervised="last").train()
    batch = model.data_preprocessor(planning_collate([dataset[0], dataset[1]]), True)
    statistics = model.backbone.bn1.num_batches_tracked.clone()
    model.forward(**batch, mode="loss")["loss_imitation"].backward()
    assert model.training and model.backbone.training
    assert model.backbone.bn1.num_batches_tracked == statistics + 1  # the last frame's pass, in training mode
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("compat", [False, True])
def test_frozen_parts_do_not_learn_and_keep_their_statistics(dataset, compat):
    model = make_model(frozen=("backbone", "neck"), compat=compat).train()
    batch = model.data_preprocessor(planning_collate([dataset[0], dataset[1]]), True)
    before = model.backbone.bn1.running_mean.clone()
    model.forward(**batch, mode="loss")["loss_imitation"].backward()
    assert torch.equal(model.backbone.bn1.running_mean, before) != compat  # as published they drift
    learning = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert learning == {"bev_encoder", "head"}


def test_recomputing_layers_gives_the_same_gradients(dataset):
    grads = []
    for recompute in (False, True):
        model = make_model(bev_encoder={"checkpointing": recompute}).train()
        batch = model.data_preprocessor(planning_collate([dataset[0], dataset[1]]), True)
        model.forward(**batch, mode="loss")["loss_imitation"].backward()
        grads.append({name: p.grad for name, p in model.named_parameters()})
    for name, grad in grads[0].items():
        assert torch.allclose(grad, grads[1][name], atol=1e-5), name


def test_unknown_supervision_is_one_sentence():
    with pytest.raises(ConfigError, match="expected 'all' or 'last'"):
        make_model(supervised="first")


def test_sub_score_heads_without_a_score_cache_are_one_sentence(dataset):
    model = make_model(head={"sub_scores": True}).train()
    with pytest.raises(ConfigError, match="algengine cache"):
        model.forward(**model.data_preprocessor(planning_collate([dataset[0]]), True), mode="loss")


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize("sub_scores", [False, True])
def test_memorises_sixteen_samples(tmp_path, compat, sub_scores):
    write_recordings(tmp_path, 16, decisions=9)
    data = RecordingDataset(
        str(tmp_path), part="all", clip_length=1, clip_stride=8, image_size=(64, 36), cameras=CAMERAS
    )
    encoder = {"can_bus": True, "constant_present": True, "shared_value": True} if compat else {}
    model = make_model(compat=compat, head={"sub_scores": sub_scores}, bev_encoder=encoder).train()
    batch = model.data_preprocessor(planning_collate([data[i] for i in range(16)]))
    with torch.no_grad():
        target = torch.stack([s.gt_trajectory[0] for s in batch["data_samples"]])
        model.head.vocabulary.copy_(target)  # each sample is its own plan
    generator = torch.Generator().manual_seed(0)
    for i, sample in enumerate(batch["data_samples"]):
        sample.gt_sub_scores = torch.randint(0, 2, (1, len(SUB_SCORES), 16), generator=generator).float()
        sample.gt_sub_scores[:, :, i] = 1.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    steps = 240
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    for _ in range(steps):
        losses = model.forward(**batch, mode="loss")
        optimizer.zero_grad()
        sum(value for name, value in losses.items() if "loss" in name).backward()
        optimizer.step()
        schedule.step()
        if losses["top1"] == 1.0 and all(v < 0.4 for k, v in losses.items() if k.startswith("loss_")):
            break
    assert losses["top1"] > 0.85
    if sub_scores:
        outputs = model._score(model.encode_clip(batch["inputs"]), batch["inputs"])
        truth = torch.stack([s.gt_sub_scores[0] for s in batch["data_samples"]], dim=1)
        guessed = torch.stack([outputs[name] for name in SUB_SCORES]) > 0
        assert (guessed == truth.bool()).float().mean() > 0.85
