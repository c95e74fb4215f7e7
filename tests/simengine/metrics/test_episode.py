"""Episode scores worked out by hand on a straight two-lane road (lane 0: |y| < 1.75, lane 1: up to 5.25).

The ego starts at x = 12 with its front 4.049 m ahead of the rear axle, 2.297 m wide; cars are 4.6 x 1.9 m.
"""

from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from metrics_factories import FRAMES, joined, make_record, straight_states, straight_tracks
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.map import VectorMap
from simengine.datatypes.record import RolloutRecord
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.metrics.episode import SUB_SCORES, EpisodeScore, score_record
from simengine.metrics.pdm.from_scenario import Reference, logged_reference
from simengine.scenario.scenario import Scenario


def scored(
    states: np.ndarray | None = None, agents: AgentTracks | None = None, **changes: object
) -> EpisodeScore:
    scenario = make_scenario(**changes)
    return score_record(make_record(scenario, states, agents), scenario)


def test_the_logged_drive_scores_one() -> None:
    result = scored()
    assert [getattr(result, name) for name in SUB_SCORES] == [1.0] * 6
    assert result.score == 1.0
    assert result.success
    assert result.blames == ()
    assert result.blame == ""
    assert np.isnan(result.first_violation_time)
    assert result.first_violation_step == -1


def test_a_standing_ego_hit_from_behind_is_not_at_fault() -> None:
    result = scored(straight_states(0.0), straight_tracks((-10.0, 0.0, 8.0, 0.0)))
    assert result.no_at_fault_collisions == 1.0
    assert result.success


def test_a_moving_ego_hit_from_behind_is_not_at_fault() -> None:
    result = scored(straight_states(2.0), straight_tracks((-10.0, 0.0, 12.0, 0.0)))
    assert result.no_at_fault_collisions == 1.0


def test_rear_ending_a_slower_car_is_at_fault() -> None:
    # Front 16.049 m, rear of the car 27.7 m: a gap of 11.651 m closes at 6 m/s in 1.94 s, seen at 2.0 s.
    result = scored(agents=straight_tracks((30.0, 0.0, 2.0, 0.0)))
    assert result.no_at_fault_collisions == 0.0
    assert result.score == 0.0
    assert not result.success
    assert result.first_violation_time == 2.0
    assert result.first_violation_step == 3 + 4
    assert result.blame == "collision at 2.0 s with agent_0 (vehicle)"
    assert result.blames[0].agent_id == "agent_0"
    # Projected 0.9 s ahead the same contact shows from 1.1 s on.
    ttc = next(b for b in result.blames if b.sub_score == "time_to_collision_within_bound")
    assert ttc.time == 1.1


def test_hitting_an_object_halves_the_score_twice() -> None:
    cone = straight_tracks((30.0, 0.0, 0.0, 0.0), kind=AgentType.TRAFFIC_CONE)
    result = scored(agents=cone)
    assert result.no_at_fault_collisions == 0.5
    assert result.ego_progress == pytest.approx(0.5)  # 0.5 * 32 m of the logged 32 m
    assert result.time_to_collision_within_bound == 0.0
    assert result.score == pytest.approx(0.5 * (5 * 0.5 + 0 + 2) / 12)
    assert not result.success
    assert "traffic cone" in result.blame


def test_a_corner_off_the_road() -> None:
    # The right side is at y - 1.1485; the road ends at -1.75.
    assert scored(straight_states(y=-0.60)).drivable_area_compliance == 1.0
    off = scored(straight_states(y=-0.61))
    assert off.drivable_area_compliance == 0.0
    assert off.score == 0.0
    assert not off.success
    assert off.first_violation_time == 0.0
    assert off.first_violation_step == 3
    assert off.blame == "off the drivable area at 0.0 s"


def test_side_contact_is_at_fault_only_between_lanes() -> None:
    # A car level with the ego drifts into its side: not at fault in lane, at fault while straddling.
    beside = lambda y: straight_tracks((13.461, y, 8.0, -1.0))  # noqa: E731
    assert scored(straight_states(), beside(3.5)).no_at_fault_collisions == 1.0
    assert scored(straight_states(y=1.75), beside(5.25)).no_at_fault_collisions == 0.0


def test_standing_still_makes_no_progress() -> None:
    result = scored(straight_states(0.0))
    assert result.ego_progress == 0.0
    assert result.score == pytest.approx(7 / 12)
    assert result.success
    assert result.blame == "0.0 m of progress where the reference made 32.0 m at 4.0 s"


def test_half_the_speed_is_half_the_progress() -> None:
    assert scored(straight_states(4.0)).ego_progress == pytest.approx(0.5)


def test_nobody_gets_far_is_full_progress() -> None:
    # The log crawls 4 m, less than the threshold of 5 m.
    scenario = make_scenario(speed=1.0)
    result = score_record(make_record(scenario, straight_states(0.0, x=1.5)), scenario)
    assert result.ego_progress == 1.0


def test_a_track_that_appears_late_is_met_then() -> None:
    # The car is around the ego all the time but exists only from 1.5 s on.
    agents = straight_tracks((18.0, 0.0, 6.0, 0.0))
    valid = agents.valid.copy()
    valid[:, :15] = False
    result = scored(agents=replace(agents, valid=valid))
    assert result.no_at_fault_collisions == 0.0
    assert result.first_violation_time == 1.5


def test_standing_is_decided_by_the_first_appearance() -> None:
    # Running into the ego's rear, but it stood when first seen: NAVSIM blames the ego.
    agents = straight_tracks((-10.0, 0.0, 12.0, 0.0))
    velocity = agents.velocity.copy()
    velocity[:, 0] = 0.0
    result = scored(straight_states(2.0), replace(agents, velocity=velocity))
    assert result.no_at_fault_collisions == 0.0


def test_a_harmless_contact_excuses_the_rest() -> None:
    # The rear hit comes first; later the same track is in front and is touched again.
    poses = np.zeros((1, FRAMES, 3))
    poses[0, :, 0] = np.where(np.arange(FRAMES) < 10, 12.0 - 3.0 + 2.0 * 0.1 * np.arange(FRAMES), 40.0)
    tracks = make_tracks(poses)
    result = scored(straight_states(), tracks)
    assert result.no_at_fault_collisions == 1.0


def test_no_map() -> None:
    result = scored(map=VectorMap(), route=())
    assert np.isnan(result.drivable_area_compliance)
    assert np.isnan(result.driving_direction_compliance)
    assert np.isnan(result.score)
    assert result.success
    assert result.no_at_fault_collisions == result.ego_progress == result.comfort == 1.0
    assert set(result.reasons) == {
        "drivable_area_compliance",
        "driving_direction_compliance",
        "score",
        "success",
    }
    assert result.reasons["drivable_area_compliance"] == "the scenario has no map"
    hit = scored(agents=straight_tracks((30.0, 0.0, 2.0, 0.0)), map=VectorMap(), route=())
    assert hit.no_at_fault_collisions == 0.0
    assert not hit.success
    # Zero times unknown stays unknown: else only the failures of maps like this would enter the mean.
    assert np.isnan(hit.score)


def test_no_map_never_blames_a_side_contact() -> None:
    beside = straight_tracks((13.461, 5.25, 8.0, -1.0))
    assert scored(straight_states(y=1.75), beside, map=VectorMap(), route=()).no_at_fault_collisions == 1.0


def test_no_route_leaves_only_direction_unknown() -> None:
    result = scored(route=())
    assert np.isnan(result.driving_direction_compliance)
    assert result.reasons == {"driving_direction_compliance": "the scenario has no usable route"}
    assert result.score == 1.0


def test_a_route_that_leads_elsewhere_falls_back_to_the_logged_path() -> None:
    reverse = make_scenario().map
    lanes = {k: replace(v, centerline=v.centerline[::-1]) for k, v in reverse.lanes.items()}
    result = scored(straight_states(4.0), map=replace(reverse, lanes=lanes))
    assert result.ego_progress == pytest.approx(0.5)


def test_wrong_lanes_cost_direction() -> None:
    # Only the left lane is on the route: 32 m outside of it.
    scenario = make_scenario(route=("lane_1",))
    result = score_record(make_record(scenario), scenario)
    assert result.driving_direction_compliance == 0.0
    assert result.score == pytest.approx(1.0)


def test_a_log_that_ends_early_leaves_progress_unknown() -> None:
    scenario = make_scenario(frames=40)
    result = score_record(make_record(scenario), scenario)
    assert np.isnan(result.ego_progress)
    assert result.reasons["ego_progress"] == "the reference covers 25 of 41 frames"
    assert np.isnan(result.score)
    assert result.success


def test_the_log_may_run_at_another_rate() -> None:
    scenario = make_scenario(frames=14, dt=0.5)
    assert score_record(make_record(scenario, straight_states(4.0)), scenario).ego_progress == pytest.approx(
        0.5
    )


def driven_by(scenario: Scenario, states: np.ndarray) -> Reference:
    logged = logged_reference(scenario, scenario.initial_frame, len(states), 0.1)
    return replace(logged, states=states, source="somebody")


def test_a_given_reference_counts_only_while_it_drives_well() -> None:
    scenario = make_scenario()
    record = make_record(scenario, straight_states(4.0))
    fast = score_record(record, scenario, reference=driven_by(scenario, straight_states(16.0)))
    assert fast.ego_progress == pytest.approx(0.25)
    off_road = score_record(record, scenario, reference=driven_by(scenario, straight_states(16.0, y=-5.0)))
    assert off_road.ego_progress == 1.0


def test_a_crashing_log_still_counts_whole() -> None:
    # A reactive car stands where the log drove; the ego stops before it after 16 m.
    agents = straight_tracks((40.0, 0.0, 0.0, 0.0))
    result = scored(straight_states(4.0), agents)
    assert result.no_at_fault_collisions == 1.0
    assert result.ego_progress == pytest.approx(0.5)


def test_a_standing_log_has_a_line_ahead() -> None:
    frames = 66
    ego = EgoTrack(np.zeros((frames, 3)), np.zeros((frames, 2)), np.zeros((frames, 2)))
    scenario = make_scenario(ego=ego, route=())
    assert score_record(make_record(scenario, straight_states(0.0, x=0.0)), scenario).ego_progress == 1.0
    assert score_record(make_record(scenario, straight_states(8.0, x=0.0)), scenario).ego_progress == 1.0


def test_a_very_short_episode_has_no_comfort() -> None:
    scenario = make_scenario()
    record = make_record(scenario, straight_states()[:4])
    result = score_record(record, scenario)
    assert np.isnan(result.comfort)
    assert np.isnan(result.score)


def broken(record: RolloutRecord, kind: str) -> RolloutRecord:
    if kind == "few frames":
        return replace(record, agents=AgentTracks.empty(20))
    states = record.ego_states.copy()
    states[3, 1] = np.nan
    return replace(record, ego_states=states)


@pytest.mark.parametrize("kind", ["few frames", "nan"])
def test_broken_records_are_refused(kind: str) -> None:
    scenario = make_scenario()
    with pytest.raises(ScenarioFormatError, match="straight"):
        score_record(broken(make_record(scenario), kind), scenario)


def test_unknown_mode() -> None:
    scenario = make_scenario()
    with pytest.raises(ConfigError):
        score_record(make_record(scenario), scenario, mode="best")


def test_two_kinds_of_tracks() -> None:
    agents = joined(
        straight_tracks((60.0, 3.5, 8.0, 0.0)),
        straight_tracks((26.0, 0.0, 0.0, 0.0), kind=AgentType.PEDESTRIAN),
    )
    assert scored(agents=agents).blame.endswith("with agent_1 (pedestrian)")
