"""An update asks nothing of the device, and what is no number never counts as a trained planner."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from alg_factories import make_log
from algengine.post_training import train
from algengine.post_training.adapt import AdapterConfig
from algengine.post_training.config import CacheConfig, PostTrainingConfig, ScheduleConfig
from algengine.post_training.objective import ExpectationObjective
from algengine.post_training.recipe import DataConfig
from algengine.post_training.train import numbers_of, post_train
from post_training_factories import make_base, make_outcomes, make_outputs, write_run
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


@pytest.fixture(scope="module")
def base():
    return make_base()


@pytest.fixture(scope="module")
def config(base, tmp_path_factory) -> PostTrainingConfig:
    folder = tmp_path_factory.mktemp("data")
    run = write_run(folder / "run", base.vocabulary.plans.astype(np.float32), [make_log("log", decisions=4)])
    return PostTrainingConfig(
        DataConfig(rollouts=[str(run)], filter="none", normal_ratio=0.0),
        objective=ExpectationObjective(imitation_weight=0.1, entropy_weight=0.1),
        adapters=AdapterConfig(rank=2),
        schedule=ScheduleConfig(steps=6, batch_size=4, save_every=3, log_every=4),
        cache=CacheConfig(str(folder / "features")),
    )


class Questions(TorchDispatchMode):
    """Operators whose result the host has to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        masked = "index.Tensor" in str(func) and any(i is not None and i.dtype == torch.bool for i in args[1])
        if masked or any(name in str(func) for name in ("_local_scalar_dense", "nonzero", "masked_select")):
            self.asked.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("sub_scores", [False, True])
def test_the_objective_asks_nothing_of_the_device(sub_scores):
    outcomes = make_outcomes(0, sub_scores=sub_scores)
    outcomes.rewards["score"][1] = float("nan")
    outputs = {n: v.requires_grad_() for n, v in make_outputs(0, sub_scores=sub_scores).items()}
    objective = ExpectationObjective(imitation_weight=0.1, entropy_weight=0.1)
    with Questions() as questions:
        values = objective(outputs, outcomes)
        sum(value for name, value in values.items() if name.startswith("loss_")).backward()
    assert questions.asked == []
    with Questions() as questions:
        float(values["kl"].detach())
    assert questions.asked == ["aten._local_scalar_dense.default"]


def test_what_applies_to_nothing_is_left_out_and_no_loss_is_an_error():
    values = {"loss": torch.tensor(2.0), "importance_driven": torch.tensor(float("nan"))}
    assert numbers_of(values, 3) == {"loss": 2.0}
    for bad in ("nan", "inf"):
        with pytest.raises(ConfigError, match=f"loss at update 3 is {bad}, expected a number: lower"):
            numbers_of(values | {"loss": torch.tensor(float(bad))}, 3)


@pytest.mark.parametrize("broken", [2, 5])
def test_parameters_that_are_no_numbers_are_never_saved(config, base, tmp_path, monkeypatch, broken):
    """Update 2 is not logged and comes before the first saved state, update 5 is the last."""
    made = []

    def update(student, batch, config, optimizer, learning):
        values = real(student, batch, config, optimizer, learning)
        made.append(values)
        if len(made) == broken + 1:
            with torch.no_grad():
                learning[0].fill_(float("nan"))
        return values

    real = train.update
    monkeypatch.setattr(train, "update", update)
    with pytest.raises(ConfigError, match=f"parameters after update {broken} are no numbers"):
        post_train(config, base, tmp_path)
    assert not (tmp_path / "weights.pth").exists()
    assert (tmp_path / "state.pth").exists() == (broken == 5)
    monkeypatch.setattr(train, "update", real)
    assert post_train(config, base, tmp_path).is_file()


@pytest.mark.gpu
def test_a_gpu_is_not_waited_for(config, base, tmp_path, monkeypatch):
    real = train.update

    def update(*arguments):
        torch.cuda.set_sync_debug_mode("error")
        try:
            return real(*arguments)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(train, "update", update)
    post_train(replace(config, schedule=replace(config.schedule, steps=3)), base, tmp_path, "cuda")
