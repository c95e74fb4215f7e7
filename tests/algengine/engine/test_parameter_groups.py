import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from algengine import registry

pytestmark = pytest.mark.mm


def make(constructor: str) -> tuple[nn.Module, object]:
    registry.MODELS.import_from_location()
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {"backbone": nn.Linear(3, 4), "head": nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))}
    )
    model["head"][1].bias.requires_grad_(False)
    config = dict(
        type="algengine.PlannerOptimWrapper",
        constructor=constructor,
        optimizer=dict(type="AdamW", lr=0.1, weight_decay=0.01),
        paramwise_cfg=dict(custom_keys={"backbone": dict(lr_mult=0.1)}),
    )
    return model, build_optim_wrapper(model, config)


def step(model: nn.Module, wrapper) -> list[torch.Tensor]:
    wrapper.update_params(model["head"](model["backbone"](torch.ones(2, 3))).pow(2).sum())
    return copy.deepcopy(list(model.parameters()))


def test_groups_are_those_of_equal_options_and_steps_stay_the_same():
    single = make("DefaultOptimWrapperConstructor")
    grouped = make("algengine.GroupedOptimWrapperConstructor")
    groups = grouped[1].optimizer.param_groups
    assert [(len(group["params"]), group["lr"]) for group in groups] == [(2, pytest.approx(0.01)), (3, 0.1)]
    assert all(map(torch.equal, step(*single), step(*grouped)))
