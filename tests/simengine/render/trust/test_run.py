"""Trust on its way from a run into its record, rewards, summary and report."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from metrics_factories import make_record, make_scenario
from simengine.config.build import check
from simengine.config.compose import compose_run
from simengine.datatypes.record_io import load_record, save_record
from simengine.datatypes.trust import MATRICES, RenderTrust
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.metrics.episode import score_record
from simengine.metrics.report import write_report
from simengine.metrics.row import row_of
from simengine.metrics.trust import trust_summary, trusted_tokens


def make_trust(decisions, *lowest):
    """Two cameras; the second one is the worse one."""
    worst = np.resize(np.array(lowest, np.float32), decisions)
    score = np.stack([np.ones(decisions, np.float32), worst], axis=1)
    return RenderTrust(("CAM_F0", "CAM_L0"), 1 - score, 0 * score, score, 0 * score, score)


def test_records_keep_trust(tmp_path):
    scenario = make_scenario()
    plain = make_record(scenario)
    record = replace(plain, trust=make_trust(len(plain.decision_frames), 0.3, 0.9))
    save_record(record, tmp_path / "r.npz")
    again = load_record(tmp_path / "r.npz")
    assert again.trust.channels == ("CAM_F0", "CAM_L0")
    for name in MATRICES:
        np.testing.assert_array_equal(getattr(again.trust, name), getattr(record.trust, name))
    assert again.content_hash() == record.content_hash() != plain.content_hash()
    save_record(plain, tmp_path / "p.npz")
    assert load_record(tmp_path / "p.npz").trust is None


def test_shapes_are_checked():
    with pytest.raises(ScenarioFormatError, match=r"trust\.sky has shape"):
        replace(make_trust(4, 0.5), sky=np.zeros((4, 1)))
    with pytest.raises(ScenarioFormatError, match="not finite"):
        replace(make_trust(4, 0.5), distance=np.full((4, 2), np.nan))


def test_summary_masks_scores():
    scenario = make_scenario()
    records = {name: make_record(replace(scenario, token=name)) for name in ("good", "poor", "blind")}
    count = len(records["good"].decision_frames)
    trusts = {"good": make_trust(count, 0.8), "poor": make_trust(count, 0.8, 0.49)}
    rows = [row_of(record, score_record(record, scenario)) for record in records.values()]
    rows = [replace(row, score={"good": 1.0, "poor": 0.25, "blind": 0.0}[row.token]) for row in rows]
    assert trusted_tokens(trusts) == {"good": True, "poor": False}
    assert trusted_tokens(trusts, 0.4) == {"good": True, "poor": True}
    found = trust_summary(trusts, rows)
    assert (found["trusted"], found["score"], found["score_of_trusted"]) == (1, 0.625, 1.0)
    assert found["scenarios"]["poor"] == {
        "mean": pytest.approx((2 * count + 0.8 * -(-count // 2) + 0.49 * (count // 2) - count) / (2 * count), abs=1e-4),
        "lowest": pytest.approx(0.49), "decisions": count, "below": count // 2,
    }  # fmt: skip
    empty = trust_summary({}, rows)
    assert empty["scenarios"] == {} and empty["score"] is None and empty["score_of_trusted"] is None


def test_the_report_shows_the_worst_camera_of_each_decision(tmp_path):
    scenario = make_scenario()
    plain = make_record(scenario)
    count = len(plain.decision_frames)
    records = {
        "with": replace(plain, token="with", trust=make_trust(count, 0.25, 0.75)),
        "without": replace(plain, token="without"),
    }
    rows = [row_of(record, score_record(record, scenario)) for record in records.values()]
    path = tmp_path / "report.html"
    write_report(path, rows, records.__getitem__, lambda token: scenario, lambda token: [])
    text = path.read_text()
    scenes = [json.loads(s) for s in re.findall(r'id="scene-\d+">(.*?)</script>', text, re.DOTALL)]
    assert sorted(len(scene["trust"]) for scene in scenes) == [0, count]
    shown = max((scene["trust"] for scene in scenes), key=len)
    assert shown[0] == {"score": 0.25, "camera": "CAM_L0", "distance": 0.75, "angle": 0.0, "coverage": 0.25}
    assert "render trust " in text


def test_trust_without_images_or_records_is_refused():
    for wrong in ("render.backend=none", "record.rollouts=false"):
        with pytest.raises(ConfigError, match=r"render\.trust measures images"):
            check(compose_run(["ego=log_replay", "render.trust=true", wrong]))
    with pytest.raises(ConfigError, match=r"render\.lidar=nuplan needs a scene"):
        check(compose_run(["ego=log_replay", "render.lidar=nuplan", "render.backend=none"]))
    with pytest.raises(ConfigError, match="expected one of none, nuplan"):
        check(compose_run(["ego=log_replay", "render.lidar=top"]))
