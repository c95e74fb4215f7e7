import numpy as np
import pytest
import torch

from alg_factories import CAMERAS, make_log, make_observation, tiny_model_config, write_recordings
from algengine import registry
from algengine.datasets.collate import planning_collate
from algengine.datasets.recordings import RecordingDataset
from algengine.datasets.vocabulary import save_vocabulary
from algengine.engine.configs import load_config
from algengine.engine.weights import build_planner
from algengine.evaluation.ranking import plan_scores
from algengine.heads.sub_score_heads import SUB_SCORES
from algengine.serving.planner import VadPlanner
from post_training_factories import write_run

pytestmark = pytest.mark.mm


def test_the_config_is_vadv2_demo_with_sub_scores():
    config, base = load_config("hydramdp_demo"), load_config("vadv2_demo")
    with torch.device("meta"):
        model = registry.MODELS.build(config.model.to_dict())
    assert set(model.head.sub_scores) == set(SUB_SCORES)
    assert "imitation=2.5" in str(
        registry.MODELS.build(
            load_config("hydramdp_demo", ["model.head.ranking.imitation=2.5"]).model
        ).head.ranking
    )
    for part in ("train_dataloader", "val_dataloader"):
        data = config[part].dataset.to_dict()
        scores = data.pop("sub_scores")
        assert scores["vocabulary"] == config.val_evaluator.vocabulary == config.custom_hooks[0].path
        assert data == base[part].dataset.to_dict()
    assert config.optim_wrapper == base.optim_wrapper and config.train_cfg == base.train_cfg


def make_model(plans: np.ndarray):
    config = tiny_model_config(len(plans))
    config["head"]["sub_scores"] = True
    torch.manual_seed(0)
    model = registry.MODELS.build(config)
    model.head.vocabulary.copy_(torch.from_numpy(plans))
    return model


def recorded(folder, score, **options) -> tuple[RecordingDataset, np.ndarray]:
    """Sixteen decisions of sixteen drives, each the plan of one of them, with recorded scores."""
    logs = write_recordings(folder / "drives", 16, decisions=9)
    bare = RecordingDataset(
        str(folder / "drives"), part="all", clip_length=1, clip_stride=8, image_size=(64, 36), cameras=CAMERAS
    )
    plans = np.stack([bare[i]["data_samples"].gt_trajectory[0].numpy() for i in range(16)])
    write_run(folder, plans, logs, score=score)
    save_vocabulary(plans, folder / "plans.npy")
    fixed = {"part": "all", "clip_length": 1, "clip_stride": 8, "image_size": (64, 36), "cameras": CAMERAS}
    scores = {"root": str(folder / "rewards"), "vocabulary": str(folder / "plans.npy")}
    return RecordingDataset(str(folder / "observations"), **fixed, sub_scores=scores, **options), plans


def test_unknown_decisions_teach_imitation_alone(tmp_path):
    data, plans = recorded(tmp_path, lambda log, step: np.full(16, np.nan if log % 2 else 0.5))
    model = make_model(plans)
    batch = model.data_preprocessor(planning_collate([data[i] for i in range(4)]))
    losses = model.forward(**batch, mode="loss")
    assert all(torch.isfinite(value).all() for value in losses.values())
    known = model.data_preprocessor(planning_collate([data[0], data[2]]))
    model.eval()
    both, part = (model.forward(**b, mode="loss") for b in (batch, known))
    for name in SUB_SCORES:
        torch.testing.assert_close(both[f"loss_{name}"], part[f"loss_{name}"])
    assert both["loss_imitation"] != part["loss_imitation"]
    unknown = model.forward(**model.data_preprocessor(planning_collate([data[1]])), mode="loss")
    assert all(unknown[f"loss_{name}"] == 0.0 for name in SUB_SCORES) and unknown["loss_imitation"] > 0.0


@pytest.mark.slow
def test_the_head_memorises_sixteen_recorded_decisions_against_imitation(tmp_path):
    """Somewhat faster plans are better than the driven ones: sub-scores choose them, imitation learns the driven."""

    def score(log: int, step: int) -> np.ndarray:
        return np.clip(1.0 - np.abs(np.arange(16) - min(log + 4, 15)) / 4, 0.0, 1.0)

    data, plans = recorded(tmp_path, score)
    model = make_model(plans).train()
    batch = model.data_preprocessor(planning_collate([data[i] for i in range(16)]))
    with torch.no_grad():
        maps = model.encode_clip(batch["inputs"])
    samples = batch["data_samples"]
    driven, valid = (torch.cat([s.get(name) for s in samples]) for name in ("_gt_trajectory", "_gt_valid"))
    sub_scores = model._sub_scores(samples, slice(None))
    steps, rate = 120, 1e-2
    optimizer = torch.optim.AdamW(model.head.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    for _ in range(steps):
        losses = model.head.loss(model._score(maps, batch["inputs"]), driven, valid, sub_scores)
        optimizer.zero_grad()
        sum(value for name, value in losses.items() if name.startswith("loss_")).backward()
        optimizer.step()
        schedule.step()
    assert losses["top1"] > 0.85
    outputs, truth = (
        model._score(maps, batch["inputs"]),
        torch.cat([plan_scores(s.gt_sub_scores) for s in samples]),
    )
    chosen = model.head.predict(outputs)[1]
    earned, driven = (
        truth.gather(1, index[:, None]).mean() for index in (chosen, outputs["imitation"].argmax(-1))
    )
    assert earned > 0.85 and driven < 0.3


def test_it_is_served_as_any_other_planner():
    model = tiny_model_config(12)
    model["head"] |= {"sub_scores": True, "ranking": {"imitation": 1.0, "multipliers": 0.0, "average": 0.0}}
    torch.manual_seed(0)
    planner = VadPlanner(build_planner(model), "hydramdp", CAMERAS, keep_scores=True)
    log = make_log("drive", size_px=(64, 36))
    [plan] = planner.plan_batch([make_observation(log, 0)])
    assert plan.scores.shape == (12,) and plan.vocabulary_index == int(plan.scores.argmax())
    # Ranked by imitation alone, scores are log-probabilities.
    assert np.exp(plan.scores).sum() == pytest.approx(1.0, abs=1e-4)
