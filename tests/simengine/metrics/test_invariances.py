"""What must not change a score: where the world is, how tracks are ordered, who else is in the batch."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics_factories import (
    make_record,
    make_scenario,
    random_drive,
    random_tracks,
    straight_states,
    two_lane_scene,
)
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.map import VectorMap
from simengine.geometry.se2 import points_to_parent, rotate, to_parent
from simengine.metrics.episode import SUB_SCORES, EpisodeScore, score_record
from simengine.metrics.pdm.parameters import NAVSIM_V1, WORLDENGINE_V1, PdmParameters
from simengine.metrics.pdm.scorer import score_batch
from simengine.scenario.scenario import Scenario

few = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)


def values(score: EpisodeScore) -> np.ndarray:
    return np.array([*(getattr(score, name) for name in SUB_SCORES), score.score, score.first_violation_time])


def moved_map(vector_map: VectorMap, frame: np.ndarray) -> VectorMap:
    lanes = {
        k: replace(
            v, centerline=points_to_parent(frame, v.centerline), polygon=points_to_parent(frame, v.polygon)
        )
        for k, v in vector_map.lanes.items()
    }
    blocks = {
        k: replace(v, polygon=points_to_parent(frame, v.polygon)) for k, v in vector_map.roadblocks.items()
    }
    return replace(vector_map, lanes=lanes, roadblocks=blocks)


def moved(scenario: Scenario, frame: np.ndarray) -> Scenario:
    ego = scenario.ego
    return replace(
        scenario,
        ego=EgoTrack(to_parent(frame, ego.pose), ego.velocity, ego.acceleration),
        map=moved_map(scenario.map, frame),
    )


@few
@given(seeds)
def test_rigid_motion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scenario, states, tracks = make_scenario(), random_drive(rng), random_tracks(rng)
    before = score_record(make_record(scenario, states, tracks), scenario)
    frame = np.array([rng.uniform(-500, 500), rng.uniform(-500, 500), rng.uniform(-3, 3)])
    there = states.copy()
    there[:, :3] = to_parent(frame, states[:, :3])
    moved_tracks = replace(
        tracks, pose=to_parent(frame, tracks.pose), velocity=rotate(tracks.velocity, frame[2])
    )
    elsewhere = moved(scenario, frame)
    after = score_record(make_record(elsewhere, there, moved_tracks), elsewhere)
    np.testing.assert_allclose(values(after), values(before), atol=1e-6)


@few
@given(seeds)
def test_removing_a_track_never_lowers_the_collision_sub_scores(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scenario, states, tracks = make_scenario(), random_drive(rng), random_tracks(rng)
    before = score_record(make_record(scenario, states, tracks), scenario)
    for gone in range(tracks.num_agents):
        rest = tracks.select(np.arange(tracks.num_agents) != gone)
        after = score_record(make_record(scenario, states, rest), scenario)
        assert after.no_at_fault_collisions >= before.no_at_fault_collisions
        assert after.time_to_collision_within_bound >= before.time_to_collision_within_bound


@few
@given(seeds)
def test_order_of_tracks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scenario, states, tracks = make_scenario(), random_drive(rng), random_tracks(rng)
    order = rng.permutation(tracks.num_agents)
    shuffled = AgentTracks(
        tuple(tracks.ids[i] for i in order),
        *(getattr(tracks, name)[order] for name in ("types", "pose", "velocity", "size", "valid")),
    )
    before = score_record(make_record(scenario, states, tracks), scenario)
    after = score_record(make_record(scenario, states, shuffled), scenario)
    np.testing.assert_array_equal(values(after), values(before))


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_a_batch_do_not_touch_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch = np.stack([random_drive(rng) for _ in range(7)])
    scene = two_lane_scene(random_tracks(rng))
    together = score_batch(batch, scene)
    for row in range(len(batch)):
        alone = score_batch(batch[[row]], scene)
        for name in (*SUB_SCORES, "raw_progress"):
            if name != "ego_progress":
                assert getattr(alone, name)[0] == getattr(together, name)[row]
        assert alone.collisions.first_frame[0] == together.collisions.first_frame[row]


def test_scoring_changes_nothing_it_is_given() -> None:
    scenario, states = make_scenario(), straight_states()
    record = make_record(scenario, states, random_tracks(np.random.default_rng(0)))
    before = record.content_hash()
    first = score_record(record, scenario)
    assert record.content_hash() == before
    np.testing.assert_array_equal(values(first), values(score_record(record, scenario)))


@pytest.mark.parametrize("parameters", [NAVSIM_V1, WORLDENGINE_V1], ids=["navsim_v1", "worldengine_v1"])
def test_order_of_proposals(parameters: PdmParameters) -> None:
    rng = np.random.default_rng(11)
    scene = replace(two_lane_scene(random_tracks(rng)), parameters=parameters)
    batch = np.stack([random_drive(rng) for _ in range(40)])
    order = rng.permutation(len(batch))
    before, after = score_batch(batch, scene), score_batch(batch[order], scene)
    for name in (*SUB_SCORES, "score", "raw_progress", "first_off_road"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name)[order], err_msg=name)
    np.testing.assert_array_equal(after.collisions.track, before.collisions.track[order])
    np.testing.assert_array_equal(after.ttc_violations.first_frame, before.ttc_violations.first_frame[order])
