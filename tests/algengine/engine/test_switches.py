import pytest
import torch

from algengine import registry
from algengine.engine.configs import load_config
from algengine.engine.switches import apply_switches
from algengine.engine.train import train
from training_factories import write_training_config

pytestmark = pytest.mark.mm


def test_nothing_is_switched_on_by_default():
    config = load_config("worldengine/e2e_vadv2_50pct")
    before = config.to_dict()
    apply_switches(config)
    assert config.to_dict() == before


def test_recomputation_reaches_the_parts_that_offer_it():
    config = load_config("worldengine/e2e_vadv2_50pct", ["gradient_checkpointing=True"])
    apply_switches(config)
    assert config.model.bev_encoder.checkpointing
    assert config.model.backbone.with_cp
    assert "checkpointing" not in config.model.head


def gradients(tmp_path, switch: bool) -> dict[str, torch.Tensor]:
    config = load_config(str(write_training_config(tmp_path)), [f"gradient_checkpointing={switch}"])
    apply_switches(config)
    torch.manual_seed(0)
    model = registry.MODELS.build(config.model).train()
    assert model.bev_encoder.checkpointing == switch
    batch = registry.FUNCTIONS.get("planning_collate")(
        [registry.DATASETS.build(config.train_dataloader.dataset)[0]]
    )
    losses = model.forward(**model.data_preprocessor(batch, training=True), mode="loss")
    sum(value for key, value in losses.items() if "loss" in key).backward()
    return {name: p.grad for name, p in model.named_parameters()}


def test_recomputation_changes_no_gradient(tmp_path):
    plain, recomputed = gradients(tmp_path, False), gradients(tmp_path, True)
    assert all(torch.allclose(plain[name], recomputed[name], atol=1e-6) for name in plain)


def test_averaged_weights_are_added_once():
    config = load_config("vadv2_demo", ["ema_momentum=0.01"])
    apply_switches(config)
    apply_switches(config)
    assert [hook["type"] for hook in config.custom_hooks].count("EMAHook") == 1
    assert config.custom_hooks[-1]["momentum"] == 0.01


def test_frozen_parts_keep_weights_and_statistics(tmp_path):
    path = write_training_config(
        tmp_path, model__frozen=["backbone"], model__backbone__norm_eval=False, train_cfg__max_epochs=1
    )
    config = load_config(str(path))
    torch.manual_seed(0)
    start = registry.MODELS.build(config.model).state_dict()
    torch.save({"state_dict": start}, tmp_path / "start.pth")
    config.load_from = str(tmp_path / "start.pth")
    end = torch.load(train(config, tmp_path / "work", "cpu"), weights_only=True)["state_dict"]
    frozen = [name for name in start if name.startswith("backbone.")]
    assert any("running_mean" in name for name in frozen)
    assert all(torch.equal(start[name], end[name]) for name in frozen)
    assert not torch.equal(start["neck.lateral_convs.0.conv.weight"], end["neck.lateral_convs.0.conv.weight"])


def test_synchronised_norms_become_plain_ones_where_there_is_one_process(tmp_path):
    path = write_training_config(
        tmp_path,
        model__backbone__norm_cfg={"type": "SyncBN"},
        model__backbone__norm_eval=False,
        train_cfg__max_epochs=1,
    )
    end = torch.load(train(load_config(str(path)), tmp_path / "work", "cpu"), weights_only=True)["state_dict"]
    assert int(end["backbone.bn1.num_batches_tracked"]) == 6
