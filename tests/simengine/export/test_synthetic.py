"""Exported rollouts read back by a loader that knows the description of the format only."""

import errno
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from export_factories import VOCABULARY, contents, drive
from simengine.agents.simple import BrakePolicy
from simengine.cli.main import main
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.export.layout import openscene_of
from simengine.export.synthetic import data_name, export_run
from simengine.files.atomic import write_atomically
from synthetic_reader import METRICS, SyntheticSet

TOKENS = ("token_0", "token_1")
NAME = "brake_busy_NR_250911"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    root = tmp_path_factory.mktemp("exported")
    drive(root / "brake" / "busy_NR", TOKENS, policy=BrakePolicy)
    return root


@pytest.fixture
def run(tmp_path, base):
    shutil.copytree(base, tmp_path, dirs_exist_ok=True)
    return tmp_path / "brake" / "busy_NR"


def read(root, name=NAME):
    return SyntheticSet(root, name, VOCABULARY.size)


def test_the_loader_reads_everything(run, tmp_path):
    report = export_run(run, "250911", tmp_path / "out")
    data = read(tmp_path / "out")
    assert report.name == NAME == data_name(run, "250911")
    assert (report.scenarios, report.frames, report.rewarded, report.invalid) == (2, 24, 16, 2)
    assert [info["frame_idx"] for info in data.infos] == 2 * list(range(12))
    assert {info["syn_name"] for info in data.infos} == {NAME}
    for info in data.infos:
        step = info["frame_idx"]
        assert ("pdm" in info) == (3 <= step < 11) and ("invalid" in info) == (step == 11)
        assert all(data.image(info, camera).is_file() for camera in info["cams"])
        if "pdm" not in info:
            continue
        for name, column in info["pdm"].items():
            assert column.dtype == np.float32
            assert name in ("IL_plan_idx", "target_traj") or column.shape == (VOCABULARY.size,)
        assert info["pdm"]["IL_plan_idx"].shape == () and info["pdm"]["target_traj"].shape[1] == 2
        assert set(info["pdm"]) >= {*METRICS, "lane_keeping", "driving_direction_compliance"}
        own = data.metrics(info)
        assert all((own[name] == info["pdm"][name]).all() for name in METRICS)
        assert (info["scene_token"], step) in data.plans


def test_filters_of_the_loader(run, tmp_path):
    export_run(run, "250911", tmp_path / "out")
    data = read(tmp_path / "out")
    # The third field of the log's name is the original token.
    assert data.select({"token_1"}, "v2") == [12 + 3]
    assert data.select({"absent"}, "v2") == []
    assert data.select(set(TOKENS), None) == [*range(3, 11), *range(15, 23)]
    # The first plan stops within 11 m, where others would go 20 m behind a car: no progress worth the name.
    kept = data.select(set(TOKENS), "v1")
    assert kept and set(kept) <= {*range(3, 11), *range(15, 23)}
    for position in set(range(3, 11)) - set(kept):
        pdm, plan = data.infos[position]["pdm"], data.plans["token-0", data.infos[position]["frame_idx"]]
        assert pdm["score"].max() < 0.9 or (pdm["score"][plan] > 2 / 3 and pdm["ego_progress"][plan] >= 0.2)


def test_good_driving_is_not_kept_as_failure(tmp_path):
    drive(tmp_path / "log" / "busy_NR", TOKENS[:1])
    export_run(tmp_path / "log" / "busy_NR", None, tmp_path / "out")
    data = read(tmp_path / "out", "log_busy_NR")
    for position in data.select(set(TOKENS), "v1"):
        plan = data.plans["token-0", data.infos[position]["frame_idx"]]
        assert data.infos[position]["pdm"]["score"][plan] <= 2 / 3


def test_the_run_is_not_touched_and_exporting_again_changes_nothing(run, tmp_path):
    before = contents(run)
    export_run(run, "a", tmp_path / "out")
    first = contents(tmp_path / "out")
    export_run(run, "a", tmp_path / "out")
    assert contents(run) == before and contents(tmp_path / "out") == first
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_link_of_the_original_is_replaced_and_nothing_written_through_it(run, tmp_path):
    target = tmp_path / "out" / "meta_datas" / NAME
    target.parent.mkdir(parents=True)
    target.symlink_to(openscene_of(run).meta_datas)
    export_run(run, "250911", tmp_path / "out")
    assert not (openscene_of(run).meta_datas / "combined.pkl").exists()
    assert (target / "combined.pkl").is_file()


def test_scenarios_that_are_gone_are_gone_from_the_data(run, tmp_path):
    export_run(run, "250911", tmp_path / "out")
    openscene_of(run).meta("log-1-token_0").unlink()
    assert export_run(run, "250911", tmp_path / "out").frames == 12
    assert {path.name for path in (tmp_path / "out" / "meta_datas" / NAME).iterdir()} == {
        "log-1-token_1.pkl",
        "combined.pkl",
    }


def test_a_missing_reward_is_an_invalid_frame(run, tmp_path):
    (openscene_of(run).pdms_pkl / "log-1-token_0_step_5_scores.pkl").unlink()
    assert export_run(run, "250911", tmp_path / "out").invalid == 3
    info = read(tmp_path / "out").infos[5]
    assert info["invalid"] is True and "pdm" not in info


def test_another_run_of_the_same_name_is_refused(run, tmp_path):
    export_run(run, "a", tmp_path / "out")
    other = tmp_path / "elsewhere" / "brake" / "busy_NR"
    shutil.copytree(run, other)
    with pytest.raises(ConfigError, match="another appendix"):
        export_run(other, "a", tmp_path / "out")
    export_run(other, "b", tmp_path / "out")


def test_damaged_frames_leave_the_old_export(run, tmp_path):
    export_run(run, "a", tmp_path / "out")
    combined = tmp_path / "out" / "meta_datas" / "brake_busy_NR_a" / "combined.pkl"
    before = combined.read_bytes()
    write_atomically(openscene_of(run).meta("log-1-token_1"), pickle.dumps({"no": "frames"}))
    with pytest.raises(ScenarioFormatError, match="token_1.pkl: holds no list of frames"):
        export_run(run, "a", tmp_path / "out")
    assert combined.read_bytes() == before


def test_a_full_disk(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("simengine.export.synthetic.write_pickled_list", full)
        with pytest.raises(ConfigError, match="No space left on device.*export again"):
            export_run(run, "a", tmp_path / "out")
    assert export_run(run, "a", tmp_path / "out").frames == 24


def test_nothing_to_export(tmp_path):
    (tmp_path / "split_0").mkdir()
    with pytest.raises(ConfigError, match="merge it first"):
        export_run(tmp_path)


def test_command_line_and_default_place(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLDENGINE_ROOT", str(tmp_path / "engine"))
    assert main(["export", str(run)]) == 0
    assert "exported brake_busy_NR below" in capsys.readouterr().out
    root = tmp_path / "engine" / "data" / "alg_engine" / "openscene-synthetic"
    assert len(read(root, "brake_busy_NR").infos) == 24


def test_launchers_take_the_arguments_of_the_original(run):
    scripts = Path(__file__).parents[3] / "scripts"
    if not (scripts.parent / ".venv" / "bin" / "simengine").exists():
        pytest.skip("no .venv beside the scripts")

    def launch(name, *words):
        environment = os.environ | {"WORLDENGINE_ROOT": str(run.parents[1])}
        return subprocess.run(
            ["bash", scripts / name, *words], env=environment, capture_output=True, text=True, check=False
        )

    merged = launch("merge_simulation_results.sh", "--test_path", str(run), "--react_type", "NR")
    assert (merged.returncode, merged.stderr) == (0, "")
    exported = launch("export_simulation_data.sh", "--test_path", str(run), "--appendix", "250911")
    assert (exported.returncode, exported.stderr) == (0, "") and NAME in exported.stdout
    refused = launch("merge_simulation_results.sh", "--test_path", str(run))
    assert refused.returncode == 1 and "expected --test_path" in refused.stderr
