"""Weights that ship with the package."""

import json

import pytest
import torch

from algengine.engine.weights import load_weights
from algengine.serving.load import load_planner, shipped_models, shipped_weights

pytestmark = pytest.mark.mm


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_planners_load(name):
    assert load_planner(model=name, device="cpu").name == name


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
