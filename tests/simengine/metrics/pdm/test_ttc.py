"""Time to collision: the projected frames and what they see."""

import numpy as np

from factories import make_scenario
from metrics_factories import make_record, straight_states, straight_tracks
from simengine.metrics.episode import score_record
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.ttc import look_ahead_frames


def test_look_ahead_at_both_rates() -> None:
    assert look_ahead_frames(0.1, PdmParameters()).tolist() == [0, 3, 6, 9]
    assert look_ahead_frames(0.5, PdmParameters()).tolist() == [0, 1, 2]


def ttc(states: np.ndarray, *tracks: tuple[float, float, float, float]) -> float:
    scenario = make_scenario()
    record = make_record(scenario, states, straight_tracks(*tracks))
    return score_record(record, scenario).time_to_collision_within_bound


def test_following_closely_at_equal_speed_is_fine() -> None:
    # Ego front at 16.049 m, rear of the lead 1 m further on; the gap never changes.
    assert ttc(straight_states(8.0), (16.049 + 1.0 + 2.3, 0.0, 8.0, 0.0)) == 1.0


def test_a_braking_lead_is_seen_within_a_second_only() -> None:
    # The lead is 2 m/s slower. The last look compares 4.9 s: a first gap of 9.8 m closes exactly then.
    lead = lambda gap: (16.049 + gap + 2.3, 0.0, 6.0, 0.0)  # noqa: E731
    assert ttc(straight_states(8.0), lead(10.0)) == 1.0
    assert ttc(straight_states(8.0), lead(9.6)) == 0.0


def test_a_standing_ego_has_no_time_to_collision() -> None:
    assert ttc(straight_states(0.0), (40.0, 0.0, -8.0, 0.0)) == 1.0
    assert ttc(straight_states(0.01), (40.0, 0.0, -8.0, 0.0)) == 0.0


def test_a_follower_that_runs_into_the_ego_is_ignored() -> None:
    # It comes from behind, touches while its centre is behind the rear axle, and is excused from then on.
    assert ttc(straight_states(2.0), (2.0, 0.0, 3.5, 0.0)) == 1.0
