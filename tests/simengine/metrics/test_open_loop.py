"""Plans scored open loop: against the official results, and by hand on the factory road."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epdms_golden import load_extended_golden
from factories import make_scenario, make_tracks, shared_data
from metrics_factories import straight_tracks
from open_loop_factories import GOLDEN, golden_plan, golden_scenario, straight_plan
from pdm_closed_golden import read_golden
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.map import VectorMap
from simengine.datatypes.plan import Plan
from simengine.errors import ScenarioFormatError
from simengine.metrics.epdms.aggregate import EXTENDED_COMFORT
from simengine.metrics.open_loop.extended import in_pairs, score_plan_extended
from simengine.metrics.open_loop.record import logged_tracks, open_loop_record, tracked
from simengine.metrics.open_loop.score import score_plan
from simengine.metrics.pdm.from_scenario import Reference
from simengine.metrics.pdm.parameters import CORRECTED, NAVSIM_V1
from simengine.pdm_closed.reference import pdm_closed_reference

SCENES = ("scene_009", "scene_012", "scene_018")
PAIR = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "ego_progress",
    "time_to_collision_within_bound",
    "comfort",
    "driving_direction_compliance",
    "score",
)


def assert_official(path: Path) -> None:
    data, scenario = read_golden(path), golden_scenario(path)
    reference = pdm_closed_reference(scenario)
    for index, expected in enumerate(data["out_pair"]):
        row = score_plan(scenario, golden_plan(data, index), "navsim_v1", lambda *_: reference).row
        found = [getattr(row, name) for name in PAIR]
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=f"{path.stem} {index}")


@pytest.mark.parametrize("name", SCENES)
def test_official_scores(name: str) -> None:
    assert_official(GOLDEN / f"{name}.npz")


@pytest.mark.slow
def test_official_scores_of_all_shared_scenes() -> None:
    for path in sorted(shared_data("golden", "pdm").glob("scene_[0-9][0-9][0-9].npz")):
        assert_official(path)


def assert_official_extended(path: Path) -> None:
    golden, scenario = load_extended_golden(path), golden_scenario(path)
    data = golden.data
    # The published reference itself, so that this does not depend on how PDM-Closed chooses.
    corrected = pdm_closed_reference(scenario)
    reference = Reference(golden.states[0], corrected.centerline, corrected.route_lanes, "pdm_closed")
    columns = data["columns"].tolist()
    frames = [
        score_plan_extended(scenario, golden_plan(data, index), "epdms", lambda *_: reference)
        for index in range(64)
    ]
    for index, one in enumerate(frames):
        expected = dict(zip(columns, data["v2_pair_human_filtered"][index], strict=True))
        for name in set(columns) - {EXTENDED_COMFORT, "pdm_score"}:
            if hasattr(one.row, name):
                assert getattr(one.row, name) == pytest.approx(expected[name], abs=1e-6), (index, name)
    for index in range(64):
        now, before = frames[index], frames[(index + 1) % 64]
        pair = [replace(before, time=0.0), replace(now, time=0.5)]
        first, second = in_pairs(pair, "epdms")
        assert np.isnan(first.row.two_frame_extended_comfort)
        assert second.row.two_frame_extended_comfort == data["v2_extended_comfort"][index]
        assert second.row.score == pytest.approx(data["v2_epdms"][index], abs=1e-6)
        lost = any(blame.sub_score == EXTENDED_COMFORT for blame in second.blames)
        assert lost == (data["v2_extended_comfort"][index] == 0.0)
        assert EXTENDED_COMFORT not in second.row.reasons


@pytest.mark.parametrize("name", SCENES)
def test_official_extended_scores(name: str) -> None:
    assert_official_extended(GOLDEN / f"{name}.npz")


@pytest.mark.slow
def test_official_extended_scores_of_all_shared_scenes() -> None:
    for path in sorted(shared_data("golden", "pdm").glob("scene_[0-9][0-9][0-9].npz")):
        assert_official_extended(path)


def scored(plan: Plan, mode: str = "navsim_v1", **changes: object):
    return score_plan(make_scenario(**changes), plan, mode, pdm_closed_reference)


def test_driving_on_is_fine() -> None:
    row = scored(straight_plan()).row
    assert row.no_at_fault_collisions == row.drivable_area_compliance == row.comfort == 1.0
    assert (row.protocol, row.traffic, row.mode, row.blame) == ("open_loop", "NR", "navsim_v1", "")
    assert row.score > 0.9


def test_a_standing_car_ahead_is_hit() -> None:
    agents = straight_tracks((30.0, 0.0, 0.0, 0.0))
    padded = make_tracks(np.repeat(agents.pose[:, :1], 66, axis=1))
    found = scored(straight_plan(), agents=padded)
    assert found.row.score == 0.0
    # Front at 16.049 + 8 t, rear of the car at 27.7.
    assert found.row.blame == "collision at 1.5 s with agent_0 (vehicle)"
    assert found.blames[0].numbers["kind"] == "standing track"


def test_without_a_route_the_logged_drive_is_the_measure() -> None:
    found = scored(straight_plan(4.0), route=("gone",))
    assert "measured against the logged drive" in found.row.reasons["ego_progress"]
    numbers = found.blames[-1].numbers
    assert numbers["reference_is"] == "the logged drive"
    assert numbers["reference"] == pytest.approx(32.0)
    assert found.row.ego_progress == pytest.approx(numbers["own"] / 32.0)
    assert 0.5 < found.row.ego_progress < 0.7  # it cannot slow down at once
    assert np.isfinite(found.row.score)


def test_without_a_map_there_is_no_score_but_a_reason() -> None:
    row = scored(straight_plan(), map=VectorMap(), route=()).row
    assert np.isnan(row.score)
    assert row.no_at_fault_collisions == 1.0
    assert row.reasons["drivable_area_compliance"] == "the scenario has no map"


def test_short_plans_are_held_and_long_ones_cut() -> None:
    scenario = make_scenario()
    held = straight_plan(4.0, steps=4)
    spelled_out = Plan(np.concatenate([held.poses, np.repeat(held.poses[-1:], 4, axis=0)]), 0.5)
    np.testing.assert_array_equal(
        tracked(scenario, held, NAVSIM_V1), tracked(scenario, spelled_out, NAVSIM_V1)
    )
    long = straight_plan(8.0, steps=16)
    np.testing.assert_array_equal(
        tracked(scenario, long, NAVSIM_V1), tracked(scenario, straight_plan(), NAVSIM_V1)
    )
    assert tracked(scenario, straight_plan(4.0, steps=1), NAVSIM_V1).shape == (41, 11)


@pytest.mark.parametrize("seconds", [4.0, 5.0])
def test_ten_hertz_logs_are_taken_as_they_are(seconds: float) -> None:
    scenario = make_scenario(
        agents=make_tracks(np.cumsum(np.random.default_rng(0).normal(size=(2, 66, 3)), axis=1))
    )
    tracks = logged_tracks(scenario, seconds)
    count = round(10 * seconds) + 1
    np.testing.assert_array_equal(tracks.pose, scenario.agents.pose[:, 15 : 15 + count])


def test_every_other_frame_of_a_twenty_hertz_log() -> None:
    poses = np.zeros((1, 140, 3))
    poses[0, :, 0] = np.arange(140)
    scenario = make_scenario(frames=140, dt=0.05, agents=make_tracks(poses, dt=0.05))
    tracks = logged_tracks(scenario, 5.0)
    np.testing.assert_array_equal(tracks.pose[0, :, 0], 30 + 2 * np.arange(51))


def test_two_hertz_logs_are_interpolated_by_the_rules_of_navsim() -> None:
    # Detected at 0.0, 0.5 and 2.0 s after the decision: there from 0.0 to 2.0 s, straight over the gap.
    poses = np.zeros((1, 14, 3))
    poses[0, :, 0] = np.arange(14) ** 2
    agents = make_tracks(poses, dt=0.5)
    valid = np.zeros((1, 14), bool)
    valid[0, [3, 4, 7]] = True
    tracks = logged_tracks(make_scenario(frames=14, dt=0.5, agents=replace(agents, valid=valid)), 5.0)
    assert tracks.num_frames == 51
    np.testing.assert_array_equal(np.flatnonzero(tracks.valid[0]), np.arange(21))
    assert tracks.pose[0, 3, 0] == pytest.approx(9 + 0.6 * 7)
    assert tracks.pose[0, 10, 0] == pytest.approx(16 + (49 - 16) / 3)


def test_the_extended_score_sees_nothing_after_four_seconds() -> None:
    # Detected at 2.0 and at 4.5 s: with 5 s of observation it exists at 3.0 s, with 4 s it is a lone detection.
    agents = make_tracks(np.zeros((1, 14, 3)), dt=0.5)
    valid = np.zeros((1, 14), bool)
    valid[0, [7, 12]] = True
    scenario = make_scenario(frames=14, dt=0.5, agents=replace(agents, valid=valid))
    assert not logged_tracks(scenario, 5.0).valid[0, 10]
    assert logged_tracks(scenario, 4.0).valid[0].all()


def test_a_log_that_ends_early_shortens_the_look_ahead_only() -> None:
    assert logged_tracks(make_scenario(frames=15 + 46), 5.0).num_frames == 46
    with pytest.raises(ScenarioFormatError, match=r"straight has 3\.9 s .* at least 4 s"):
        logged_tracks(make_scenario(frames=15 + 40), 5.0)


def test_corrected_starts_with_the_steering_of_the_log() -> None:
    scenario = make_scenario()
    turning = scenario.ego.pose.copy()
    turning[:, 2] = 0.02 * np.arange(66)
    scenario = replace(scenario, ego=replace(scenario.ego, pose=turning))
    assert tracked(scenario, straight_plan(), NAVSIM_V1)[0, 9] == 0.0
    assert tracked(scenario, straight_plan(), CORRECTED)[0, 9] == pytest.approx(0.2)


def test_the_record_is_complete() -> None:
    record = open_loop_record(make_scenario(), straight_plan(), NAVSIM_V1)
    assert record.ego_states.shape == (41, 11)
    assert record.agents.num_frames == 51
    assert record.lights.state.shape == (0, 51)
    assert record.timestamps_us[-1] - record.timestamps_us[0] == 4_000_000


def test_frames_of_different_logs_are_no_pair() -> None:
    one = score_plan_extended(make_scenario(), straight_plan(), "epdms", pdm_closed_reference)
    assert one.row.reasons[EXTENDED_COMFORT] == "there is no frame before"
    for other in (replace(one, log="another", time=one.time - 0.5), replace(one, time=one.time - 0.6), one):
        assert all(np.isnan(x.row.two_frame_extended_comfort) for x in in_pairs([other, one], "epdms"))
    assert in_pairs([], "epdms") == []


def test_static_objects_are_known_to_the_open_loop() -> None:
    cone = make_tracks(np.tile([30.0, 0.0, 0.0], (1, 66, 1)), kind=AgentType.TRAFFIC_CONE)
    assert scored(straight_plan(), agents=cone).row.no_at_fault_collisions == 0.5
    assert scored(straight_plan(), agents=AgentTracks.empty(66)).row.no_at_fault_collisions == 1.0
