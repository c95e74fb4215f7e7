"""The steps of the script that trains demo planners, with commands that only say what they were called with."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
RANKING = "model.head.ranking.imitation=0.5"
COMMAND = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> calls.txt
work=experiments/hydramdp_demo
if [ "$1" = fit-ranking ]; then mkdir -p $work; echo {ranking} > $work/ranking.txt; fi
"""


@pytest.fixture
def checkout(tmp_path):
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    (tmp_path / "scripts" / "bootstrap.sh").write_text("")
    for name in ("simengine", "algengine"):
        path = tmp_path / ".venv" / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(COMMAND.format(ranking=RANKING))
        path.chmod(0o755)
    return tmp_path


def run(checkout: Path, *words: str, **environment: str) -> tuple[subprocess.CompletedProcess, list[str]]:
    done = subprocess.run(
        ["bash", checkout / "scripts" / "train_demo_planner.sh", *words],
        capture_output=True, text=True, timeout=240, check=False, env=os.environ | {"WORKERS": "1"} | environment,
    )  # fmt: skip
    calls = checkout / "calls.txt"
    return done, calls.read_text().splitlines() if calls.is_file() else []


def test_vadv2_makes_a_vocabulary_and_needs_no_scores(checkout):
    done, calls = run(checkout, "40", "model.head.vocabulary_size=64")
    assert done.returncode == 0, done.stderr
    verbs = [" ".join(call.split()[:2]) for call in calls]
    assert verbs == [
        "simengine generate", "simengine run", "algengine labels", "algengine vocabulary", "algengine train",
        "algengine export",
    ]  # fmt: skip
    assert calls[3].endswith("data/alg_engine/vocabulary/vadv2_demo.npy --size 64")
    assert not any("rewards" in call for call in calls)
    assert "algengine/assets/vadv2_demo" in calls[-1]


def test_hydramdp_scores_the_shipped_plans_and_exports_the_ranking_it_found(checkout):
    done, calls = run(checkout, "hydramdp_demo", "40", "train_cfg.max_epochs=1", OUT="out")
    assert done.returncode == 0, done.stderr
    plans, scores, train, fit, export = calls[3:]
    vocabulary = "data/alg_engine/vocabulary/hydramdp_demo.npy"
    assert plans.startswith(f"algengine post-train --vocabulary {vocabulary} --checkpoint")
    assert plans.endswith("assets/vadv2_demo/weights.pth")
    assert "record.cameras=none" in scores and f"rewards.vocabulary={vocabulary}" in scores
    assert "output_dir=data/alg_engine/recordings/hydramdp_demo_scores" in scores
    assert "rewards" not in calls[1] and "output_dir=data/alg_engine/recordings/vadv2_demo_train" in calls[1]
    assert train.startswith("algengine train hydramdp_demo") and train.endswith("train_cfg.max_epochs=1")
    assert fit.startswith("algengine fit-ranking hydramdp_demo experiments/hydramdp_demo/last_checkpoint")
    assert export.endswith(f"out --config hydramdp_demo --cfg-options train_cfg.max_epochs=1 {RANKING}")


def test_data_only_stops_before_training(checkout):
    done, calls = run(checkout, "hydramdp_demo", DATA_ONLY="1")
    assert done.returncode == 0, done.stderr
    assert len(calls) == 5 and "rewards.vocabulary" in calls[-1]


def test_unknown_words_are_refused(checkout):
    done, calls = run(checkout, "uniad_demo")
    assert done.returncode == 1 and "unknown argument 'uniad_demo'" in done.stderr and not calls
