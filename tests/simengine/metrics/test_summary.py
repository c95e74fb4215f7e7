"""Bootstrap intervals on data with known answers."""

import numpy as np
import pytest

from simengine.metrics.row import ScoreRow, failed_row
from simengine.metrics.summary import bootstrap_interval, summarize


def test_constant_values_have_no_spread() -> None:
    assert bootstrap_interval(np.full(7, 0.25)) == (0.25, 0.25)


def test_coin_flips_match_the_normal_approximation() -> None:
    # 400 flips, half of them one: standard error 0.025, interval 0.5 -+ 1.96 * 0.025.
    low, high = bootstrap_interval(np.repeat([0.0, 1.0], 200))
    assert low == pytest.approx(0.5 - 0.049, abs=0.006)
    assert high == pytest.approx(0.5 + 0.049, abs=0.006)


def test_same_values_same_interval() -> None:
    values = np.random.default_rng(1).uniform(size=30)
    assert bootstrap_interval(values) == bootstrap_interval(values)


def test_failures_are_counted_and_never_averaged() -> None:
    ok = ScoreRow(
        "a", "ok", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 1.0, mode="navsim_v1", protocol="navsim", traffic="R"
    )
    summary = summarize([ok, failed_row("b", "no")])
    assert summary["counts"]["failed"] == 1
    assert summary["columns"]["score"] == {"mean": 0.5, "low": 0.5, "high": 0.5, "n": 1}
    assert summary["mode"] == ["navsim_v1"]
    assert summary["traffic"] == ["R"]
