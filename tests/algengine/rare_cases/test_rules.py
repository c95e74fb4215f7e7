import numpy as np
import pytest

from algengine.evaluation.score_table import ScoreTable
from algengine.rare_cases.rules import REQUIRED, Thresholds, overlaps, select, unknown_rows
from simengine.errors import ConfigError, ScenarioFormatError

NAN = float("nan")


def make_table(rows, failed=()) -> ScoreTable:
    values = np.array(rows, float).reshape(-1, 3)
    tokens = tuple(f"t{i}" for i in range(len(values)))
    columns = dict(zip(REQUIRED, values.T, strict=True))
    return ScoreTable("made.csv", tokens, columns, np.isin(np.arange(len(values)), failed), {})


def chosen(table, thresholds=None) -> dict[str, list[int]]:
    return {s.name: np.flatnonzero(s.chosen).tolist() for s in select(table, thresholds)}


def test_each_rule_by_hand():
    rows = [
        (1, 1, 0.1),  # slowest of the clean drives
        (1, 1, 0.9),
        (1, 1, 0.0),  # stands: not among the clean drives
        (0, 1, 0.05),  # collision
        (0.5, 1, 0.05),  # hits an object: neither a collision nor clean
        (1, 0, 0.05),  # off the road
        (0, 0, 0.05),  # both
    ]
    found = chosen(make_table(rows), Thresholds(ep_percentiles=(50.0,)))
    assert found == {"ep_50pct": [0], "collision": [3, 6], "off_road": [5, 6]}


def test_ties_at_the_cut_stay_out():
    # The 1st percentile of 99 ones and one 0.5 lies between them: only the 0.5 is below.
    table = make_table([(1, 1, 0.5)] + [(1, 1, 1.0)] * 99)
    selection = select(table)[0]
    assert selection.cut == pytest.approx(0.5 + 0.99 * 0.5)
    assert np.flatnonzero(selection.chosen).tolist() == [0]
    # All equal: the percentile is that value, and nothing is strictly below.
    selection = select(make_table([(1, 1, 0.7)] * 50))[0]
    assert (selection.cut, selection.tied, selection.chosen.any()) == (0.7, 50, np.False_)


def test_without_ties_the_count_is_the_percentile_of_the_gaps():
    # np.percentile lies p % along the n - 1 gaps, so ceil(p / 100 * (n - 1)) values are below.
    rng = np.random.default_rng(0)
    for count in (2, 7, 100, 101, 1000):
        rows = np.ones((count, 3))
        rows[:, 2] = 0.1 + 0.8 * rng.permutation(count) / count
        for percent in (1.0, 2.5, 50.0):
            expected = int(np.ceil(round(percent / 100 * (count - 1), 9)))
            selection = select(make_table(rows), Thresholds((percent,)))[0]
            assert selection.chosen.sum() == expected
            assert rows[selection.chosen, 2].max() < np.sort(rows[:, 2])[expected]


def test_unknown_values_satisfy_no_rule():
    rows = [(NAN, NAN, NAN), (NAN, 0, 0.5), (0, NAN, 0.5), (1, 1, NAN), (1, NAN, 0.1), (1, 1, 0.5)]
    table = make_table(rows)
    assert chosen(table, Thresholds((99.0,))) == {"ep_99pct": [], "collision": [2], "off_road": [1]}
    assert unknown_rows(table).tolist() == [True, True, True, True, True, False]


def test_failed_rows_are_never_chosen():
    table = make_table([(0, 0, 0), (1, 1, 0.1), (1, 1, 0.9)], failed=[0, 1])
    assert chosen(table, Thresholds((99.0,))) == {"ep_99pct": [], "collision": [], "off_road": []}
    assert not unknown_rows(table).any()


def test_an_empty_table_and_one_without_clean_drives():
    assert chosen(make_table([])) == {"ep_1pct": [], "collision": [], "off_road": []}
    selection = select(make_table([(0, 1, 1)]))[0]
    assert (selection.cut, selection.pool, selection.tied) == (None, 0, 0)


def test_a_missing_column_is_named():
    table = ScoreTable("made.csv", ("a",), {"no_at_fault_collisions": np.ones(1)}, np.zeros(1, bool), {})
    with pytest.raises(ScenarioFormatError, match="no column drivable_area_compliance, ego_progress"):
        select(table)


def test_thresholds_are_options():
    rows = [(0.5, 1, 0.5), (1, 0.5, 0.5), (1, 1, 0.3), (1, 1, 0.6), (1, 1, 0.9)]
    limits = Thresholds((1.0, 50.0), max_collision=0.5, max_off_road=0.5, min_progress=0.4)
    assert chosen(make_table(rows), limits) == {
        "ep_1pct": [3],
        "ep_50pct": [3],
        "collision": [0],
        "off_road": [1],
    }


def test_overlaps_count_common_rows():
    counts = overlaps(select(make_table([(0, 0, 1), (0, 1, 1), (1, 0, 1), (0, 0, 1)])))
    assert counts == [("ep_1pct", "collision", 0), ("ep_1pct", "off_road", 0), ("collision", "off_road", 2)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"ep_percentiles": ()},
        {"ep_percentiles": (0.0,)},
        {"ep_percentiles": (100.0,)},
        {"ep_percentiles": (NAN,)},
        {"ep_percentiles": (1.0, 1.0000001)},  # both would be ep_1pct
        {"max_collision": 1.0},
        {"max_off_road": -0.1},
        {"min_progress": NAN},
    ],
)
def test_senseless_thresholds_are_refused(wrong):
    with pytest.raises(ConfigError, match="expected"):
        Thresholds(**wrong)
