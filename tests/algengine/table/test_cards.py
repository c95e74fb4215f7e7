from pathlib import Path

import numpy as np
import pytest

from alg_factories import make_log
from algengine.table.cards import blamed, make_cards, write_cards
from algengine.table.options import TableOptions
from algengine.table.plan import make_plan
from factories import make_scenario
from simengine.scenario.splits import write_split
from table_factories import make_score_table

TOKENS = ("common_test_0000", "rare_test_0000", "rare_test_0001", "rare_test_0002")


def closed(success: tuple[float, ...], failed: tuple[str, ...] = ()) -> dict:
    table = make_score_table(dict(zip(TOKENS, success, strict=True)), "success", failed)
    table.columns["no_at_fault_collisions"] = table.columns["success"].copy()
    table.columns["drivable_area_compliance"] = np.ones(len(TOKENS))
    table.columns["score"] = table.columns["success"] * np.array([0.9, 0.8, 0.7, 0.6])
    table.labels["blame"] = tuple(
        f"hit {token}" if value == 0 else "" for token, value in zip(TOKENS, success, strict=True)
    )
    return {"closed": table}


@pytest.fixture
def page(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"weights")
    plan = make_plan(TableOptions(tmp_path / "w.pth", seeds=2, rows=("rare_log",)))
    write_split(
        [make_scenario(token=t, tags={"event": "cut_in"}) for t in TOKENS], tmp_path / plan.test.folder
    )
    drive = tmp_path / plan.planners[0].closed_loop.folder / "observations"
    make_log("rare_test_0000", decisions=2).save(drive / "rare_test_0000.npz")
    tables = {
        "base": [closed((0, 0, 1, 0))],
        "rare_log": [closed((1, 1, 1, 0)), closed((1, 1, 0, 0), failed=("rare_test_0002",))],
    }
    return plan, tmp_path, tables


def test_a_card_for_each_failure_of_the_base_on_the_rare_split(page):
    cards = make_cards(*page)
    assert [card.token for card in cards] == ["rare_test_0000", "rare_test_0002"]
    first, second = cards
    assert (first.event, first.sub_score, first.blame) == (
        "cut_in",
        "no_at_fault_collisions",
        "hit rare_test_0000",
    )
    assert len(first.clip) == 2
    assert second.clip == ()
    # A drive that could not be simulated fixes nothing and breaks nothing.
    assert (first.fixed, second.fixed) == ({"rare_log": 1.0}, {"rare_log": 0.0})


def test_the_page_stands_alone_and_says_who_fixes_what(page):
    plan, root, tables = page
    path = write_cards(
        root / "failures.html", plan, root, tables, {"base": "Base", "rare_log": "On <rare> logs"}
    )
    text = Path(path).read_text()
    assert "2 of 3 held-out rare scenarios fail" in text
    assert "On &lt;rare&gt; logs" in text
    assert text.count("data-clip=") == 1
    assert "no images were kept" in text
    assert "http" not in text


def test_blame_goes_to_multipliers_before_weighted_scores():
    table = make_score_table({"rare_0": 0.0, "rare_1": 1.0}, "ego_progress")
    assert blamed(table, 0) == "ego_progress"
    table.columns["drivable_area_compliance"] = np.array([0.0, 1.0])
    table.columns["no_at_fault_collisions"] = np.array([0.5, 1.0])
    assert blamed(table, 0) == "no_at_fault_collisions"
