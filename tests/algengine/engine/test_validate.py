import pytest
import torch

from alg_factories import CAMERAS
from algengine import registry
from algengine.cli.main import main
from algengine.engine.configs import load_config
from algengine.engine.train import train
from algengine.engine.validate import validate
from algengine.errors import CheckpointError
from perception_factories import AREA, tiny_uniad_config, write_perception_recordings
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


@pytest.fixture
def config(tmp_path):
    folder = write_perception_recordings(tmp_path / "run", 3)
    config = load_config("uniad_demo")
    config.model, config.load_from = tiny_uniad_config(), None
    for loader, length in ((config.train_dataloader, 2), (config.val_dataloader, 4)):
        loader.dataset = {
            "type": "RecordingDataset",
            "root": str(folder),
            "part": "all",
            "clip_length": length,
            "clip_stride": 8,
            "image_size": (64, 36),
            "cameras": CAMERAS,
            "objects": AREA,
        }
        loader.update(batch_size=2, num_workers=0, persistent_workers=False, pin_memory=False)
    config.val_evaluator = {"type": "PerceptionMetric", "least_score": 0.0}
    config.train_cfg.update(max_epochs=1, val_interval=1)
    return config


def table_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("│", "NDS"))]


@pytest.mark.slow
def test_a_checkpoint_is_tested_as_training_validated_it(config, tmp_path, capfd):
    checkpoint = train(config, tmp_path / "work", "cpu")
    [log] = (tmp_path / "work").glob("*/*.log")
    config.dump(tmp_path / "tiny.py")
    arguments = ["test", str(tmp_path / "tiny.py"), str(checkpoint), "--work-dir", str(tmp_path / "test")]
    assert main([*arguments, "--device", "cpu"]) == 0
    [tested] = (tmp_path / "test").glob("*/*.log")
    assert len(table_of(log.read_text())) >= 2
    assert table_of(tested.read_text()) == table_of(log.read_text())


def test_what_is_missing_is_one_sentence(config, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        validate(config, tmp_path / "nothing.pth", tmp_path / "test", "cpu")
    config.pop("val_evaluator")
    with pytest.raises(ConfigError, match="val_evaluator"):
        validate(config, tmp_path / "nothing.pth", tmp_path / "test", "cpu")


def test_a_checkpoint_of_another_model_is_not_tested(config, tmp_path):
    state = registry.MODELS.build(config.model).state_dict()
    part = {name: value for name, value in state.items() if not name.startswith("track_head.")}
    torch.save({"state_dict": part}, tmp_path / "encoder.pth")
    with pytest.raises(CheckpointError, match="such as track_head"):
        validate(config, tmp_path / "encoder.pth", tmp_path / "test", "cpu")
