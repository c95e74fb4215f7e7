"""The table at the end of a run."""

import io

from rich.console import Console

from simengine.metrics.console import print_scores
from simengine.metrics.row import ScoreRow, failed_row


def printed(rows: list[ScoreRow]) -> str:
    stream = io.StringIO()
    print_scores(rows, Console(file=stream, width=120, color_system=None))
    return stream.getvalue()


def test_shows_means_in_percent_and_failures() -> None:
    ok = ScoreRow("a", "ok", 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.79166, 1.0, mode="navsim_v1")
    text = printed([ok, failed_row("bad_token", "RenderError: [red]no such file[/red]")])
    assert "79.2" in text
    assert "1 of 2 scenarios scored, 1 failed" in text
    assert "bad_token" in text
    assert "[red]no such file[/red]" in text


def test_says_why_totals_are_missing() -> None:
    row = ScoreRow("a", "ok", 1.0, reasons={"drivable_area_compliance": "the scenario has no map"})
    text = printed([row])
    assert "the scenario has no map" in text
    assert "not known" in text


def test_long_lists_of_failures_are_cut() -> None:
    text = printed([failed_row(f"t{i:03d}", "x") for i in range(30)])
    assert "and 10 more" in text
