"""Training on GPUs; run by hand on a machine that has them."""

import numpy as np
import pytest
import torch

from algengine.engine.weights import load_checkpoint
from training_factories import logged, run_process, write_training_config

pytestmark = [pytest.mark.mm, pytest.mark.gpu]


def launch(config, gpus: int, batch: int, work, *resume: str) -> None:
    words = [str(config), str(gpus), *resume, f"train_dataloader.batch_size={batch}"]
    command = ["bash", "scripts/e2e_dist_train.sh", *words]
    ended = run_process(command, WORK_DIR=str(work), SKIP_BOOTSTRAP="1")
    assert ended.returncode == 0, ended.stderr[-3000:]


@pytest.mark.parametrize("norm", ["frozen", "SyncBN"])
def test_two_gpus_learn_as_one(tmp_path, norm):
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    options = {}
    if norm == "SyncBN":
        options = {"model__backbone__norm_cfg": {"type": "SyncBN"}, "model__backbone__norm_eval": False}
    config = write_training_config(tmp_path, train_cfg__max_epochs=3, **options)
    launch(config, 1, 4, tmp_path / "one")
    launch(config, 2, 2, tmp_path / "two")
    one, two = (logged(tmp_path / name, "loss") for name in ("one", "two"))
    assert len(one) == len(two) >= 12
    assert np.allclose(one, two, rtol=2e-2), np.abs(np.array(one) / two - 1).max()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_resumes_on_a_gpu(tmp_path, dtype):
    config = write_training_config(
        tmp_path, optim_wrapper__dtype=dtype, default_hooks__checkpoint__max_keep_ckpts=-1
    )
    launch(config, 1, 4, tmp_path / "whole")
    first = tmp_path / "whole" / "epoch_1.pth"
    work = tmp_path / "resumed"
    launch(config, 1, 4, work, str(first))
    whole, resumed = logged(tmp_path / "whole", "loss")[6:], logged(work, "loss")
    assert np.allclose(whole, resumed, rtol=2e-2)
    scale = load_checkpoint(work / "epoch_2.pth")["optimizer"].get("scaler")
    assert (scale is not None) == (dtype == "float16")
