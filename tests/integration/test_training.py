"""Training as processes: killed and resumed, and spread over two."""

import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from algengine.engine.weights import load_checkpoint
from training_factories import (
    REPOSITORY,
    add_kill_hook,
    logged,
    run_process,
    same,
    start_training,
    write_training_config,
)

pytestmark = [pytest.mark.mm]

EVERYTHING = {
    "model__head__dropout": 0.1,
    "model__head__past_dropout": 0.5,
    "model__bev_encoder__dropout": 0.1,
    "model__data_preprocessor__brightness": 0.2,
    "model__data_preprocessor__grid_mask": 0.5,
    "model__backbone__norm_eval": False,
    "train_dataloader__num_workers": 1,
    "train_dataloader__dataset__perturbation": {"probability": 0.5},
    "optim_wrapper__dtype": "bfloat16",
    "optim_wrapper__accumulative_counts": 4,
    "ema_momentum": 0.05,
    "default_hooks__checkpoint__iterations": 3,
    "default_hooks__checkpoint__max_keep_ckpts": 2,
}
"""All that draws random numbers or carries state from step to step."""


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_bits(tmp_path):
    config = write_training_config(tmp_path, **EVERYTHING)
    add_kill_hook(config)
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    pool = ThreadPoolExecutor(1)
    undisturbed = pool.submit(start_training, str(config), "--work-dir", str(quiet))  # beside the others
    moments = [
        "iteration 2",  # nothing is saved yet
        "iteration 5",
        "written iter_8.pth",  # the temporary file is there, the name is not
        "renamed iter_8.pth",  # last_checkpoint still names the one before
        "validation",
    ]
    for moment in moments:
        ended = start_training(str(config), "--work-dir", str(killed), "--resume", KILL_AT=moment)
        assert ended.returncode == -signal.SIGKILL, (moment, ended.stderr)
        assert len(list(killed.glob("*.pth"))) <= 3
    last = start_training(str(config), "--work-dir", str(killed), "--resume", "auto")
    assert last.returncode == 0, last.stderr
    assert undisturbed.result().returncode == 0, undisturbed.result().stderr
    per_epoch = load_checkpoint(quiet / "epoch_2.pth")["meta"]["iterations_per_epoch"]
    assert per_epoch == 6  # an epoch ends while gradients are being accumulated
    a, b = (load_checkpoint(folder / "epoch_2.pth") for folder in (quiet, killed))
    for part in ("state_dict", "ema_state_dict", "optimizer", "param_schedulers"):
        assert same(a[part], b[part]), part
    assert not same(a["state_dict"], a["ema_state_dict"])
    assert logged(killed, "loss") == logged(quiet, "loss")
    assert logged(killed, "plan/ade") == logged(quiet, "plan/ade")


@pytest.mark.slow
def test_two_processes_learn_as_one(tmp_path):
    config = write_training_config(tmp_path, train_cfg__max_epochs=3)
    losses, weights = {}, {}

    def learn(processes: int):
        batch = f"train_dataloader.batch_size={4 // processes}"
        command = ["bash", "scripts/e2e_dist_train.sh", str(config), "0", batch]
        variables = {"NPROC": str(processes), "WORK_DIR": str(tmp_path / f"work_{processes}")}
        return run_process(command, SKIP_BOOTSTRAP="1", **variables)

    with ThreadPoolExecutor(2) as pool:
        both = pool.map(learn, (1, 2))
    for processes, ended in zip((1, 2), both, strict=True):
        assert ended.returncode == 0, ended.stderr[-3000:]
        work = tmp_path / f"work_{processes}"
        losses[processes] = logged(work, "loss")
        weights[processes] = load_checkpoint(work / "epoch_3.pth")["state_dict"]
    assert len(losses[1]) == len(losses[2]) >= 12
    assert losses[1][-1] < losses[1][0]
    assert np.allclose(losses[1], losses[2], rtol=1e-3)
    moved = [k for k, v in weights[1].items() if v.is_floating_point()]
    assert all(torch.allclose(weights[1][k], weights[2][k], atol=5e-3) for k in moved)


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (["vadv2_demo"], {}, "expected CONFIG NUM_GPUS [CHECKPOINT|auto]"),
        (["vadv2_demo", "two"], {}, "expected a number"),
        (["vadv2_demo", "0"], {"NPROC": "none"}, "NPROC is 'none'"),
        (["vadv2_demo", "3"], {"CUDA_VISIBLE_DEVICES": ""}, "NUM_GPUS is 3 but this PyTorch sees 0"),
        (["vadv2_demo", "0"], {"WORLD_SIZE": "2"}, "MASTER_ADDR is not set"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, variables, expected):
    assert (REPOSITORY / "scripts" / "e2e_dist_train.sh").is_file()
    ended = run_process(["bash", "scripts/e2e_dist_train.sh", *arguments], SKIP_BOOTSTRAP="1", **variables)
    assert ended.returncode == 1
    assert expected in ended.stderr
    assert ended.stderr.count("\n") == 1
