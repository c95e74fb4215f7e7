"""Blames worked out by hand on a straight two-lane road (lane 0: |y| < 1.75, lane 1: up to 5.25).

The ego starts at x = 12; its box reaches from 1.127 m behind to 4.049 m ahead of the rear axle and is 2.297 m wide.
Cars are 4.6 x 1.9 m.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epdms_factories import box_ring, extended_scene
from epdms_golden import load_extended_golden
from factories import make_scenario, make_tracks
from metrics_factories import joined, make_record, straight_states, straight_tracks
from pdm_golden import load_golden
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.map import VectorMap
from simengine.metrics.blame import Blame, explain
from simengine.metrics.blame.drive import spell, spells
from simengine.metrics.epdms.lights import RedLights
from simengine.metrics.epdms.parameters import EPDMS_CORRECTED
from simengine.metrics.epdms.scorer import PreviousFrame
from simengine.metrics.episode import score_record
from simengine.metrics.pdm.from_scenario import Reference
from simengine.metrics.pdm.parameters import MODES
from simengine.metrics.verdict import judge

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "pdm"


def blames(
    states: np.ndarray | None = None, agents: AgentTracks | None = None, mode: str = "navsim_v1", **changes
) -> dict[str, Blame]:
    """Return the first blame of each sub-score."""
    scenario = make_scenario(**changes)
    found = score_record(make_record(scenario, states, agents), scenario, mode).blames
    return {blame.sub_score: blame for blame in reversed(found)}


def test_running_into_a_slower_car() -> None:
    # A gap of 11.651 m closes at 6 m/s in 1.94 s. At 2.0 s the ego is at x = 28, the car at x = 34.
    blame = blames(agents=straight_tracks((30.0, 0.0, 2.0, 0.0)))["no_at_fault_collisions"]
    assert (blame.time, blame.agent_id, blame.agent_type) == (2.0, "agent_0", "vehicle")
    expected = {
        "kind": "front",
        "side": "front",
        "ego_speed": 8.0,
        "object_speed": 2.0,
        "closing_speed": 6.0,
        "angle_deg": 0.0,
        "ahead_of_rear_axle": 6.0,
        "left_of_rear_axle": 0.0,
        "heading_difference_deg": 0.0,
        "first_seen_speed": 2.0,
        # Rear of the car at 31.7, front of the ego at 32.049; the ego is the wider one.
        "contact": [31.8745, 0.0],
        "straddling_lanes": False,
        "off_road": False,
    }
    assert blame.numbers.keys() == expected.keys()
    for name, value in expected.items():
        found = blame.numbers[name]
        assert found == (value if isinstance(value, str | bool) else pytest.approx(value, abs=1e-9)), name
    assert blame.sentence() == "collision at 2.0 s with agent_0 (vehicle)"
    for words in ("with its front", "8.0 m/s", "2.0 m/s", "6.0 m ahead"):
        assert words in blame.account


def test_time_to_collision_before_that() -> None:
    # Looking 0.9 s ahead shows the contact from 1.1 s on: front at 24.849, rear of the car at 29.9.
    blame = blames(agents=straight_tracks((30.0, 0.0, 2.0, 0.0)))["time_to_collision_within_bound"]
    assert blame.time == 1.1
    assert blame.numbers["look_ahead"] == 0.9
    assert blame.numbers["gap"] == pytest.approx(5.051)
    assert blame.numbers["closing_speed"] == pytest.approx(6.0)
    assert blame.numbers["is_ahead"]
    assert "in 0.9 s" in blame.account
    assert "5.1 m away" in blame.account


def test_a_track_that_is_not_there_yet_has_no_gap() -> None:
    agents = straight_tracks((30.0, 0.0, 2.0, 0.0))
    valid = agents.valid.copy()
    valid[:, :20] = False  # seen from 2.0 s on, looked at from 1.1 s on
    blame = blames(agents=replace(agents, valid=valid))["time_to_collision_within_bound"]
    assert (blame.time, blame.numbers["look_ahead"]) == (1.1, 0.9)
    assert math.isnan(blame.numbers["gap"])
    assert "not there yet" in blame.account
    assert blame.to_json()["numbers"]["gap"] is None


def test_nobody_is_blamed_for_being_hit_from_behind() -> None:
    assert "no_at_fault_collisions" not in blames(
        straight_states(0.0), straight_tracks((-10.0, 0.0, 8.0, 0.0))
    )


def test_side_contact_between_lanes() -> None:
    # The car's side is at y = 5.25 - 0.95 - t, the ego's at 1.75 + 1.1485: they touch after 1.4015 s, seen at 1.5 s.
    # The car is then at (25.461, 3.75), the rear axle at (24, 1.75).
    beside = straight_tracks((13.461, 5.25, 8.0, -1.0))
    blame = blames(straight_states(y=1.75), beside)["no_at_fault_collisions"]
    numbers = blame.numbers
    assert blame.time == 1.5
    assert (numbers["kind"], numbers["side"]) == ("lateral", "left side")
    assert numbers["straddling_lanes"]
    assert not numbers["off_road"]
    assert numbers["ahead_of_rear_axle"] == pytest.approx(1.461)
    assert numbers["left_of_rear_axle"] == pytest.approx(2.0)
    assert numbers["angle_deg"] == pytest.approx(np.rad2deg(np.arctan2(2.0, 1.461)))
    assert numbers["object_speed"] == pytest.approx(math.sqrt(65))
    assert numbers["closing_speed"] == pytest.approx(1.0)  # only the drift of 1 m/s brings them closer
    assert "its left side while straddling lanes" in blame.account


def test_a_cone_counts_as_standing() -> None:
    # Its rear is at 29.1, the front of the ego at 16.049 + 8 t: contact after 1.63 s.
    found = blames(agents=straight_tracks((30.0, 0.0, 0.0, 0.0), kind=AgentType.TRAFFIC_CONE))
    blame = found["no_at_fault_collisions"]
    assert (blame.time, blame.agent_type) == (1.7, "traffic cone")
    assert blame.numbers["kind"] == "standing track"
    assert "counts as standing;" in blame.account
    progress = found["ego_progress"]
    assert progress.numbers["counts_with"] == {"no_at_fault_collisions": 0.5}
    assert progress.slight


def test_whoever_stood_when_first_seen_is_explained() -> None:
    agents = straight_tracks((-10.0, 0.0, 12.0, 0.0))
    velocity = agents.velocity.copy()
    velocity[:, 0] = 0.0
    blame = blames(straight_states(2.0), replace(agents, velocity=velocity))["no_at_fault_collisions"]
    assert blame.numbers["side"] == "rear"
    assert blame.numbers["first_seen_speed"] == 0.0
    assert blame.numbers["object_speed"] == pytest.approx(12.0)
    assert "as it did when first seen" in blame.account


def test_a_road_user_behind_a_cone_is_named_too() -> None:
    agents = joined(
        straight_tracks((30.0, 0.0, 0.0, 0.0), kind=AgentType.TRAFFIC_CONE),
        straight_tracks((36.0, 0.0, 0.0, 0.5), kind=AgentType.PEDESTRIAN),
    )
    scenario = make_scenario()
    result = score_record(make_record(scenario, agents=agents), scenario)
    assert result.no_at_fault_collisions == 0.0
    hit = [blame for blame in result.blames if blame.sub_score == "no_at_fault_collisions"]
    assert [(blame.agent_id, blame.agent_type) for blame in hit] == [
        ("agent_0", "traffic cone"),
        ("agent_1", "pedestrian"),
    ]
    assert hit[0].time < hit[1].time


def test_off_the_road_by_a_known_distance() -> None:
    # The road ends at y = -1.75. For a second the right side is at -1.0015 - 1.1485 = -2.15.
    states = straight_states()
    states[10:20, 1] = -1.0015
    blame = blames(states)["drivable_area_compliance"]
    numbers = blame.numbers
    assert (blame.time, numbers["until"]) == (1.0, 1.9)
    assert numbers["duration"] == numbers["whole_duration"] == pytest.approx(1.0)
    assert numbers["outside"] == numbers["most_outside"] == pytest.approx(0.4)
    assert numbers["corners_outside"] == {"rear right": pytest.approx(0.4), "front right": pytest.approx(0.4)}
    assert numbers["corner"] == "rear right"
    assert numbers["position"] == pytest.approx([12.0 + 8.0 - 1.127, -2.15])
    assert numbers["nearest_area"] == "road"
    assert "0.40 m outside" in blame.account


def test_off_the_road_with_one_corner() -> None:
    # Turned to the right, the front right corner is lower than the rear axle by the sine and cosine of its place.
    heading = -0.1
    drop = 4.049 * math.sin(-heading) + 1.1485 * math.cos(heading)
    states = straight_states()
    states[5, 1:3] = drop - 1.75 - 0.3, heading
    blame = blames(states)["drivable_area_compliance"]
    assert blame.numbers["corners_outside"] == {"front right": pytest.approx(0.3)}
    assert (blame.time, blame.numbers["duration"]) == (0.5, pytest.approx(0.1))


def test_comfort_says_value_bound_and_the_rest() -> None:
    # Constant 3 m/s^2 stays 3 m/s^2 under any filter; a heading that grows by 0.1 rad per frame turns at 1 rad/s.
    states = straight_states()
    states[:, 5] = 3.0
    states[:, 2] = 0.1 * np.arange(41)
    blame = blames(states, map=make_scenario().map)["comfort"]
    numbers = blame.numbers
    assert blame.time == 0.0
    assert numbers["series"] == "longitudinal acceleration"
    assert numbers["value"] == numbers["extreme"] == pytest.approx(3.0)
    assert numbers["bound"] == 2.40
    assert numbers["others"]["yaw rate"]["extreme"] == pytest.approx(1.0)
    assert numbers["others"]["yaw rate"]["bound"] == 0.95
    assert "3.00 m/s^2 where 2.40" in blame.account
    assert "yaw rate (1.00 rad/s" in blame.account


def test_braking_is_out_of_the_lower_bound() -> None:
    states = straight_states()
    states[:, 5] = -5.0
    numbers = blames(states)["comfort"].numbers
    assert (numbers["bound"], numbers["extreme"]) == (-4.05, pytest.approx(-5.0))


@pytest.mark.parametrize(("speed", "slight"), [(7.0, True), (4.0, True), (3.9, False), (0.0, False)])
def test_less_progress_is_a_failure_only_below_a_half(speed: float, slight: bool) -> None:
    blame = blames(straight_states(speed))["ego_progress"]
    assert blame.numbers["own"] == pytest.approx(4.0 * speed)
    assert blame.numbers["reference"] == pytest.approx(32.0)
    assert blame.numbers["reference_is"] == "the logged drive"
    assert blame.numbers["share"] == pytest.approx(speed / 8.0)
    assert blame.slight == slight
    scenario = make_scenario()
    assert (score_record(make_record(scenario, straight_states(speed)), scenario).blame == "") == slight


def test_metres_off_the_route() -> None:
    # 0.8 m a frame beside the route: 2 m are exceeded after 3 frames, a window of 11 frames holds 8.8 m.
    blame = blames(route=("lane_1",))["driving_direction_compliance"]
    numbers = blame.numbers
    assert blame.time == 0.3
    assert numbers["metres"] == pytest.approx(8.8)
    assert numbers["metres_in_all"] == pytest.approx(32.0)
    assert (numbers["allowed"], numbers["off_route_since"]) == (2.0, 0.0)
    assert numbers["lanes"] == ["lane_0"]


def test_hard_failures_come_first_by_time_and_slight_losses_last() -> None:
    states = straight_states(7.0)
    states[30:, 1] = -1.0
    states[:, 5] = 3.0
    scenario = make_scenario()
    record = make_record(scenario, states, straight_tracks((28.0, 0.0, 2.0, 0.0)))
    names = [blame.sub_score for blame in score_record(record, scenario).blames]
    assert names == [
        "no_at_fault_collisions",
        "drivable_area_compliance",
        "time_to_collision_within_bound",
        "comfort",
        "ego_progress",
    ]


def red_connector(states: int = 41) -> RedLights:
    red = np.zeros((1, states), bool)
    red[0, 5:] = True
    return RedLights(("connector_7",), (box_ring(30.0, 40.0),), red)


def test_on_red() -> None:
    # The front reaches x = 30 after (30 - 16.049) / 8 = 1.74 s; the light has been red since 0.5 s.
    found = explain(straight_states(), extended_scene(lights=red_connector()))
    (blame,) = found.blames
    assert (blame.sub_score, blame.time) == ("traffic_light_compliance", 1.8)
    assert blame.numbers["connectors"] == ["connector_7"]
    assert blame.numbers["ego_speed"] == pytest.approx(8.0)
    assert blame.numbers["red_for"] == pytest.approx(1.3)


def test_beside_the_line() -> None:
    # 0.7 m to the left all the time: the 20th state in a row is that of 1.9 s.
    found = explain(straight_states(y=0.7), extended_scene())
    (blame,) = found.blames
    assert (blame.sub_score, blame.time) == ("lane_keeping", 1.9)
    assert blame.numbers["offset"] == blame.numbers["most_offset"] == pytest.approx(0.7)
    assert (blame.numbers["side"], blame.numbers["from"]) == ("left", 0.0)
    assert blame.numbers["duration"] == pytest.approx(4.1)


def test_discomfort_in_the_past_has_a_time_before_the_decision() -> None:
    past = straight_states()[:10]
    past[:5, 5] = 6.0
    found = explain(straight_states(), extended_scene(past=past))
    blame = {blame.sub_score: blame for blame in found.blames}["history_comfort"]
    assert blame.time == -1.0
    assert blame.numbers["series"] == "longitudinal acceleration"


def test_a_plan_unlike_the_one_before() -> None:
    before = straight_states()
    before[:, 5] = 1.5
    found = explain(straight_states(), extended_scene(), previous=PreviousFrame(before, 0.5))
    (blame,) = found.blames
    assert blame.sub_score == "two_frame_extended_comfort"
    assert blame.numbers["differences"] == {
        "acceleration": pytest.approx(1.5),
        "jerk": pytest.approx(0.0, abs=1e-6),
        "yaw rate": 0.0,
        "yaw acceleration": 0.0,
    }
    assert "acceleration by 1.5 m/s^2 (0.7 allowed)" in blame.account
    assert "jerk" not in blame.account


def test_the_human_excuses() -> None:
    scene = extended_scene(lights=red_connector(), human_states=straight_states())
    assert explain(straight_states(), scene).blames == ()


@pytest.mark.parametrize("name", ["scene_009", "scene_012", "scene_018"])
def test_everything_lost_is_blamed_and_nothing_else(name: str) -> None:
    path = GOLDEN / f"{name}.npz"
    golden, extended = load_golden(path), load_extended_golden(path)
    reference = Reference(golden.states[0], golden.scene.centerline, golden.scene.route_lanes, "pdm_closed")
    scenes = [(replace(golden.scene, parameters=rules), golden.states) for rules in MODES.values()]
    scenes += [(extended.scene, extended.states)]
    corrected = replace(extended.scene.pdm, parameters=EPDMS_CORRECTED.pdm)
    scenes += [(replace(extended.scene, pdm=corrected, parameters=EPDMS_CORRECTED), extended.states)]
    for scene, states in scenes:
        for row in range(1, 65, 3):
            previous = PreviousFrame(extended.states[row - 1], 0.5)
            found = explain(states[row], scene, reference, previous=previous)
            lost = {name for name, value in found.values.items() if value < 1.0 - 1e-9}
            assert {blame.sub_score for blame in found.blames} == lost
            for blame in found.blames:
                assert blame.account
                json.dumps(blame.to_json(), allow_nan=False)


def test_scores_are_those_of_the_scorer() -> None:
    extended = load_extended_golden(GOLDEN / "scene_009.npz")
    reference = Reference(extended.states[0], np.zeros((0, 2)), frozenset(), "pdm_closed")
    columns = extended.data["columns"].tolist()
    for row in range(1, 65, 9):
        found = explain(extended.states[row], extended.scene, reference)
        expected = dict(zip(columns, extended.data["v2_pair_human_filtered"][row - 1], strict=True))
        for name, value in found.values.items():
            if name in expected and name != "two_frame_extended_comfort":
                assert value == pytest.approx(expected[name], abs=1e-6), name


def test_without_a_reference_a_drive_is_its_own() -> None:
    found = explain(straight_states(3.0), extended_scene().pdm)
    assert found.values["ego_progress"] == 1.0
    assert found.drive.reference == "itself"


def test_spells() -> None:
    flags = np.array([True, True, False, True, False, False, True])
    assert spells(flags) == [(0, 1), (3, 3), (6, 6)]
    assert spell(flags, 1) == (0, 1)
    assert spell(flags, 6) == (6, 6)
    assert spells(np.zeros(3, bool)) == []


def test_boxes_that_just_touch_have_a_place_of_contact() -> None:
    # A standing car whose rear is where the front is after 2 s, in every direction: rounding decides, nothing breaks.
    rng = np.random.default_rng(0)
    hits = 0
    for heading in rng.uniform(-np.pi, np.pi, 100):
        along = np.array([np.cos(heading), np.sin(heading)])
        place = np.array([12.0, 0.0]) + (8.0 * 2.0 + 4.049 + 2.3) * along
        poses = np.tile([*place, heading], (1, 51, 1))
        found = blames(straight_states(heading=heading)[:21], make_tracks(poses), map=VectorMap(), route=())
        if "no_at_fault_collisions" in found:
            hits += 1
            contact = found["no_at_fault_collisions"].numbers["contact"]
            assert (contact - place) @ along == pytest.approx(-2.3, abs=1e-6)
    assert hits > 10


def test_timeline_of_a_harmless_contact_and_a_stop() -> None:
    states = straight_states(2.0)
    states[20:, 3] = 0.0
    states[20:, 0] = states[20, 0]
    scenario = make_scenario()
    record = make_record(scenario, states, straight_tracks((-10.0, 0.0, 8.0, 0.0)))
    moments = judge(record, scenario, "navsim_v1").moments
    texts = [(moment.time, moment.text) for moment in moments]
    assert texts[0] == (0.0, "starts at 2.0 m/s")
    # Front of the car at -7.7 + 8 t, rear of the ego at 10.873 + 2 t until 2 s, then at 14.873: 2.82 s.
    assert (2.0, "stands") in texts
    assert (2.9, "touches agent_0 (vehicle) until 4.0 s, not at fault") in texts
    assert texts[-1] == (4.0, "ends after 4.0 m at 0.0 m/s")
    assert [moment.time for moment in moments] == sorted(moment.time for moment in moments)
