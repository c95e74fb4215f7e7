import csv
import json

import numpy as np
import pytest

from algengine.cli.main import main
from algengine.evaluation.compare import ScoreTable, compare_tables
from algengine.evaluation.score_table import read_score_table
from factories import shared_data
from score_table_factories import write_table
from simengine.errors import ScenarioFormatError
from simengine.metrics.row import ScoreRow, failed_row
from simengine.metrics.summary import bootstrap_interval
from simengine.metrics.table import write_compat_csv, write_scores_csv

NAN = float("nan")


def make_table(values: dict, name: str = "a.csv", tokens=None, failed=None, labels=None) -> ScoreTable:
    columns = {key: np.asarray(column, float) for key, column in values.items()}
    count = len(next(iter(columns.values())))
    tokens = tuple(tokens or (f"t{i:03d}" for i in range(count)))
    failed = np.zeros(count, bool) if failed is None else np.asarray(failed, bool)
    return ScoreTable(name, tokens, columns, failed, labels or {})


def random_pair(count: int = 60, seed: int = 0) -> tuple[ScoreTable, ScoreTable]:
    rng = np.random.default_rng(seed)
    score = rng.uniform(size=count)
    other = np.clip(score + rng.normal(0.05, 0.1, count), 0, 1)
    hit = [rng.integers(0, 2, count) for _ in range(2)]
    road = np.ones(count)
    return tuple(
        make_table({"score": s, "no_at_fault_collisions": h, "drivable_area_compliance": road}, name)
        for s, h, name in ((score, hit[0], "a.csv"), (other, hit[1], "b.csv"))
    )


def test_identical_tables_give_exactly_zero():
    table = random_pair()[0]
    for column in compare_tables(table, table).columns.values():
        assert (column.difference, column.low, column.high) == (0.0, 0.0, 0.0)
        assert (column.better, column.worse, column.same) == (0, 0, 60)
        assert column.verdict == "not shown"


@pytest.mark.parametrize("seed", range(5))
def test_a_swap_flips_signs(seed):
    a, b = random_pair(seed=seed)
    there, back = compare_tables(a, b), compare_tables(b, a)
    flipped = {"better": "worse", "worse": "better", "not shown": "not shown"}
    for name, column in there.columns.items():
        other = back.columns[name]
        assert other.difference == -column.difference
        assert other.low == pytest.approx(-column.high, abs=1e-12)
        assert other.high == pytest.approx(-column.low, abs=1e-12)
        assert (other.better, other.worse) == (column.worse, column.better)
        assert other.verdict == flipped[column.verdict]


def test_the_order_of_rows_does_not_matter_and_the_seed_decides():
    a, b = random_pair()
    order = np.random.default_rng(1).permutation(60)
    shuffled = ScoreTable(
        "b.csv",
        tuple(b.tokens[i] for i in order),
        {name: values[order] for name, values in b.columns.items()},
        b.failed[order],
        {},
    )
    assert compare_tables(a, shuffled).columns == compare_tables(a, b).columns
    assert compare_tables(a, b, seed=1).columns["score"].low != compare_tables(a, b).columns["score"].low


def test_the_interval_is_the_bootstrap_of_the_differences():
    a, b = random_pair()
    column = compare_tables(a, b, seed=3).columns["score"]
    difference = b.columns["score"] - a.columns["score"]
    rng = np.random.default_rng(3)
    means = [
        row.mean() for _ in range(20) for row in (difference[draw] for draw in rng.integers(0, 60, (100, 60)))
    ]
    assert (column.low, column.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=1e-12)


def test_pairing_makes_intervals_narrow():
    """Scenarios differ by 0.3 (uniform), planners by 0.03: the unpaired interval is several times wider."""
    rng = np.random.default_rng(0)
    score = rng.uniform(0, 0.9, 300)
    a, b = (
        make_table({"score": score}),
        make_table({"score": score + rng.normal(0.02, 0.03, 300).clip(-0.1, 0.1)}),
    )
    column = compare_tables(a, b).columns["score"]
    alone = bootstrap_interval(a.columns["score"])
    assert column.high - column.low < 0.2 * (alone[1] - alone[0])
    assert column.verdict == "better"


def test_intervals_cover_the_truth():
    """400 tables of 120 pairs with skewed differences: 95 % intervals should hold the true mean in about 380.

    The standard error of the share is sqrt(0.95 * 0.05 / 400) = 1.1 %; percentile intervals of skewed data fall
    short by a little, so the share must lie within 91 % and 98 %.
    """
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        difference = 0.3 * (rng.beta(1.5, 4.0, 120) - 0.2)  # mean of the beta is 1.5 / 5.5
        a = make_table({"score": np.full(120, 0.5)})
        b = make_table({"score": 0.5 + difference})
        column = compare_tables(a, b).columns["score"]
        held += column.low <= 0.3 * (1.5 / 5.5 - 0.2) <= column.high
    assert 0.91 <= held / 400 <= 0.98


def test_failed_rows_are_rows_and_never_zeros():
    a = make_table({"score": [0.5, 0.6, 0.7, NAN]}, failed=[0, 0, 0, 1])
    b = make_table(
        {"score": [0.6, 0.0, 0.8, 0.9]}, "b.csv", failed=[0, 1, 0, 0]
    )  # NAVSIM writes 0 in invalid rows
    found = compare_tables(a, b)
    score, completed = found.columns["score"], found.columns["completed"]
    assert (score.n, score.mean_a, score.difference) == (2, pytest.approx(0.6), pytest.approx(0.1))
    assert (completed.n, completed.better, completed.worse, completed.difference) == (4, 1, 1, 0.0)


def test_without_failures_there_is_no_column_completed():
    assert "completed" not in compare_tables(*random_pair()).columns


def test_tokens_of_one_table_are_reported():
    a = make_table({"score": [0.1, 0.2]}, tokens=("x", "y"))
    b = make_table({"score": [0.3, 0.4]}, tokens=("z", "y"))
    found = compare_tables(a, b)
    assert (found.tokens, found.only_a, found.only_b) == (("y",), ("x",), ("z",))
    assert found.columns["score"].difference == pytest.approx(0.2)
    assert found.columns["score"].low is None  # one pair has no spread


def test_success_is_made_of_collisions_and_area():
    hit, road = [1, 0.5, 1, 1, NAN], [1, 1, 0, NAN, 1]
    a = make_table({"no_at_fault_collisions": hit, "drivable_area_compliance": road})
    b = make_table({"success": np.ones(5)})
    found = compare_tables(a, b)
    assert found.a.columns["success"].tolist()[:4] == [1, 0, 0, 1]
    assert found.columns["success"].n == 4
    assert any("no column success" in note for note in found.notes)


def test_lower_errors_are_better():
    column = compare_tables(make_table({"ade_4s": [2.0] * 30}), make_table({"ade_4s": [1.0] * 30})).columns[
        "ade_4s"
    ]
    assert (column.difference, column.better, column.worse, column.verdict) == (-1.0, 30, 0, "better")


def test_unlike_runs_are_noted():
    a = make_table({"score": [1.0]}, labels={"mode": ("navsim_v1",), "traffic": ("NR",)})
    b = make_table({"score": [1.0]}, labels={"mode": ("corrected",), "traffic": ("NR",)})
    assert "different mode: navsim_v1 against corrected" in compare_tables(a, b).notes


def test_tables_that_share_nothing_are_refused():
    a = make_table({"score": [1.0]}, tokens=("x",))
    with pytest.raises(ScenarioFormatError, match="share no token"):
        compare_tables(a, make_table({"score": [1.0]}, tokens=("y",)))
    with pytest.raises(ScenarioFormatError, match="share no score"):
        compare_tables(a, make_table({"comfort": [1.0]}, tokens=("x",)))


@pytest.fixture
def runs(tmp_path):
    """Two runs of 30 scenarios: in the second 10 get better, one gets worse, one fails."""
    first = [ScoreRow(f"t{i:02d}", "ok", 1, 1, 0.5, 1, 1, 1, score=0.5, success=1.0) for i in range(30)]
    second = [ScoreRow(f"t{i:02d}", "ok", 1, 1, 0.9, 1, 1, 1, score=0.9, success=1.0) for i in range(10)]
    second += first[10:28]
    second += [ScoreRow("t28", "ok", 0, 1, 0.5, 0, 1, 1, score=0.0, success=0.0, blame="hit a car")]
    second += [failed_row("t29", "lost")]
    write_scores_csv(tmp_path / "a.csv", first)
    write_scores_csv(tmp_path / "b.csv", second)
    write_compat_csv(tmp_path / "published.csv", first)
    return tmp_path


def test_the_command_writes_json(runs, capsys):
    paths = [str(runs / name) for name in ("a.csv", "b.csv")]
    assert main(["compare", *paths, "--output", str(runs / "out.json")]) == 0
    found = json.loads((runs / "out.json").read_text())
    assert found["counts"] == {
        "common": 30,
        "only_a": 0,
        "only_b": 0,
        "failed_a": 0,
        "failed_b": 1,
        "failed_both": 0,
    }
    assert found["columns"]["score"]["n"] == 29
    assert found["columns"]["score"]["difference"] == pytest.approx((10 * 0.4 - 0.5) / 29)
    assert [c["token"] for c in found["better"]] == [f"t{i:02d}" for i in range(10)]
    assert [(c["token"], c["gain"], c["blame_b"]) for c in found["worse"]] == [("t28", -0.5, "hit a car")]
    assert found["failed_b"] == ["t29"]
    said = capsys.readouterr().out
    assert "1 failed in B: t29" in said
    assert "hit a car" in said
    before = (runs / "out.json").read_bytes()
    assert main(["compare", *paths, "--output", str(runs / "out.json")]) == 0
    assert (runs / "out.json").read_bytes() == before


def test_the_command_writes_csv(runs):
    paths = [str(runs / name) for name in ("a.csv", "b.csv")]
    assert main(["compare", *paths, "--output", str(runs / "out.csv")]) == 0
    with (runs / "out.csv").open(newline="") as file:
        rows = {row["token"]: row for row in csv.DictReader(file)}
    assert len(rows) == 30
    assert rows["t00"]["score_difference"] == "0.400000"
    assert (rows["t29"]["status_b"], rows["t29"]["score_b"], rows["t29"]["completed_b"]) == (
        "failed",
        "",
        "0.000000",
    )


def test_our_table_and_the_compatible_one_agree(runs, capsys):
    assert (
        main(["compare", str(runs / "a.csv"), str(runs / "published.csv"), "--fail-if-worse", "score"]) == 0
    )
    first, second = (read_score_table(runs / name) for name in ("a.csv", "published.csv"))
    assert all(c.difference == 0.0 for c in compare_tables(first, second).columns.values())


def test_exit_codes(runs, capsys):
    a, b = str(runs / "a.csv"), str(runs / "b.csv")
    assert main(["compare", b, a, "--fail-if-worse", "score"]) == 1  # seen from the better run
    assert "worse: score" in capsys.readouterr().out
    assert main(["compare", a, b, "--fail-if-worse", "score", "success"]) == 0  # one loss of 30 shows nothing
    for wrong, said in (
        (["--by", "speed"], "no column of both"),
        (["--fail-if-worse", "speed"], "no column of both"),
        (["--output", "out.txt"], "ends in .json or .csv"),
        (["--seed", "-1"], "--seed is -1, expected 0 or more"),
        (["--list", "-1"], "--list is -1, expected 0 or more"),
    ):
        capsys.readouterr()
        assert main(["compare", a, b, *wrong]) == 1
        assert said in capsys.readouterr().err


def test_rows_of_one_table_are_in_the_csv(tmp_path):
    a = write_table(tmp_path / "a.csv", [("x", 1), ("y", 1)], ("token", "score"))
    b = write_table(tmp_path / "b.csv", [("y", 1), ("z", 1)], ("token", "score"))
    assert main(["compare", str(a), str(b), "--output", str(tmp_path / "c.csv")]) == 0
    lines = (tmp_path / "c.csv").read_text().splitlines()
    assert lines[1:] == ["x,ok,missing,,,", "y,ok,ok,1.000000,1.000000,0.000000", "z,missing,ok,,,"]


def test_real_tables():
    """Means of the two published tables, from their own closing rows; DiffusionDrive is better."""
    a, b = (
        read_score_table(shared_data("data", "simscale", "pdms", f"{name}_sim_navtest.csv"))
        for name in ("ltf", "diffusiondrive")
    )
    found = compare_tables(a, b)
    score = found.columns["score"]
    assert (score.mean_a, score.mean_b) == pytest.approx((0.8438240744697884, 0.859076379659325))
    assert score.verdict == "better"
    assert found.columns["two_frame_extended_comfort"].n == 12146 - 2106
