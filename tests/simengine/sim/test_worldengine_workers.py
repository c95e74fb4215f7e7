"""Runs of worldengine_v1 give the same bytes for one worker or two, in one go or resumed; real logs run whole."""

import csv
from pathlib import Path

import pytest

from factories import shared_data
from simengine.cli.main import main
from simengine.metrics.table import read_scores_csv
from simengine.scenario.splits import write_split
from worldengine_factories import make_published, read

TABLES = ("scores.csv", "all_scenes_pdm_averages_NR.csv")


def run(out: Path, *words: str) -> dict[str, bytes]:
    """Return the tables of a run."""
    keys = [
        "protocol.name=worldengine_v1",
        "ego=brake",
        "controller=lqr",
        "render.backend=none",
        "report=false",
    ]
    assert main(["run", *keys, f"output_dir={out}", *words]) == 0
    return {name: (out / name).read_bytes() for name in TABLES}


@pytest.mark.slow
def test_workers_and_resuming_change_nothing(tmp_path):
    write_split([read(make_published(seed)) for seed in range(4)], tmp_path / "mine")
    split = ["split=mine", f"scenario_root={tmp_path}"]
    alone = run(tmp_path / "alone", *split)
    pooled = run(tmp_path / "pooled", *split, "worker=processes", "num_workers=2")
    run(tmp_path / "resumed", *split, "num_scenarios=2")
    resumed = run(tmp_path / "resumed", *split)
    assert pooled == alone
    assert resumed == alone
    rows = read_scores_csv(tmp_path / "alone" / "scores.csv")
    assert [row.status for row in rows] == ["ok"] * 4
    assert len({row.record_hash for row in rows}) == 4


@pytest.mark.slow
def test_all_real_logs_run_and_the_logged_drive_is_as_good_as_itself(tmp_path):
    source = shared_data()
    assert main(["convert", str(source), str(tmp_path / "splits" / "all")]) == 0
    words = ["split=all", f"scenario_root={tmp_path / 'splits'}", "ego=log_replay", "controller=perfect"]
    run(tmp_path / "out", *words)
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 20
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["ego_progress"] for row in rows} == {"1.000000"}
