"""Rows as JSON lines."""

import math
from dataclasses import fields

import pytest

from metrics_factories import make_record, make_scenario, straight_tracks
from simengine.datatypes.map import VectorMap
from simengine.errors import ScenarioFormatError
from simengine.metrics.episode import score_record
from simengine.metrics.row import ScoreRow, failed_row, row_from_json, row_of, row_to_json


def example_rows() -> list[ScoreRow]:
    """Return a scored row, a row with missing values and a failed row."""
    plain = make_scenario(token="b_hit")
    record = make_record(plain, agents=straight_tracks((30.0, 0.0, 2.0, 0.0)))
    bare = make_scenario(token="a_no_map", map=VectorMap(), route=())
    return [
        row_of(record, score_record(record, plain)),
        row_of(make_record(bare), score_record(make_record(bare), bare)),
        failed_row(
            "c_failed", 'Error: one,\n  two "three" </script> é', mode="navsim_v1", traffic="R", seed=7
        ),
    ]


def same(a: ScoreRow, b: ScoreRow) -> bool:
    def equal(x: object, y: object) -> bool:
        both_nan = isinstance(x, float) and isinstance(y, float) and math.isnan(x) and math.isnan(y)
        return both_nan or x == y

    return all(equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(ScoreRow))


def test_json_round_trip() -> None:
    for row in example_rows():
        line = row_to_json(row)
        assert b"\n" not in line
        assert same(row_from_json(line), row)


def test_row_of_carries_the_labels_of_its_record() -> None:
    row = example_rows()[0]
    assert (row.token, row.status, row.protocol, row.traffic, row.seed) == ("b_hit", "ok", "navsim", "NR", 3)
    assert len(row.record_hash) == 16
    assert row.success == 0.0
    assert row.first_violation_step == 7


def test_errors_become_one_line() -> None:
    assert example_rows()[2].error == 'Error: one, two "three" </script> é'


@pytest.mark.parametrize(
    "line", [b"", b"[1]", b'{"token": 3}', b'{"token": "a", "status": "odd"}', b'{"token": "a"']
)
def test_bad_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ScenarioFormatError, match="score line"):
        row_from_json(line)
