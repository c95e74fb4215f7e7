"""Weights that ship with the package."""

import json

import pytest
import torch

from algengine.engine.configs import load_config
from algengine.engine.weights import build_planner, load_weights
from algengine.errors import CheckpointError
from algengine.post_training.base import load_base
from algengine.serving.load import load_planner, shipped_models, shipped_weights
from perception_factories import tiny_uniad_config
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_planners_load(name):
    assert load_planner(model=name, device="cpu").name == name


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"memory_gib": 0.0}, {"memory_gib": float("nan")}])
def test_sizes_that_cannot_be_are_one_sentence(wrong):
    with pytest.raises(ConfigError, match="expected at least 1 thread"):
        load_planner(model="vadv2_demo", device="cpu", **wrong)


def test_a_perception_stage_is_not_served(tmp_path):
    config = load_config("uniad_demo")
    config.model = tiny_uniad_config()
    config.dump(tmp_path / "tiny.py")
    torch.save({"state_dict": build_planner(config.model.to_dict()).state_dict()}, tmp_path / "epoch_1.pth")
    with pytest.raises(CheckpointError, match="makes no plans"):
        load_planner(str(tmp_path / "tiny.py"), tmp_path / "epoch_1.pth", device="cpu")
    with pytest.raises(CheckpointError, match="makes no plans"):
        load_base(tmp_path / "epoch_1.pth", str(tmp_path / "tiny.py"))


def test_post_training_changed_the_head_only():
    base, trained = (load_weights(shipped_weights(n)) for n in ("vadv2_demo", "vadv2_demo_post_trained"))
    assert base.state_dict.keys() == trained.state_dict.keys()
    changed = {
        name.split(".")[0]
        for name, value in base.state_dict.items()
        if not torch.equal(value.float(), trained.state_dict[name].float())
    }
    assert changed == {"head"}
    assert torch.equal(base.state_dict["head.vocabulary"], trained.state_dict["head.vocabulary"])
    assert trained.metadata["cameras"] == base.metadata["cameras"]


def test_the_record_of_post_training_is_shipped():
    summary = json.loads((shipped_weights("vadv2_demo_post_trained").parent / "summary.json").read_text())
    assert summary["after"]["all"]["chosen"] > summary["before"]["all"]["chosen"]
