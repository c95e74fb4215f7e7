import json
import sys

import pytest

from training_factories import run_process, write_training_config

pytestmark = [pytest.mark.mm, pytest.mark.slow]


@pytest.mark.parametrize("processes", [1, 2])
def test_benchmark_prints_json_with_budgets(tmp_path, processes):
    config = write_training_config(tmp_path, model__bev_encoder__num_cameras=8)
    launch = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--local-addr",
        "127.0.0.1",
        "--nproc-per-node",
        "2",
    ]
    options = ["--config", str(config), "--device", "cpu", "--repeat", "1", "--warm-up", "1", "--batch", "1"]
    parts = ["--parts", "training"] if processes > 1 else ["--scenes", "1", "2"]
    ended = run_process(
        [sys.executable, *(launch if processes > 1 else ()), "benchmarks/training.py", *options, *parts]
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    report = json.loads(ended.stdout)
    assert report["processes"] == processes
    assert report["budget"]["training_samples_per_s"] == 8
    for run in ("ours", "plain"):
        training = report["training"][run]
        assert training["samples_per_s"] > 0
        assert ("efficiency" in training) == (processes > 1)
        if processes == 1:
            inference = report["inference"][run]
            assert set(inference["scenes_per_s"]) == {"1", "2"}
            assert inference["p50_ms"] > 0
