"""`algengine cache` from the command line: the same bytes from anyone, resumed, exchanged, verified."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from algengine.cli.main import main
from rewards_factories import make_plans, save_plans, write_scenarios
from simengine.cli.main import main as simengine
from simengine.rewards.score_cache import ScoreCache


@pytest.fixture
def here(tmp_path):
    write_scenarios(tmp_path / "split")
    save_plans(tmp_path / "plans.npy")
    return tmp_path


def cache(here, *options, split="split", out="out"):
    split = split if split == "-" else str(here / split)
    return main(["cache", split, str(here / "plans.npy"), str(here / out), *options])


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_built_in_scenarios(tmp_path, capsys):
    assert simengine(["generate", "demo", str(tmp_path / "split"), "--num-scenarios", "2"]) == 0
    save_plans(tmp_path / "plans.npy")
    assert cache(tmp_path, "--workers", "1") == 0
    assert "2 scored, 0 kept, 0 failed; 12 plans, navsim_v1" in capsys.readouterr().out
    scores = ScoreCache(tmp_path / "out")
    assert list(scores) == ["demo_0000", "demo_0001"]
    assert 0.0 < scores["demo_0000"]["score"].max() <= 1.0


def test_again_it_keeps_and_other_modes_go_elsewhere(here, capsys):
    assert cache(here, "--workers", "1") == 0
    before = files_of(here / "out")
    assert cache(here, "--workers", "1") == 0
    assert "0 scored, 3 kept" in capsys.readouterr().out
    assert files_of(here / "out") == before
    assert cache(here, "--metric", "corrected", "--workers", "1") == 1
    assert "is a cache with mode navsim_v1, expected corrected" in capsys.readouterr().err
    assert cache(here, "--metric", "worldengine_v1", "--workers", "1", out="other") == 0
    first, other = (ScoreCache(here / name)["token_0"]["score"] for name in ("out", "other"))
    assert not np.array_equal(first, other)


@pytest.mark.slow
def test_two_processes_write_the_bytes_of_one(here):
    assert cache(here, "--workers", "1", out="one") == 0
    assert cache(here, "--workers", "2", out="two") == 0
    assert files_of(here / "one") == files_of(here / "two") != {}


@pytest.mark.ray
@pytest.mark.slow
def test_ray_writes_the_bytes_of_one_process(here, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert cache(here, "--workers", "1", out="one") == 0
    assert cache(here, "--workers", "2", "--ray", out="ray") == 0
    assert files_of(here / "one") == files_of(here / "ray") != {}


def test_without_ray_it_says_what_to_install(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "algengine.score_cache.ray_tasks", raising=False)
    assert cache(here, "--ray") == 1
    assert "pip install 'simengine[ray]'" in capsys.readouterr().err


def test_a_broken_scenario_is_told_and_the_others_are_scored(here, capsys):
    (here / "split" / "token_1.npz").write_bytes(b"nothing")
    assert cache(here, "--workers", "1") == 1
    said = capsys.readouterr().out
    assert "failed token_1: ScenarioFormatError" in said
    assert "2 scored, 0 kept, 1 failed" in said
    assert list(ScoreCache(here / "out")) == ["token_0", "token_2"]


def test_verify_finds_deletes_and_the_next_run_repairs(here, capsys):
    assert cache(here, "--workers", "1", "--verify") == 0
    assert "3 of 3 files are as they were written" in capsys.readouterr().out
    before = files_of(here / "out")
    victim = sorted((here / "out" / "entries").rglob("*.npz"))[0]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 0xFF
    victim.write_bytes(content)
    assert cache(here, "--verify", split="-") == 1
    said = capsys.readouterr().out
    assert "broken token_" in said
    assert "2 of 3 files are as they were written" in said
    assert not victim.exists()
    assert cache(here, "--workers", "1", "--verify") == 0
    assert files_of(here / "out") == before


def test_export_and_import_without_scenarios(here, capsys):
    pkl = here / "pdm_8192_gt_cache_navtest.pkl"
    assert cache(here, "--workers", "1", "--export-pkl", str(pkl)) == 0
    assert "3 of 3 tokens exported" in capsys.readouterr().out
    assert list(pickle.loads(pkl.read_bytes())) == ["token_0", "token_1", "token_2"]
    again = here / "again.pkl"
    assert cache(here, "--import-pkl", str(pkl), "--export-pkl", str(again), split="-", out="copy") == 0
    assert again.read_bytes() == pkl.read_bytes()


def test_imported_tokens_are_not_scored_again(here, capsys):
    pkl = here / "part.pkl"
    ones = {name: np.ones(12, np.float32) for name in ("no_at_fault_collisions", "drivable_area_compliance")}
    ones |= {
        n: np.ones(12, np.float32)
        for n in ("ego_progress", "time_to_collision_within_bound", "comfort", "score")
    }
    pkl.write_bytes(pickle.dumps({"token_1": ones}))
    assert cache(here, "--import-pkl", str(pkl), "--workers", "1") == 0
    said = capsys.readouterr().out
    assert "1 tokens imported" in said
    assert "2 scored, 1 kept" in said
    scores = ScoreCache(here / "out")
    assert (scores["token_1"]["score"] == 1.0).all()
    assert not (scores["token_0"]["score"] == 1.0).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--metric", "best"], "unknown mode of rewards 'best'"),
        (["--workers", "0"], "--workers is 0, expected at least 1"),
        (["--vocabulary-dt", "0.05"], "expected them to reach 4.0 s"),
        (["--import-pkl", "/nowhere.pkl"], "cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(here, options, said, capsys):
    assert cache(here, *options) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (here / "out").exists()


def test_no_split_and_no_cache(here, capsys):
    assert cache(here, split="nowhere") == 1
    assert "expected the index of a split" in capsys.readouterr().err
    assert cache(here, "--verify", split="-") == 1
    assert "expected the index of a score cache" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_leaves_a_cache_that_is_gone_on_with(tmp_path):
    write_scenarios(tmp_path / "split", 40)
    # Enough work that the signal comes in the middle of it.
    save_plans(tmp_path / "plans.npy", np.repeat(make_plans(), 100, axis=0))
    words = [
        "cache",
        str(tmp_path / "split"),
        str(tmp_path / "plans.npy"),
        str(tmp_path / "out"),
        "--workers",
        "2",
    ]
    code = f"import sys; from algengine.cli.main import main; sys.exit(main({words!r}))"
    run = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while len(list((tmp_path / "out").rglob("*.npz"))) < 6:
        assert run.poll() is None and time.monotonic() < deadline, "nothing was scored"
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to the workers, too
    _, error = run.communicate(timeout=300)
    assert run.returncode == 130, error
    assert error.splitlines()[-1] == "algengine cache: interrupted; run it again to resume"
    done = len(ScoreCache(tmp_path / "out"))
    assert 0 < done < 40
    assert main([*words[:-1], "1"]) == 0
    assert len(ScoreCache(tmp_path / "out")) == 40
    assert all(not error for _, error in ScoreCache(tmp_path / "out").verify())


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["cache", "--help"])
    assert caught.value.code == 0
    assert "algengine cache SPLIT_DIR plans.npy OUT --workers 16" in capsys.readouterr().out
