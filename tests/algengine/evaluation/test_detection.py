from dataclasses import replace

import numpy as np
import pytest

from algengine.evaluation.boxes import BoxTable
from algengine.evaluation.detection import (
    box_errors,
    evaluate_class,
    evaluate_detection,
    match_greedily,
    summarize,
)
from perception_factories import make_table

pytestmark = pytest.mark.mm

TRUTH = make_table([(frame, 5.0 * i, 3.0, i) for frame in range(4) for i in range(5)])


def test_a_perfect_detector_scores_one():
    results = evaluate_detection(TRUTH, TRUTH)
    assert results["vehicle"].mean_precision == pytest.approx(1.0)
    assert all(error == pytest.approx(0.0, abs=1e-6) for error in results["vehicle"].errors.values())
    assert summarize(results) == pytest.approx(
        {"NDS": 1, "mAP": 1, "mtrans_err": 0, "mscale_err": 0, "morient_err": 0, "mvel_err": 0}, abs=1e-6
    )


def test_classes_without_objects_have_no_precision():
    results = evaluate_detection(TRUTH, TRUTH)
    assert np.isnan(results["pedestrian"].mean_precision) and results["pedestrian"].count == 0
    nothing = summarize(evaluate_detection(BoxTable.empty(), TRUTH))
    assert all(np.isnan(value) for value in nothing.values())


def test_a_detector_that_finds_nothing_scores_zero():
    result = evaluate_class(TRUTH, BoxTable.empty(), "vehicle")
    assert result.mean_precision == 0.0
    assert summarize({"vehicle": result})["NDS"] == 0.0


def test_a_shift_of_0_7_m_is_beyond_the_first_distance_only():
    boxes = TRUTH.boxes + np.array([0.7, 0, 0, 0, 0, 0, 0, 0, 0])
    result = evaluate_class(TRUTH, replace(TRUTH, boxes=boxes), "vehicle")
    assert result.precision == pytest.approx({0.5: 0.0, 1.0: 1.0, 2.0: 1.0, 4.0: 1.0})
    assert result.errors["trans_err"] == pytest.approx(0.7)
    # 5 * 0.75 + (1 - 0.7) + 3 over 9
    assert summarize({"vehicle": result})["NDS"] == pytest.approx((5 * 0.75 + 0.3 + 3) / 9)


def test_duplicates_are_false_positives():
    truth, twice = (
        make_table([(0, 5.0, 0.0, 0)]),
        make_table([(0, 5.0, 0.0, 0), (0, 5.0, 0.0, 1)], [0.9, 0.8]),
    )
    assert match_greedily(truth, twice, 2.0).tolist() == [0, -1]
    # The duplicate comes after full recall, and interpolation takes the precision of the last finding there.
    assert evaluate_class(truth, twice, "vehicle").mean_precision == pytest.approx(
        (89 * 0.9 + 0.4) / 90 / 0.9
    )
    # As the best scored finding of two objects it costs at every recall.
    truth = make_table([(0, 5.0, 0.0, 0), (0, 20.0, 0.0, 1)])
    found = make_table([(0, 5.0, 0.0, 0), (0, 5.1, 0.0, 1), (0, 20.0, 0.0, 2)], [0.9, 0.8, 0.7])
    assert evaluate_class(truth, found, "vehicle").mean_precision < 0.9


def test_a_miss_ends_the_curve():
    # Half of the objects are found without mistake: precision 1 up to recall 0.5, nothing beyond.
    found = TRUTH.select(TRUTH.ids < 2)
    truth = TRUTH.select(TRUTH.ids < 4)
    # Recalls 0.11 to 0.50 are 40 of the 90 that count.
    assert evaluate_class(truth, found, "vehicle").mean_precision == pytest.approx(40 / 90)


def test_findings_take_objects_in_order_of_their_scores():
    truth = make_table([(0, 5.0, 0.0, 0), (1, 5.0, 0.0, 0)])
    found = make_table([(0, 6.0, 0.0, 0), (0, 5.1, 0.0, 1), (1, 5.0, 0.0, 2), (2, 5.0, 0.0, 3)])
    assert match_greedily(truth, found, 2.0).tolist() == [0, -1, 1, -1]


def test_only_the_range_of_a_class_counts():
    truth = make_table([(0, 49.0, 0.0, 0), (0, 51.0, 0.0, 1)])
    assert evaluate_detection(truth, truth)["vehicle"].count == 1
    cones = replace(truth, labels=np.full(2, 3))
    assert evaluate_detection(cones, cones)["traffic_cone"].count == 0


def test_errors_by_hand():
    truth, found = np.zeros((1, 9)), np.zeros((1, 9))
    truth[0, 3:6], found[0, 3:6] = (4.0, 2.0, 1.5), (2.0, 2.0, 1.5)
    found[0, :2], found[0, 6], found[0, 7:] = (0.3, 0.4), np.pi - 0.1, (3.0, 4.0)
    errors = {name: value[0] for name, value in box_errors(truth, found, "vehicle").items()}
    wanted = {"trans_err": 0.5, "scale_err": 0.5, "orient_err": np.pi - 0.1, "vel_err": 5.0}
    assert errors == pytest.approx(wanted)
    assert box_errors(truth, found, "barrier")["orient_err"][0] == pytest.approx(0.1)


def test_some_classes_have_no_heading_or_velocity():
    near = TRUTH.select(TRUTH.frame == 0)
    cones = evaluate_detection(replace(near, labels=np.full(5, 3)), replace(near, labels=np.full(5, 3)))
    assert np.isnan([cones["traffic_cone"].errors[name] for name in ("orient_err", "vel_err")]).all()
    assert summarize(cones)["NDS"] == pytest.approx(1.0)


def test_precision_against_a_plain_integral():
    rng = np.random.default_rng(0)
    truth = make_table([(f, x, 0.0, 0) for f, x in enumerate(rng.uniform(0, 40, 60))])
    noise = rng.normal(0, 1.0, 60)
    found = make_table(
        [(f, t + n, 0.0, 0) for f, (t, n) in enumerate(zip(truth.boxes[:, 0], noise, strict=True))]
    )
    found = replace(found, scores=rng.random(60))
    order = np.argsort(-found.scores)
    hit = np.abs(noise[order]) < 2.0
    precision, recall = np.cumsum(hit) / np.arange(1, 61), np.cumsum(hit) / 60
    heights = [np.interp(r, recall, precision, right=0) for r in np.linspace(0.0, 1.0, 101)[11:]]
    wanted = np.mean([max(h - 0.1, 0) for h in heights]) / 0.9
    assert evaluate_class(truth, found, "vehicle").precision[2.0] == pytest.approx(wanted)
