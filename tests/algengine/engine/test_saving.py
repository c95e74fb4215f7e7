import os

import pytest
import torch

from algengine.engine.saving import ResumableCheckpointHook, checkpoints, newest_checkpoint
from algengine.engine.train import train
from algengine.engine.weights import load_checkpoint
from algengine.errors import CheckpointError
from simengine.errors import ConfigError
from training_factories import write_training_config

pytestmark = pytest.mark.mm


def write(folder, name: str, age: int) -> None:
    path = folder / name
    torch.save({"state_dict": {}, "name": name}, path)
    os.utime(path, ns=(10**18 - age, 10**18 - age))


def test_the_newest_readable_checkpoint_is_found(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / "nowhere") is None
    for age, name in enumerate(["iter_9.pth", "epoch_1.pth", "iter_10.pth"]):
        write(tmp_path, name, age)
    (tmp_path / ".iter_12.pth.tmp").write_bytes(b"half")
    (tmp_path / "best_ade.pth").write_bytes(b"not a checkpoint of the run")
    assert [path.name for path in checkpoints(tmp_path)] == ["iter_9.pth", "epoch_1.pth", "iter_10.pth"]
    assert newest_checkpoint(tmp_path).name == "iter_9.pth"
    whole = (tmp_path / "iter_9.pth").read_bytes()
    (tmp_path / "iter_9.pth").write_bytes(whole[: len(whole) // 2])
    assert newest_checkpoint(tmp_path).name == "epoch_1.pth"


@pytest.mark.parametrize("wrong", [{"interval": 0}, {"iterations": -1}, {"max_keep_ckpts": 0}])
def test_wrong_intervals_are_one_sentence(wrong):
    with pytest.raises(ConfigError, match="expected interval >= 1"):
        ResumableCheckpointHook(**wrong)


def config_of(tmp_path, **overrides):
    from algengine.engine.configs import load_config

    return load_config(str(write_training_config(tmp_path, **overrides)))


def test_what_is_kept_and_what_cannot_be_resumed(tmp_path):
    config = config_of(
        tmp_path,
        default_hooks__checkpoint__iterations=2,
        default_hooks__checkpoint__max_keep_ckpts=2,
        train_cfg__max_epochs=1,
    )
    last = train(config, tmp_path / "work", "cpu")
    assert last.name == "epoch_1.pth"
    assert {path.name for path in checkpoints(tmp_path / "work")} == {"epoch_1.pth", "iter_6.pth"}
    assert not list((tmp_path / "work").glob(".*.tmp"))

    other = config_of(tmp_path, train_dataloader__batch_size=2)
    with pytest.raises(ConfigError, match="6 iterations per epoch, this one has 12"):
        train(other, tmp_path / "work", "cpu", resume="auto")
    with pytest.raises(ConfigError, match="of another model"):
        train(config_of(tmp_path, model__head__dims=8), tmp_path / "work", "cpu", resume="auto")
    weights = tmp_path / "weights.pth"
    torch.save({"state_dict": load_checkpoint(last)["state_dict"]}, weights)
    with pytest.raises(ConfigError, match="no state of an optimiser"):
        train(other, tmp_path / "work", "cpu", resume=str(weights))
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        train(other, tmp_path / "work", "cpu", resume=str(tmp_path / "none.pth"))
    other.load_from = str(tmp_path / "none.pth")
    with pytest.raises(ConfigError, match="load_from is"):
        train(other, tmp_path / "fresh", "cpu", resume="auto")
