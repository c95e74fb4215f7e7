import pytest
import torch

from algengine import registry
from algengine.engine.configs import config_names, load_config
from algengine.planners.bev_model import SENSES

pytestmark = pytest.mark.mm

FULL_SIZE = ("navformer/track_map_nuplan_r50_navtrain", "worldengine/track_map_nuplan_r50_navtrain_50pct")


def build(config):
    with torch.device("meta"):
        return registry.MODELS.build(config.model.to_dict())


@pytest.mark.parametrize("name", [*FULL_SIZE, "uniad_demo", "uniad_demo_frozen"])
def test_parts_share_grid_and_labels(name):
    assert name in config_names()
    config = load_config(name)
    model = build(config)
    grid = model.bev_encoder.grid
    assert grid == model.track_head.decoder.grid  # boxes are codes in the same volume
    for loader in (config.train_dataloader, config.val_dataloader):
        data = loader.dataset
        assert len(model.bev_encoder.camera_code) == len(data.cameras)
        assert tuple(data.image_size) == model.image_size
        assert (tuple(data.objects.x_range), tuple(data.objects.y_range)) == (grid.x_range, grid.y_range)
        labels = data.map_grid if name.startswith("uniad_demo") else data.maps
        assert (tuple(labels.x_range), tuple(labels.y_range)) == (grid.x_range, grid.y_range)
        assert grid.cell / labels.cell == model.map_head.upsample


@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_is_the_published_one(name):
    model = build(load_config(name))
    head = model.track_head
    assert (head.ego, len(head.decoder.layers), head.new_queries.memories) == (900, 6, 4)
    assert head.new_queries.embedding.weight.shape == (901, 512)
    # Millions, from section 1.10 of the reference: decoder 4.10, branches 2.42.
    assert sum(p.numel() for p in head.decoder.parameters()) / 1e6 == pytest.approx(4.10 + 2.42, abs=0.01)


def test_half_of_navtrain_differs_in_split_and_epochs_only():
    whole, half = (load_config(name) for name in FULL_SIZE)
    assert half.train_cfg.max_epochs == 2 * whole.train_cfg.max_epochs
    half.train_cfg = whole.train_cfg
    half.train_dataloader.dataset.nav_filter_path = whole.train_dataloader.dataset.nav_filter_path
    assert half.to_dict() == whole.to_dict()


def test_a_detector_comes_first_and_on_two_cores_the_encoder_stays():
    whole, first, second = (load_config(f"uniad_demo{end}") for end in ("", "_detect", "_frozen"))
    assert first.load_from.endswith("vadv2_demo/weights.pth")
    trained = f"experiments/uniad_demo_detect/epoch_{first.train_cfg.max_epochs}.pth"
    assert whole.load_from == second.load_from == trained
    for config, learns in ((first, {"track_head"}), (second, {"track_head", "map_head"})):
        assert tuple(config.model.frozen) == SENSES and config.map_cache.root
        model = build(config)
        parameters = [(name, parameter.requires_grad) for name, parameter in model.named_parameters()]
        assert {name.split(".")[0] for name, learning in parameters if learning} == learns
    assert first.train_dataloader.dataset.clip_length == 1
    assert first.model.track_head.life_cycle.birth == 1.0  # no score reaches it
