"""What the report says about lost points, and where it marks them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from metrics_factories import make_record, make_scenario, straight_states, straight_tracks
from simengine.metrics.episode import score_record
from simengine.metrics.report import write_report
from simengine.metrics.report.losses import losses_of
from simengine.metrics.row import row_of
from simengine.metrics.verdict import judge


def test_losses_have_time_numbers_and_a_place() -> None:
    scenario = make_scenario()
    record = make_record(scenario, agents=straight_tracks((30.0, 0.0, 2.0, 0.0)))
    losses = losses_of(score_record(record, scenario).blames, record)
    assert [loss["name"] for loss in losses] == [
        "no_at_fault_collisions",
        "time_to_collision_within_bound",
        "ego_progress",
    ]
    assert losses[0]["what"] == "collision at 2.0 s with agent_0 (vehicle)"
    assert losses[0]["agent"] == "agent_0"
    assert "8.0 m/s" in losses[0]["numbers"]
    # The boxes overlap around x = 31.8745; the drive starts at x = 12.
    assert losses[0]["at"] == [1987, 0]
    assert losses[1]["at"] is None
    assert losses[2]["slight"]


def test_the_corner_off_the_road_is_marked() -> None:
    scenario = make_scenario()
    record = make_record(scenario, straight_states(y=-1.0015))
    (loss, _) = losses_of(score_record(record, scenario).blames, record)
    # The rear right corner 1.127 m behind and 1.1485 m beside the rear axle.
    assert loss["at"] == [-113, -115]


def test_every_loss_of_every_animated_scenario_is_on_the_page(tmp_path: Path) -> None:
    scenario = make_scenario()
    records = {
        "hit": make_record(replace(scenario, token="hit"), agents=straight_tracks((30.0, 0.0, 2.0, 0.0))),
        "off": make_record(replace(scenario, token="off"), straight_states(3.0, y=-1.0)),
        "fine": make_record(replace(scenario, token="fine")),
    }
    rows = [row_of(record, score_record(record, scenario)) for record in records.values()]
    path = tmp_path / "report.html"
    write_report(path, rows, records.__getitem__, lambda token: scenario, lambda token: [], max_animations=2)
    page = json.loads(re.search(r'id="page">(.*?)</script>', path.read_text(), re.DOTALL)[1])
    losses = {row["token"]: row["losses"] for row in page["rows"]}
    for token in ("hit", "off"):
        expected = score_record(records[token], scenario).blames
        assert [loss["numbers"] for loss in losses[token]] == [blame.account for blame in expected]
    assert losses["fine"] == []


@pytest.mark.parametrize("mode", ["navsim_v1", "corrected", "epdms"])
def test_losses_are_those_of_the_mode_of_the_row(tmp_path: Path, mode: str) -> None:
    scenario = make_scenario()
    record = make_record(scenario, agents=straight_tracks((30.0, 0.0, 2.0, 0.0)))
    row = replace(row_of(record, score_record(record, scenario)), mode=mode)
    asked = []

    def verdict_of(record, scenario, mode):
        asked.append(mode)
        return judge(record, scenario, mode)

    path = tmp_path / "report.html"
    write_report(
        path, [row], lambda token: record, lambda token: scenario, lambda token: [], verdict_of=verdict_of
    )
    assert asked == [mode]
