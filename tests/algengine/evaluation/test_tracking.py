from dataclasses import replace

import numpy as np
import pytest

from algengine.evaluation.boxes import BoxTable
from algengine.evaluation.tracking import (
    evaluate_class,
    evaluate_tracking,
    follow,
    summarize,
    with_mean_scores,
)
from perception_factories import make_table

pytestmark = pytest.mark.mm

FRAMES = 10
TRUTH = make_table([(f, 5.0 + f, 3.0, 0) for f in range(FRAMES)])


def tracked(ids: list[int], **changes: object) -> BoxTable:
    return replace(TRUTH, ids=np.array(ids), scores=np.full(FRAMES, 0.8), **changes)


def test_a_perfect_tracker():
    result = evaluate_class(TRUTH, tracked([7] * FRAMES))
    assert result == pytest.approx({"amota": 1.0, "amotp": 0.0, "mota": 1.0, "ids": 0.0})


def test_an_identity_switch():
    # One of ten boxes is a switch, not a match: MOTA 1 - 1/10, and of the 40 recalls 4 lie above 0.9.
    events = follow(TRUTH, tracked([7] * 5 + [8] * 5))
    assert (events.matches, events.switches, events.false_positives) == (9, 1, 0)
    result = evaluate_class(TRUTH, tracked([7] * 5 + [8] * 5))
    assert result["ids"] == 1 and result["mota"] == pytest.approx(0.9)
    assert result["amota"] == pytest.approx(35 / 40)


def test_misses_are_recalls_that_are_not_reached():
    found = tracked([7] * FRAMES).select(TRUTH.frame < 5)
    result = evaluate_class(TRUTH, found)
    reached = sum(r <= 0.5 for r in np.linspace(0.1, 1.0, 40))
    assert result["amota"] == pytest.approx(reached / 40)
    assert result["amotp"] == pytest.approx(2.0 * (40 - reached) / 40)
    assert result["mota"] == pytest.approx(0.5) and result["ids"] == 0


def test_false_positives_count_against_what_is_matched():
    ghosts = make_table([(f, 40.0, -5.0, 9) for f in range(5)], [0.8] * 5)
    events = follow(TRUTH, BoxTable.join([tracked([7] * FRAMES), ghosts]))
    assert events.false_positives == 5
    assert events.motar == pytest.approx(0.5) and events.mota == pytest.approx(0.5)


def test_a_track_is_kept_although_another_is_nearer():
    found = BoxTable.join([tracked([7] * FRAMES), make_table([(6, 11.0, 3.0, 8)], [0.8])])
    found = replace(
        found, boxes=found.boxes + np.array([0, 1.0, 0, 0, 0, 0, 0, 0, 0]) * (found.ids == 7)[:, None]
    )
    events = follow(TRUTH, found)
    assert (events.matches, events.switches, events.false_positives) == (10, 0, 1)
    assert events.motp == pytest.approx(1.0)


def test_beyond_two_metres_nothing_is_followed():
    far = TRUTH.boxes + np.array([0, 2.1, 0, 0, 0, 0, 0, 0, 0])
    assert evaluate_class(TRUTH, tracked([7] * FRAMES, boxes=far)) == {
        "amota": 0.0,
        "amotp": 2.0,
        "mota": 0.0,
        "ids": 0.0,
    }


def test_identities_belong_to_their_drive():
    other = replace(TRUTH, frame=TRUTH.frame + 100, drive=TRUTH.drive + 1)
    truth = BoxTable.join([TRUTH, other])
    found = BoxTable.join([tracked([7] * FRAMES), replace(other, ids=np.full(FRAMES, 3))])
    assert follow(truth, found).switches == 0


def test_a_track_has_one_score():
    found = replace(tracked([1] * 5 + [2] * 5), scores=np.linspace(0.0, 0.9, FRAMES))
    assert with_mean_scores(found).scores.tolist() == pytest.approx([0.2] * 5 + [0.7] * 5)


def test_findings_without_identity_do_not_count():
    assert evaluate_class(TRUTH, tracked([-1] * FRAMES))["amota"] == 0.0


def test_summary_leaves_out_classes_without_objects():
    results = evaluate_tracking(TRUTH, tracked([7] * FRAMES))
    assert np.isnan(results["pedestrian"]["amota"])
    assert summarize(results) == pytest.approx({"AMOTA": 1.0, "AMOTP": 0.0, "MOTA": 1.0, "IDS": 0.0})
    assert np.isnan(summarize(evaluate_tracking(BoxTable.empty(), TRUTH))["AMOTA"])
