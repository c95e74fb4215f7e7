"""PDM-Closed as the yardstick of progress."""

import numpy as np
import pytest

from factories import make_scenario
from metrics_factories import make_record, straight_states
from simengine.metrics.episode import score_record
from simengine.metrics.pdm.parameters import CORRECTED, NAVSIM_V1, WORLDENGINE_V1
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.planner import plan_pdm_closed
from simengine.pdm_closed.reference import pdm_closed_reference


@pytest.mark.parametrize("scoring", [NAVSIM_V1, CORRECTED, WORLDENGINE_V1], ids=lambda p: p.mode)
def test_a_reference_for_every_mode(scoring):
    reference = pdm_closed_reference(make_scenario(), scoring=scoring)
    assert reference.states.shape == (41, 11)
    assert reference.source == "pdm_closed"
    assert reference.route_lanes == {"lane_0", "lane_1"}
    np.testing.assert_array_equal(reference.centerline[:, 1:], 0.0)


def test_it_is_the_tracked_plan_up_to_a_microsecond():
    apart = []
    for shift in (0, 123_457, 777_003):
        scenario = make_scenario()
        scenario.timestamps_us[:] += shift
        planned = plan_pdm_closed(PdmClosedInput.from_scenario(scenario)).states
        apart.append(np.abs(pdm_closed_reference(scenario).states - planned).max())
    # A microsecond at up to 15 m/s, in a fit of speeds over intervals of 0.1 s.
    assert 0.0 < max(apart) < 1e-4


def test_the_worldengine_reference_starts_without_acceleration():
    scenario = make_scenario()
    scenario.ego.acceleration[:] = [1.0, 0.5]
    assert pdm_closed_reference(scenario).states[0, 5:7].tolist() == [1.0, 0.5]
    assert pdm_closed_reference(scenario, scoring=WORLDENGINE_V1).states[0, 5:7].tolist() == [0.0, 0.0]


def test_progress_is_measured_against_it():
    scenario = make_scenario()
    reference = pdm_closed_reference(scenario)
    driven = reference.states[-1, 0] - reference.states[0, 0]
    slow = score_record(make_record(scenario, straight_states(4.0)), scenario, reference=reference)
    assert slow.ego_progress == pytest.approx(16.0 / driven, abs=1e-6)
    own = score_record(make_record(scenario, reference.states), scenario, reference=reference)
    assert own.ego_progress == pytest.approx(1.0)
