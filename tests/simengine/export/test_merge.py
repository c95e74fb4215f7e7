"""Merged parts are what one run would have been; merging again changes nothing."""

import csv
import errno
import os
import shutil

import pytest

from export_factories import contents, drive
from simengine.agents.simple import BrakePolicy
from simengine.cli.main import main
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.export import links
from simengine.export.layout import openscene_of, parts_of
from simengine.export.merge import merge_run
from simengine.export.tables import read_averages, write_averages

TOKENS = [f"token_{k}" for k in range(3)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    drive(root, TOKENS)
    return root


@pytest.fixture
def parted(tmp_path, whole, parts):
    """The same run in parts; number 10 is there to be sorted after number 2."""
    return copy_parts(parts, tmp_path / "model" / "busy_NR")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    root = tmp_path_factory.mktemp("parts")
    drive(root / "split_10", TOKENS[2:])
    drive(root / "split_2", TOKENS[:2])
    return root


def copy_parts(parts, run):
    shutil.copytree(parts, run)
    return run


def table(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_merged_parts_are_one_run(parted, whole):
    report = merge_run(parted, "NR")
    assert [part.name for part in parts_of(parted)] == ["split_2", "split_10"]
    assert (report.parts, report.scenarios, report.rewards, report.scored) == (2, 3, 24, 3)
    expected, merged = contents(openscene_of(whole).root), contents(openscene_of(parted).root)
    assert {k for k in expected if not k.startswith("plan_rows/")} == set(merged)
    averages = "all_scenes_pdm_averages_NR.csv"
    assert {k: v for k, v in merged.items() if k != averages} == {
        k: expected[k] for k in merged if k != averages
    }
    assert merged[averages].splitlines()[:-1] == expected[averages].splitlines()[:-1]
    for name in ("plan_traj/plan_idx.csv", "scores.csv"):
        assert (parted / name).read_bytes() == (whole / name).read_bytes()


def test_files_are_linked_not_copied(parted):
    merge_run(parted, "NR")
    merged, part = openscene_of(parted), openscene_of(parted / "split_10")
    assert merged.meta("log-1-token_2").samefile(part.meta("log-1-token_2"))
    assert (merged.sensor_blobs / "token-2").is_symlink()
    moved = parted.with_name("moved")
    parted.rename(moved)
    assert len(list((openscene_of(moved).sensor_blobs / "token-2").rglob("*.jpg"))) == 96


def test_merging_twice_gives_the_same_bytes(parted):
    merge_run(parted, "NR")
    first = contents(parted)
    merge_run(parted, "NR")
    assert contents(parted) == first
    assert not list(parted.rglob("*.tmp"))


def test_the_average_is_over_all_rows(parted):
    merge_run(parted, "NR")
    rows = table(openscene_of(parted).averages("NR"))
    assert rows[0][:2] == ["token", "step"] and rows[0][-2:] == ["score", "first_violation_step"]
    assert [row[0] for row in rows[1:]] == [
        "log-1-token_0",
        "log-1-token_1",
        "log-1-token_2",
        "overall_average",
    ]
    scores = [float(row[8]) for row in rows[1:-1]]
    assert rows[-1][8] == f"{sum(scores) / 3:.5f}" and rows[-1][1] == "11.00000"


def test_the_last_scenario_is_not_lost_with_the_average(parted):
    """A part that was killed between its last scenario and its average has no average row."""
    path = openscene_of(parted / "split_2").averages("NR")
    path.write_text("".join(path.read_text().splitlines(True)[:-1]))
    assert merge_run(parted, "NR").scored == 3


def test_a_table_that_is_cut_off_stops_the_merge_before_it_begins(parted):
    path = openscene_of(parted / "split_2").averages("NR")
    path.write_text(path.read_text()[:-150])
    with pytest.raises(ScenarioFormatError, match="cut off"):
        merge_run(parted, "NR")
    assert not openscene_of(parted).root.exists()


def test_rows_of_a_part_that_did_not_conclude(parted, whole):
    (parted / "split_10" / "plan_traj" / "plan_idx.csv").unlink()
    merge_run(parted, "NR")
    assert (parted / "plan_traj/plan_idx.csv").read_bytes() == (whole / "plan_traj/plan_idx.csv").read_bytes()


def test_a_part_that_goes_on_replaces_what_was_merged(parted):
    merge_run(parted, "NR")
    before = openscene_of(parted).meta("log-1-token_2").read_bytes()
    drive(parted / "split_10", TOKENS[2:], policy=BrakePolicy)
    merge_run(parted, "NR")
    assert openscene_of(parted).meta("log-1-token_2").read_bytes() != before


def test_images_of_an_unfinished_attempt_do_not_hide_the_finished_one(parted):
    """split_10 began a scenario that split_2 finished: it has images and rows of it, but no frames."""
    late = openscene_of(parted / "split_10")
    (late.sensor_blobs / "token-0" / "CAM_F0").mkdir(parents=True)
    with late.plan_index.open("a") as file:
        file.write("token-0,4,999\n")
    merge_run(parted, "NR")
    merged = openscene_of(parted)
    assert len(list((merged.sensor_blobs / "token-0").rglob("*.jpg"))) == 96
    assert ["token-0", "4", "999"] not in table(merged.plan_index)


def test_a_scenario_of_two_parts_counts_once(parted):
    drive(parted / "split_11", TOKENS[:1], policy=BrakePolicy)
    report = merge_run(parted, "NR")
    assert report.repeated == ("log-1-token_0",) and report.scenarios == report.scored == 3
    late, merged = openscene_of(parted / "split_11"), openscene_of(parted)
    assert merged.meta("log-1-token_0").samefile(late.meta("log-1-token_0"))
    assert (merged.sensor_blobs / "token-0").resolve() == (late.sensor_blobs / "token-0").resolve()
    assert (
        read_averages(merged.averages("NR"))["log-1-token_0"]
        == read_averages(late.averages("NR"))["log-1-token_0"]
    )


def test_file_systems_without_hard_links(parted, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(links.os, "link", refuse)
    merge_run(parted, "NR")
    merged, part = (
        openscene_of(parted).meta("log-1-token_2"),
        openscene_of(parted / "split_10").meta("log-1-token_2"),
    )
    assert merged.read_bytes() == part.read_bytes() and not merged.samefile(part)


def test_a_full_disk_is_one_sentence_and_merging_goes_on_after_it(parted, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(links.os, "link", full)
        patch.setattr(links.shutil, "copyfile", full)
        with pytest.raises(ConfigError, match="No space left on device.*merge again"):
            merge_run(parted, "NR")
    assert not list(parted.rglob("*.tmp"))
    assert merge_run(parted, "NR").scenarios == 3


def test_nothing_to_merge(tmp_path):
    with pytest.raises(ConfigError, match="expected that of a run"):
        merge_run(tmp_path / "absent", "NR")
    with pytest.raises(ConfigError, match="record.openscene=true"):
        merge_run(tmp_path, "NR")
    with pytest.raises(ConfigError, match="expected one of NR, R"):
        merge_run(tmp_path, "both")


def test_a_single_run_is_completed_in_place(whole, capsys):
    before = contents(whole)
    assert main(["merge", str(whole), "--react-type", "NR"]) == 0
    assert "3 scenarios with frames, 24 reward files, 3 scores" in capsys.readouterr().out
    after = contents(whole)
    averages = "WE_output/openscene_format/all_scenes_pdm_averages_NR.csv"
    assert {k: v for k, v in after.items() if k != averages} == {
        k: v for k, v in before.items() if k != averages
    }


def test_averages_of_no_rows(tmp_path):
    write_averages(tmp_path / "a.csv", {})
    assert read_averages(tmp_path / "a.csv") == {}
