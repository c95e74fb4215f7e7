from pathlib import Path

import pytest
import torch

from algengine import registry
from algengine.cli.main import main
from algengine.engine.configs import config_folders, config_names, find_config, load_config
from algengine.post_training.config import read_config
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm

SHARES = (13, 25, 50, 60, 70, 80, 90, 100)
FULL_SIZE = [
    *(f"worldengine/e2e_vadv2_{share}pct" for share in SHARES),
    "worldengine/e2e_vadv2_50pct_compat",
    "worldengine/e2e_hydramdp_50pct_compat",
    "navformer/e2e_vadv2",
    "navformer/e2e_hydramdp",
    "simscale/e2e_vadv2_simscale_co_train_pdm_1round_8epoch",
    "simscale/e2e_vadv2_simscale_finetune_pdm_1round_8epoch",
]


def test_the_original_names_are_there():
    assert {"vadv2_demo", *FULL_SIZE} <= set(config_names())


def test_experiments_are_short():
    for folder in config_folders():
        for path in folder.rglob("*.py"):
            if "_base_" not in path.parts:
                assert len(path.read_text().splitlines()) <= 40, path


def test_the_demo_config_builds_its_model():
    config = load_config("vadv2_demo")
    model = registry.MODELS.build(config.model)
    cameras = config.train_dataloader.dataset.cameras
    assert len(model.bev_encoder.camera_code) == len(cameras)
    grid, labels = model.bev_encoder.grid, config.train_dataloader.dataset.label_grid
    assert (tuple(labels.x_range), tuple(labels.y_range)) == (grid.x_range, grid.y_range)
    assert grid.cell / labels.cell == model.bev_head.upsample


@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_configs_build(name):
    config = load_config(name)
    with torch.device("meta"):
        model = registry.MODELS.build(config.model.to_dict())
    data = config.train_dataloader.dataset
    assert len(model.bev_encoder.camera_code) == len(data.cameras)
    assert (model.bev_encoder.grid.rows, model.bev_encoder.grid.cols) == (200, 200)
    assert tuple(data.image_size) == model.image_size
    assert data.num_poses == model.head.vocabulary.shape[1]
    assert data.type == "OpenSceneDataset"
    assert (model.head.sub_scores is not None) == ("hydramdp" in name or "simscale" in name)


@pytest.mark.parametrize("share", SHARES)
def test_shares_of_navtrain_differ_in_their_split_only(share):
    config, whole = (
        load_config(f"worldengine/e2e_vadv2_{share}pct"),
        load_config("worldengine/e2e_vadv2_100pct"),
    )
    expected = "navtrain.yaml" if share == 100 else f"navtrain_{share}pct.yaml"
    assert Path(config.train_dataloader.dataset.nav_filter_path).name == expected
    config.train_dataloader.dataset.nav_filter_path = whole.train_dataloader.dataset.nav_filter_path
    assert config.to_dict() == whole.to_dict()


def test_optimizer_trains_what_is_not_frozen():
    config = load_config("simscale/e2e_vadv2_simscale_finetune_pdm_1round_8epoch")
    with torch.device("meta"):
        model = registry.MODELS.build(config.model.to_dict())
    parts = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert parts == {"head"}


def test_overrides_apply_and_unknown_keys_are_errors(tmp_path):
    config = load_config("vadv2_demo", ["train_cfg.max_epochs=3", "custom_hooks.0.path=a.npy"])
    assert config.train_cfg.max_epochs == 3
    assert config.custom_hooks[0].path == "a.npy"
    assert load_config("worldengine/e2e_vadv2_50pct", ["model.compat=True"]).model.compat is True
    with pytest.raises(ConfigError, match="existing key"):
        load_config("vadv2_demo", ["train_cfg.epochs=3"])


@pytest.mark.parametrize("verb", [["train"], ["post-train", "--checkpoint", "none.pth"]])
def test_a_wrong_name_lists_what_there_is_one_a_line(verb, capsys):
    assert main([verb[0], "NOT_A_CONFIG", *verb[1:]]) == 1
    first, *listed = capsys.readouterr().err.splitlines()
    assert first.endswith(
        "there is no config 'NOT_A_CONFIG', expected the path of a .py file or one of these names:"
    )
    assert listed == [f"  {name}" for name in config_names()]
    assert {"vadv2_demo", "post_training/e2e_vadv2_50pct_rlft_rare_log", *FULL_SIZE} <= set(config_names())
    assert not any("/_" in name for name in config_names())
    assert all(find_config(name).is_file() for name in config_names())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a = b\n", "NameError"),
        ("a = (\n", "SyntaxError"),
        ("a = ''.nothing\n", "AttributeError"),
    ],
)
def test_broken_configs_are_one_sentence(content, said, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text(content)
    with pytest.raises(ConfigError, match=f"broken.py cannot be read .*{said}") as caught:
        load_config(str(broken))
    assert "\n" not in str(caught.value)
    other = tmp_path / "README.md"
    other.write_text(content)
    with pytest.raises(ConfigError, match=r"README.md is no config, expected a .py file"):
        load_config(str(other))


def test_recipes_and_planners_are_told_apart(capsys, tmp_path):
    recipe = "post_training/e2e_vadv2_50pct_rlft_rare_log"
    for words in (["train", recipe, "--work-dir", str(tmp_path)], ["weights", recipe, "none.pth"]):
        assert main(words) == 1
        assert "describes no planner (it has no model.type)" in capsys.readouterr().err
    assert main(["data", "check", recipe]) == 1
    assert "names no data sets" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="expected a recipe such as post_training/"):
        read_config(load_config("vadv2_demo"))
