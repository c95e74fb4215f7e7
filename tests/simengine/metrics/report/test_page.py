"""The report: complete, self-contained and safe against odd tokens."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metrics_factories import joined, make_record, make_scenario, straight_states, straight_tracks
from simengine.datatypes.agents import AgentType
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.record import RolloutRecord
from simengine.metrics.episode import score_record
from simengine.metrics.report import write_report
from simengine.metrics.report.scene import scene_data
from simengine.metrics.row import ScoreRow, failed_row, row_of
from simengine.scenario.scenario import Scenario

JPEG = b"\xff\xd8" + bytes(range(256)) * 40  # about 10 kB, as a small camera frame


@pytest.fixture
def run() -> tuple[list[ScoreRow], dict[str, RolloutRecord], dict[str, Scenario]]:
    rows, records, scenarios = [], {}, {}
    for k, token in enumerate(["fine", "hit", 'odd <&> "token"']):
        scenario = make_scenario(token=token)
        agents = joined(
            straight_tracks((30.0 if k == 1 else 80.0, 0.0, 2.0, 0.0)),
            straight_tracks((40.0, 4.0, 0.0, 1.0), kind=AgentType.PEDESTRIAN),
        )
        records[token] = make_record(scenario, agents=agents)
        scenarios[token] = scenario
        rows.append(row_of(records[token], score_record(records[token], scenario)))
    rows.append(failed_row("broken", "BridgeError: </script><script>alert(1)</script> gone"))
    return rows, records, scenarios


def page_of(path: Path) -> tuple[str, dict]:
    text = path.read_text()
    return text, json.loads(re.search(r'id="page">(.*?)</script>', text, re.DOTALL)[1])


def test_every_token_is_there_worst_first(run: tuple, tmp_path: Path) -> None:
    rows, records, scenarios = run
    path = tmp_path / "report.html"
    write_report(path, rows, records.__getitem__, scenarios.__getitem__, lambda token: [JPEG] * 8)
    text, page = page_of(path)
    assert [row["token"] for row in page["rows"]] == ["broken", "hit", "fine", 'odd <&> "token"']
    assert page["rows"][1]["blame"] == "collision at 2.0 s with agent_0 (vehicle)"
    assert page["rows"][0]["error"].startswith("BridgeError")
    assert len(re.findall(r'id="scene-\d+"', text)) == 3
    assert text.count(base64.b64encode(JPEG).decode()) == 24


def test_nothing_is_loaded_from_outside(run: tuple, tmp_path: Path) -> None:
    rows, records, scenarios = run
    path = tmp_path / "report.html"
    write_report(path, rows, records.__getitem__, scenarios.__getitem__, lambda token: [])
    text = path.read_text()
    assert "http" not in text.replace("http-equiv", "")
    assert not re.search(r"<link|<script[^>]* src=|@import|url\(|{{|//cdn", text)
    assert "default-src 'none'" in text
    # The error text ends no script element and starts none.
    assert text.count("<script") == text.count("</script>") == 5


def test_only_the_worst_are_animated(run: tuple, tmp_path: Path) -> None:
    rows, records, scenarios = run
    path = tmp_path / "report.html"
    write_report(
        path,
        rows,
        records.__getitem__,
        scenarios.__getitem__,
        lambda token: [],
        max_animations=1,
        title="a <b>",
    )
    text, page = page_of(path)
    assert [row["animated"] for row in page["rows"]] == [False, True, False, False]
    assert "<title>a &lt;b&gt;</title>" in text


def undelta(numbers: list[int], columns: int) -> np.ndarray:
    return np.cumsum(np.array(numbers).reshape(-1, columns), axis=0)


def test_scene_holds_the_drive_to_the_centimetre() -> None:
    scenario = make_scenario()
    states = straight_states(7.77, heading=0.05)
    agents = straight_tracks((30.0, 1.0, 3.33, 0.0))
    valid = agents.valid.copy()
    valid[0, 10:15] = False
    record = make_record(scenario, states, replace(agents, valid=valid))
    data = json.loads(json.dumps(scene_data(scenario, record, [JPEG])))
    ego = undelta(data["ego"], 3)
    np.testing.assert_allclose(ego[:, :2] / 100 + states[0, :2], states[:, :2], atol=0.0051)
    np.testing.assert_allclose(ego[:, 2] / 1000, states[:, 2], atol=0.00051)
    assert [start for start, _ in data["agents"][0]["spans"]] == [0, 15]
    late = undelta(data["agents"][0]["spans"][1][1], 3)
    np.testing.assert_allclose(late[:, 0] / 100 + 12.0, agents.pose[0, 15:41, 0], atol=0.0051)
    plan = undelta(data["plans"][1], 2) / 100 + states[0, :2]
    np.testing.assert_allclose(plan[0], states[5, :2], atol=0.0051)
    assert len(plan) == 41
    assert data["decisions"] == [0, 5, 10, 15, 20, 25, 30, 35]


def test_far_agents_and_unknown_lights_are_left_out() -> None:
    scenario = make_scenario()
    lights = TrafficLights(
        ("lane_0", "gone", "free"),
        np.full((3, 51), 3, np.int8),
        np.array([[np.nan, np.nan], [np.nan, np.nan], [30.0, 1.0]]),
    )
    record = make_record(scenario, agents=straight_tracks((900.0, 0.0, 0.0, 0.0)), lights=lights)
    data = scene_data(scenario, record, [])
    assert data["agents"] == []
    assert [light["states"] for light in data["lights"]] == ["3" * 41] * 2
    assert data["lights"][1]["at"] == [1800, 100]
    assert data["lights"][1]["line"] == []


def test_sixteen_scenarios_stay_small(run: tuple, tmp_path: Path) -> None:
    rows, _, scenarios = run
    rng = np.random.default_rng(0)
    starts = rng.uniform(-60, 60, (60, 4)) * [1, 1, 0.1, 0.1]
    record = make_record(scenarios["fine"], agents=straight_tracks(*map(tuple, starts)))
    many = [replace(rows[0], token=f"t{k}") for k in range(16)]
    path = tmp_path / "report.html"
    write_report(path, many, lambda t: record, lambda t: scenarios["fine"], lambda t: [JPEG] * 8)
    assert path.stat().st_size < 8e6
