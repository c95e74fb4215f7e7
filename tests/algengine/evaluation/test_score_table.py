import gzip

import numpy as np
import pytest

from algengine.evaluation.score_table import read_score_table
from factories import shared_data
from score_table_factories import write_table
from simengine.errors import ScenarioFormatError
from simengine.metrics.row import ScoreRow, failed_row
from simengine.metrics.table import write_compat_csv, write_scores_csv

ROWS = [
    ScoreRow("b", "ok", 1.0, 1.0, 0.5, 1.0, 0.0, 1.0, score=0.7, success=1.0, blame="late", mode="navsim_v1"),
    ScoreRow("c", "ok", 0.5, 1.0, 0.25, score=0.3, success=0.0),
    failed_row("a", "the planner was lost", mode="navsim_v1"),
]


def test_our_table_keeps_failed_rows_as_rows(tmp_path):
    write_scores_csv(tmp_path / "scores.csv", ROWS)
    table = read_score_table(tmp_path / "scores.csv")
    assert table.tokens == ("a", "b", "c")
    assert table.failed.tolist() == [True, False, False]
    assert np.isnan(table.columns["score"][0])
    assert table.columns["ego_progress"][1:].tolist() == [0.5, 0.25]
    assert np.isnan(table.columns["comfort"][2])
    assert table.labels["error"][0] == "the planner was lost"
    assert table.labels["blame"][1] == "late"


def test_the_original_s_closed_loop_table_loses_its_average(tmp_path):
    write_compat_csv(tmp_path / "all.csv", ROWS)
    table = read_score_table(tmp_path / "all.csv")
    assert table.tokens == ("b", "c")
    assert table.summary_rows == 1
    assert not table.failed.any()


def test_the_original_s_open_loop_table(tmp_path):
    columns = ("token", "ade_4s", "fde_4s", "no_at_fault_collisions", "score")
    rows = [("t", "1.5000", "3.2500", "1.0000", "0.9000"), ("average", "1.5", "3.25", "1", "0.9")]
    table = read_score_table(write_table(tmp_path / "a.csv", rows, columns))
    assert table.tokens == ("t",)
    assert table.columns["fde_4s"].tolist() == [3.25]


def test_the_first_of_several_rows_counts(tmp_path):
    rows = [(0, "t", 0.5), (1, "u", 1), (2, "t", 0.25), (3, "u", 1)]
    table = read_score_table(write_table(tmp_path / "a.csv", rows, ("", "token", "score")))
    assert table.columns["score"].tolist() == [0.5, 1.0]
    assert table.duplicates == ("t", "u")
    assert table.conflicts == ("t",)


def test_navsim_s_invalid_rows_are_failed_and_digits_stay_text(tmp_path):
    rows = [("0012345678901234", "False", 0), ("1e10", "True", 1)]
    table = read_score_table(write_table(tmp_path / "a.csv", rows, ("token", "valid", "score")))
    assert table.tokens == ("0012345678901234", "1e10")
    assert table.failed.tolist() == [True, False]


def test_a_gzipped_table_is_the_same(tmp_path):
    path = write_table(tmp_path / "a.csv", [("t", 0.5)], ("token", "score"))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read_score_table(tmp_path / "a.csv.gz").columns["score"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected `token` among them"),
        ("name,score\na,1\n", "expected `token` among them"),
        ("token,score,score\na,1,1\n", "twice"),
        ("token,score\na\n", "line 2 has 1 cells"),
        ("token,score\na,much\n", "could not convert"),
        ("token,score\na,85.6\n", "not percent"),
        ("token,ade_4s\na,-1\n", "expected >= 0"),
        ("token,valid,score\na,perhaps,1\n", "expected True or False"),
    ],
)
def test_a_broken_table_is_one_sentence(text, said, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ScenarioFormatError, match=said):
        read_score_table(path)


def test_a_missing_or_binary_file_is_one_sentence(tmp_path):
    with pytest.raises(ScenarioFormatError, match="cannot be read"):
        read_score_table(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioFormatError, match="no text"):
        read_score_table(tmp_path / "a.csv")
    (tmp_path / "a.csv.gz").write_bytes(b"token")
    with pytest.raises(ScenarioFormatError, match="cannot be read"):
        read_score_table(tmp_path / "a.csv.gz")


@pytest.mark.parametrize(
    ("name", "rows", "summaries"),
    [
        ("simscale/pdms/diffusiondrive_sim_navtest.csv", 12146, 1),
        ("simscale/pdms/gtrs_dense_vov_sim_reward_navhard.csv", 5912, 3),
        ("navsim_audit/human_replay_stock_nonreactive.csv.gz", 12146, 1),
    ],
)
def test_real_tables(name, rows, summaries):
    table = read_score_table(shared_data("data", *name.split("/")))
    assert (len(table), table.summary_rows, table.duplicates) == (rows, summaries, ())
