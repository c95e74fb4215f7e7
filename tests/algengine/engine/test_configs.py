import pytest

from algengine import registry
from algengine.engine.configs import config_folders, find_config, load_config
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm

NAMES = sorted({p.stem for folder in config_folders() for p in folder.glob("*.py")})


def test_there_are_configs():
    assert "vadv2_demo" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_config_builds_its_model(name):
    config = load_config(name)
    model = registry.MODELS.build(config.model)
    cameras = config.train_dataloader.dataset.cameras
    assert len(model.bev_encoder.camera_code) == len(cameras)
    grid, labels = model.bev_encoder.grid, config.train_dataloader.dataset.label_grid
    assert (tuple(labels.x_range), tuple(labels.y_range)) == (grid.x_range, grid.y_range)
    assert grid.cell / labels.cell == model.bev_head.upsample


def test_overrides_apply_and_unknown_keys_are_errors(tmp_path):
    config = load_config("vadv2_demo", ["train_cfg.max_epochs=3", "custom_hooks.0.path=a.npy"])
    assert config.train_cfg.max_epochs == 3
    assert config.custom_hooks[0].path == "a.npy"
    with pytest.raises(ConfigError, match="existing key"):
        load_config("vadv2_demo", ["train_cfg.epochs=3"])
    with pytest.raises(ConfigError, match="expected a path or one of"):
        find_config("vadv3")
    broken = tmp_path / "broken.py"
    broken.write_text("a = b\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(str(broken))
