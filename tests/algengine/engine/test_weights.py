import pickle

import numpy as np
import pytest
import torch
from mmengine.config import Config

from alg_factories import make_vocabulary, tiny_model_config
from algengine.engine.weights import build_planner, export_weights, load_checkpoint, load_weights
from algengine.errors import CheckpointError
from perception_factories import tiny_uniad_config

pytestmark = pytest.mark.mm


@pytest.fixture
def exported(tmp_path):
    torch.manual_seed(0)
    head = {"type": "BEVSegmentationHead", "dims": 16, "layers": ["a", "b"], "positive_weight": [1.0, 1.0]}
    config = Config({"model": tiny_model_config(12) | {"bev_head": head}})
    model = build_planner(config.model.to_dict())
    model.head.vocabulary.copy_(torch.from_numpy(make_vocabulary(12)))
    checkpoint, path = tmp_path / "epoch_1.pth", tmp_path / "out" / "weights.pth"
    torch.save({"state_dict": model.state_dict(), "meta": {"epoch": 1}}, checkpoint)
    size = export_weights(checkpoint, config, path, {"cameras": ["CAM_F0"]})
    return model, path, size


def test_round_trip(exported):
    model, path, size = exported
    weights = load_weights(path)
    again = build_planner(weights.model, weights.state_dict)
    assert weights.metadata["cameras"] == ["CAM_F0"]
    assert size == path.stat().st_size
    assert again.bev_head is None
    assert torch.equal(again.head.vocabulary, model.head.vocabulary)
    for name, value in again.state_dict().items():
        assert torch.allclose(value, model.state_dict()[name], atol=1e-3, rtol=1e-3), name
    assert not list(path.parent.glob("*.tmp"))


def test_a_checkpoint_of_another_model_is_not_exported(exported, tmp_path):
    checkpoint, path = tmp_path / "epoch_1.pth", tmp_path / "other" / "weights.pth"
    with pytest.raises(CheckpointError, match="do not fit the model"):
        export_weights(checkpoint, Config({"model": tiny_model_config(13)}), path, {})
    perception = build_planner(tiny_uniad_config())
    torch.save({"state_dict": perception.state_dict()}, checkpoint)
    with pytest.raises(CheckpointError, match="UniAD, which makes no plans"):
        export_weights(checkpoint, Config({"model": tiny_uniad_config()}), path, {})
    assert not path.parent.exists()


def test_shipped_planner_fits_the_limit():
    from algengine.engine.configs import load_config

    model = build_planner(load_config("vadv2_demo").model.to_dict() | {"bev_head": None})
    assert sum(p.numel() for p in model.parameters()) <= 3_500_000


@pytest.mark.parametrize("keep", [100, 5000])
def test_truncated_file_is_one_sentence(exported, keep):
    _, path, _ = exported
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="export it again") as caught:
        load_weights(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"text", b"# Title\n", b"{}", "\u00fc".encode()])
def test_a_file_that_is_no_checkpoint_is_called_that(content, tmp_path):
    path = tmp_path / "README.md"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"README.md is no checkpoint, .*check the path$") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("archive", [True, False])
def test_whatever_is_wrong_with_the_bytes_is_one_sentence(archive, tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "a.pth"
    content = {"state_dict": {"a": torch.zeros(3)}, "meta": {"epoch": 1}, "log": [1, 2.5, "x"]}
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    whole, refused = path.read_bytes(), 0
    for _ in range(200):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(4, len(damaged), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            load_checkpoint(path)
        except CheckpointError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 20


def test_missing_foreign_and_unfitting_files(exported, tmp_path):
    _, path, _ = exported
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_weights(tmp_path / "none.pth")
    torch.save({"weights": 1}, tmp_path / "foreign.pth")
    with pytest.raises(CheckpointError, match="no state_dict"):
        load_weights(tmp_path / "foreign.pth")
    torch.save({"state_dict": {}}, tmp_path / "training.pth")
    with pytest.raises(CheckpointError, match="algengine export"):
        load_weights(tmp_path / "training.pth")
    weights = load_weights(path)
    with pytest.raises(CheckpointError, match="do not fit"):
        build_planner(tiny_model_config(13), weights.state_dict)


class Evil:
    """Would touch a file if unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    target = tmp_path / "touched"
    path = tmp_path / "evil.pth"
    torch.save({"state_dict": {}, "x": Evil(target)}, path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Evil(target)))
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "plain.pth")
    assert not target.exists()
