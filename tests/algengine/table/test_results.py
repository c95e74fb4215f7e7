import csv

import numpy as np
import pytest

from algengine.table.plots import write_plots
from algengine.table.results import METRICS, averaged, compare_rows, make_cells, only
from algengine.table.rows import ROWS, choose_rows
from algengine.table.write import write_csv, write_markdown
from simengine.errors import ConfigError
from simengine.metrics.summary import bootstrap_interval
from table_factories import make_score_table, make_tables

RARE_SUCCESS = next(metric for metric in METRICS if metric.name == "closed_rare_success")


def cell_of(cells, row, name):
    return next(c for c in cells if c.row == row and c.metric.name == name)


def test_difference_and_interval_are_of_pairs_averaged_over_seeds():
    tables = make_tables({"base": [0.2], "ours": [0.5, 0.9]})
    cell = cell_of(make_cells(tables, "base"), "ours", "closed_rare_success")
    values = [[t["closed"].columns["success"][20:] for t in tables[row]] for row in ("base", "ours")]
    gains = np.mean(values[1], axis=0) - values[0][0]
    assert cell.scenarios == 20
    assert cell.difference == pytest.approx(gains.mean(), abs=1e-12)
    assert (cell.low, cell.high) == pytest.approx(bootstrap_interval(gains), abs=1e-12)
    assert cell.mean == pytest.approx(np.mean(values[1]), abs=1e-12)
    assert cell.spread == pytest.approx(np.std([v.mean() for v in values[1]], ddof=1), abs=1e-12)
    assert cell.verdict == "better"


def test_the_base_is_compared_with_nothing():
    cells = make_cells(make_tables({"base": [0.4], "ours": [0.4]}), "base")
    base = cell_of(cells, "base", "open_common")
    assert base.verdict == "base"
    assert base.difference is None
    assert base.spread is None


def test_rows_are_compared_with_each_other_in_closed_loop():
    tables = make_tables({"base": [0.2], "ours": [0.5, 0.9], "theirs": [0.4, 0.6]})
    pairs = compare_rows(tables, [("ours", "theirs"), ("ours", "absent")], "rare")
    assert [(p.row, p.other, p.metric.name) for p in pairs] == [
        ("ours", "theirs", "closed_rare_success"),
        ("ours", "theirs", "closed_rare_score"),
    ]
    ours, theirs = (
        np.mean([seed["closed"].columns["success"][20:] for seed in tables[row]], axis=0)
        for row in ("ours", "theirs")
    )
    assert pairs[0].difference == pytest.approx(np.mean(ours - theirs), abs=1e-12)
    assert (pairs[0].low, pairs[0].high) == pytest.approx(bootstrap_interval(ours - theirs), abs=1e-12)


def test_an_equal_planner_is_no_better():
    tables = make_tables({"base": [0.4]})
    cell = cell_of(make_cells(tables | {"same": tables["base"]}, "base"), "same", "closed_rare_score")
    assert (cell.difference, cell.verdict) == (0.0, "not shown")


def test_a_scenario_that_failed_with_one_seed_counts_nowhere():
    seeds = [
        make_score_table({"rare_0": 1.0, "rare_1": 0.0}, "success"),
        make_score_table({"rare_1": 1.0, "rare_0": 1.0}, "success", failed=("rare_1",)),
    ]
    mean = averaged(seeds)
    assert mean.columns["success"][0] == 1.0
    assert np.isnan(mean.columns["success"][1])
    assert mean.failed.tolist() == [False, True]


def test_splits_are_told_apart_by_their_tokens():
    table = make_score_table({"common_test_0000": 1.0, "rare_test_0000": 0.0}, "success")
    assert only(table, RARE_SUCCESS).tokens == ("rare_test_0000",)


def test_files_say_the_numbers_and_are_the_same_each_time(tmp_path):
    tables = make_tables({"base": [0.2], "ours": [0.5, 0.9]})
    cells, labels = make_cells(tables, "base"), {"base": "Base model", "ours": "Ours"}
    pairs = compare_rows(tables, [("ours", "base")], "rare")
    for folder in (tmp_path / "a", tmp_path / "b"):
        write_csv(folder / "table.csv", cells, labels, {"base": 1, "ours": 2})
        write_markdown(folder / "table.md", cells, pairs, labels, ["a note"])
        write_plots(folder, cells, labels)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    rows = list(csv.DictReader((tmp_path / "a" / "table.csv").open()))
    assert len(rows) == 2 * len(METRICS)
    shown = cell_of(cells, "ours", "closed_rare_success")
    found = next(r for r in rows if r["row"] == "ours" and r["metric"] == "closed_rare_success")
    assert float(found["difference"]) == pytest.approx(shown.difference, abs=1e-6)
    text = (tmp_path / "a" / "table.md").read_text()
    assert f"**{100 * shown.difference:+.1f} [" in text
    assert "* a note" in text
    assert f"| Ours - Base model | {shown.metric.label} | **{100 * shown.difference:+.1f} [" in text
    assert "points against the base" in (tmp_path / "a" / "closed_loop.svg").read_text()


def test_rows_keep_their_order_and_begin_with_the_base():
    assert [row.name for row in choose_rows(("full", "rare_log"))] == ["base", "rare_log", "full"]
    assert choose_rows(()) == ROWS
    with pytest.raises(ConfigError, match="no row 'fulll'"):
        choose_rows(("fulll",))
