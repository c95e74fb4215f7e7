import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config

from alg_factories import CAMERAS, make_observation, make_vocabulary, tiny_model_config, write_recordings
from algengine.cli.main import main
from algengine.datasets.vocabulary import save_vocabulary
from algengine.engine.configs import load_config
from algengine.engine.train import _choose_start, choose_device, train
from algengine.engine.weights import load_checkpoint
from algengine.evaluation.displacement import DisplacementMetric
from algengine.registry import DATASETS
from algengine.serving.load import load_planner
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


def tiny_config(folder, vocabulary) -> Config:
    config = load_config("vadv2_demo")
    config.model = tiny_model_config(12)
    for loader, part in ((config.train_dataloader, "train"), (config.val_dataloader, "val")):
        loader.dataset = {
            "type": "RecordingDataset",
            "root": str(folder),
            "part": part,
            "clip_length": 2,
            "clip_stride": 4,
            "image_size": (64, 36),
            "cameras": CAMERAS,
            "val_share": 0.3,
        }
        loader.update(batch_size=4, num_workers=0, persistent_workers=False, pin_memory=False)
    config.custom_hooks[0].path = config.val_evaluator.vocabulary = str(vocabulary)
    config.train_cfg.update(max_epochs=2, val_interval=2)
    return config


def test_training_leaves_a_servable_planner(tmp_path):
    logs = write_recordings(tmp_path / "observations", 12, decisions=11)
    plans = make_vocabulary(12)
    save_vocabulary(plans, tmp_path / "plans.npy")
    config = tiny_config(tmp_path / "observations", tmp_path / "plans.npy")
    checkpoint = train(config, tmp_path / "work", "cpu")
    content = load_checkpoint(checkpoint)  # loads with weights_only
    assert np.array_equal(content["state_dict"]["head.vocabulary"].numpy(), plans)
    [scalars] = (tmp_path / "work").glob("*/vis_data/scalars.json")
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    assert any("plan/ade" in row for row in rows)

    config_path = tmp_path / "tiny.py"
    config.dump(config_path)
    arguments = [
        "export",
        str(tmp_path / "work" / "last_checkpoint"),
        str(tmp_path / "out"),
        "--config",
        str(config_path),
    ]
    assert main(arguments) == 0
    assert (tmp_path / "out" / "train.log").is_file()
    observation = make_observation(logs[0], 0)
    from_training = load_planner(str(config_path), checkpoint, device="cpu").plan_batch([observation])[0]
    exported = load_planner(checkpoint=tmp_path / "out" / "weights.pth", device="cpu")
    assert np.allclose(exported.plan_batch([observation])[0].poses[:, 0] >= 0, from_training.poses[:, 0] >= 0)


def test_wrong_vocabulary_size_is_one_sentence(tmp_path, capsys):
    write_recordings(tmp_path / "observations", 12, decisions=11)
    save_vocabulary(make_vocabulary(8), tmp_path / "plans.npy")
    config = tiny_config(tmp_path / "observations", tmp_path / "plans.npy")
    config.dump(tmp_path / "tiny.py")
    code = main(["train", str(tmp_path / "tiny.py"), "--work-dir", str(tmp_path / "work"), "--device", "cpu"])
    assert code == 1
    assert "make it again with that size" in capsys.readouterr().err


@pytest.fixture
def tiny(tmp_path):
    """Words that train a tiny planner for one epoch."""
    write_recordings(tmp_path / "observations", 12, decisions=11)
    save_vocabulary(make_vocabulary(12), tmp_path / "plans.npy")
    config = tiny_config(tmp_path / "observations", tmp_path / "plans.npy")
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.dump(tmp_path / "tiny.py")
    return ["train", str(tmp_path / "tiny.py"), "--work-dir", str(tmp_path / "work"), "--device", "cpu"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("train_cfg.max_epochs=abc", "abc"),
        ("train_cfg.max_epochs=0", "cannot be built"),
        ("train_dataloader.batch_size=1000", "smaller train_dataloader.batch_size"),
        ("train_dataloader.dataset.type=Recordings", "Recordings"),
        ("optim_wrapper.optimizer.type=Adamw", "cannot be built"),
        ("optim_wrapper.optimizer.lr=fast", "cannot be built"),
        ("param_scheduler=[{}]", "cannot be built"),
        ("model.head.vocabulary_size=many", "cannot be built"),
        ("model.type=VADv3", "VADv3"),
    ],
)
def test_values_that_do_not_fit_are_one_sentence(tiny, tmp_path, capsys, option, said):
    assert main([*tiny, "--cfg-options", option]) == 1
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert sentence.startswith("algengine train: ") and said in sentence and "expected" in sentence
    assert not list((tmp_path / "work").glob("*.pth"))


@pytest.mark.parametrize("damage", ["half", "text", "url"])
def test_weights_to_begin_from_are_checked_before_anything_is_made(tiny, tmp_path, capsys, damage):
    start = str(tmp_path / "start.pth")
    if damage == "url":
        start = "http://localhost:1/start.pth"
    else:
        torch.save({"state_dict": {"a": torch.zeros(9)}}, start)
        whole = (tmp_path / "start.pth").read_bytes()
        (tmp_path / "start.pth").write_bytes(whole[: len(whole) // 2] if damage == "half" else b"hello")
    assert main([*tiny, "--cfg-options", f"load_from={start}"]) == 1
    assert "expected" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_weights_of_which_nothing_fits_are_one_sentence(tiny, tmp_path, capsys):
    torch.save({"state_dict": {"a": torch.zeros(9)}}, tmp_path / "start.pth")
    assert main([*tiny, "--cfg-options", f"load_from={tmp_path / 'start.pth'}"]) == 1
    assert "nothing in the checkpoint of load_from fits" in capsys.readouterr().err.strip().splitlines()[-1]


def test_two_trainings_do_not_share_a_work_dir(tiny, tmp_path, capsys):
    (tmp_path / "work").mkdir()
    hold = (
        "import sys\nfrom pathlib import Path\nfrom simengine.files.owner import sole_owner\n"
        "with sole_owner(Path(sys.argv[1])):\n    print(flush=True)\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / "work")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert main(tiny) == 1
        assert "another process works in" in capsys.readouterr().err.strip().splitlines()[-1]
        other.stdin.close()


def test_weights_to_begin_from_are_looked_for_below_the_root(tmp_path, monkeypatch):
    (tmp_path / "ckpts").mkdir()
    torch.save({"state_dict": {"a": torch.zeros(1)}}, tmp_path / "ckpts" / "start.pth")
    monkeypatch.setenv("WORLDENGINE_ROOT", str(tmp_path))
    config = Config({"load_from": "ckpts/start.pth"})
    _choose_start(config, tmp_path / "work", None)
    assert config.load_from == str(tmp_path / "ckpts" / "start.pth")


def test_data_are_looked_for_below_the_root(tmp_path, monkeypatch):
    write_recordings(tmp_path / "observations", 3, decisions=11)
    save_vocabulary(make_vocabulary(12), tmp_path / "plans.npy")
    monkeypatch.setenv("WORLDENGINE_ROOT", str(tmp_path))
    data = DATASETS.build(tiny_config("observations", "plans.npy").train_dataloader.dataset | {"part": "all"})
    assert len(data.paths) == 3
    assert len(DisplacementMetric("plans.npy").vocabulary) == 12


def test_a_finished_training_is_not_lost_to_one_that_begins(tiny, tmp_path, capsys):
    kept = tmp_path / "work" / "epoch_7.pth"
    kept.parent.mkdir()
    kept.write_bytes(b"hours of work")
    assert main(tiny) == 1
    assert "--overwrite" in capsys.readouterr().err.strip().splitlines()[-1]
    assert {path.name for path in kept.parent.iterdir()} == {".lock", kept.name}
    assert kept.read_bytes() == b"hours of work"
    assert main([*tiny, "--overwrite"]) == 0
    assert [path.name for path in kept.parent.glob("*.pth")] == ["epoch_1.pth"]


def test_device_names():
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="expected auto, cpu or cuda"):
        choose_device("gpu")
