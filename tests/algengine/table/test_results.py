import csv

import numpy as np
import pytest

from algengine.table.interval import paired_interval
from algengine.table.plots import write_plots
from algengine.table.results import METRICS, compare_rows, gain_of, make_cells, values_of
from algengine.table.rows import ROWS, choose_rows
from algengine.table.write import write_csv, write_markdown
from simengine.errors import ConfigError
from table_factories import make_score_table, make_tables

RARE_SUCCESS = next(metric for metric in METRICS if metric.name == "closed_rare_success")


def cell_of(cells, row, name):
    return next(c for c in cells if c.row == row and c.metric.name == name)


def rare_successes(tables, row):
    return np.stack([seed["closed"].columns["success"][20:] for seed in tables[row]])


def test_difference_and_interval_are_of_pairs():
    tables = make_tables({"base": [0.2], "ours": [0.5, 0.9]})
    cell = cell_of(make_cells(tables, "base"), "ours", "closed_rare_success")
    ours, base = (rare_successes(tables, row) for row in ("ours", "base"))
    assert cell.scenarios == 20
    assert cell.gain.difference == pytest.approx(ours.mean() - base.mean(), abs=1e-12)
    assert (cell.gain.low, cell.gain.high) == paired_interval(ours, base)
    assert cell.mean == pytest.approx(ours.mean(), abs=1e-12)
    assert cell.spread == pytest.approx(np.std(ours.mean(axis=1), ddof=1), abs=1e-12)
    assert cell.gain.verdict == "better"


def test_the_base_is_compared_with_nothing():
    cells = make_cells(make_tables({"base": [0.4], "ours": [0.4]}), "base")
    base = cell_of(cells, "base", "open_common")
    assert base.gain is None
    assert base.spread is None


def test_rows_are_compared_with_each_other_in_closed_loop():
    tables = make_tables({"base": [0.2], "ours": [0.5, 0.9], "theirs": [0.4, 0.6]})
    pairs = compare_rows(tables, [("ours", "theirs"), ("ours", "absent")], "rare")
    assert [(p.row, p.other, p.metric.name) for p in pairs] == [
        ("ours", "theirs", "closed_rare_success"),
        ("ours", "theirs", "closed_rare_score"),
    ]
    ours, theirs = (rare_successes(tables, row) for row in ("ours", "theirs"))
    gain = pairs[0].gain
    assert gain.difference == pytest.approx(ours.mean() - theirs.mean(), abs=1e-12)
    assert (gain.low, gain.high) == paired_interval(ours, theirs)


def test_an_equal_planner_is_no_better():
    tables = make_tables({"base": [0.4]})
    cell = cell_of(make_cells(tables | {"same": tables["base"]}, "base"), "same", "closed_rare_score")
    assert (cell.gain.difference, cell.gain.verdict) == (0.0, "not shown")


def test_a_scenario_that_failed_with_one_seed_counts_nowhere():
    seeds = [
        {"closed": make_score_table({"rare_0": 1.0, "rare_1": 0.0}, "success")},
        {"closed": make_score_table({"rare_1": 1.0, "rare_0": 1.0}, "success", failed=("rare_1",))},
    ]
    values = values_of(seeds, RARE_SUCCESS)
    assert values.tolist()[0] == [1.0, 0.0]
    assert values[1, 0] == 1.0
    assert np.isnan(values[1, 1])
    gain = gain_of(values, np.zeros((1, 2)))
    assert (gain.difference, gain.low, gain.verdict) == (1.0, None, "not shown")
    assert gain_of(np.full((1, 2), np.nan), np.zeros((1, 2))).difference is None


def test_splits_are_told_apart_by_their_tokens():
    table = make_score_table({"common_test_0000": 1.0, "rare_test_0000": 0.0}, "success")
    assert values_of([{"closed": table}], RARE_SUCCESS).tolist() == [[0.0]]


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
    assert float(found["difference"]) == pytest.approx(shown.gain.difference, abs=1e-6)
    text = (tmp_path / "a" / "table.md").read_text()
    assert f"**{100 * shown.gain.difference:+.1f} [" in text
    assert "* a note" in text
    assert f"| Ours - Base model | {shown.metric.label} | **{100 * shown.gain.difference:+.1f} [" in text
    assert "points against the base" in (tmp_path / "a" / "closed_loop.svg").read_text()


def test_rows_keep_their_order_and_begin_with_the_base():
    assert [row.name for row in choose_rows(("full", "rare_log"))] == ["base", "rare_log", "full"]
    assert choose_rows(()) == ROWS
    with pytest.raises(ConfigError, match="no row 'fulll'"):
        choose_rows(("fulll",))
