import pytest
import torch
from torch import nn

from algengine.engine.fitting import describe_misfit, load_whole, require_same, require_some
from algengine.errors import CheckpointError
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


class Planner(nn.Module):
    def __init__(self, hidden: int = 3) -> None:
        super().__init__()
        self.head, self.bev_head = nn.Linear(2, hidden), nn.Linear(2, 1)


def test_all_of_a_model_is_loaded_or_nothing(tmp_path):
    state, planner = Planner().state_dict(), Planner()
    load_whole(planner, state, tmp_path)
    assert all(torch.equal(value, state[name]) for name, value in planner.state_dict().items())
    load_whole(planner, {name: value for name, value in state.items() if "bev_head" not in name}, tmp_path)
    with pytest.raises(CheckpointError, match="lacks 1 tensors of the model, such as head.bias"):
        load_whole(planner, {name: value for name, value in state.items() if name != "head.bias"}, tmp_path)
    with pytest.raises(CheckpointError, match="do not fit the model"):
        load_whole(planner, Planner(4).state_dict(), tmp_path)


def test_only_the_same_tensors_can_be_resumed():
    state = Planner().state_dict()
    require_same(state, Planner().state_dict())
    for other in (
        Planner(4).state_dict(),
        {**state, "more": torch.zeros(1)},
        {name: value for name, value in state.items() if name != "head.bias"},
    ):
        with pytest.raises(ConfigError, match="of another model"):
            require_same(state, other)


def test_what_a_training_begins_from_has_something_of_the_model():
    state = Planner().state_dict()
    require_some(state, Planner(4).state_dict())  # bev_head
    require_some(state, {"module.head.bias": torch.zeros(3)})
    for other in ({}, {"head.bias": torch.zeros(4)}, {"a": torch.zeros(3)}):
        with pytest.raises(ConfigError, match="nothing in the checkpoint of load_from fits"):
            require_some(state, other)


def test_hundreds_of_names_become_a_sentence():
    names = ", ".join(f'"layer{i}.weight"' for i in range(300))
    said = describe_misfit(RuntimeError(f"Error(s) in loading state_dict for M:\n\tMissing key(s): {names}."))
    assert "layer0.weight" in said and len(said) < 400 and "\n" not in said
