"""Whole batches of the extended score: by hand, and what must not change it."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from epdms_factories import STATES, box_ring, extended_scene, random_drives, road_map
from metrics_factories import joined, straight_states, straight_tracks
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import STATE_SIZE
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.geometry.se2 import points_to_parent, rotate, to_parent
from simengine.metrics.epdms.aggregate import EXTENDED_COMFORT, SUB_SCORES
from simengine.metrics.epdms.lights import RedLights
from simengine.metrics.epdms.parameters import EPDMS, EPDMS_CORRECTED, MODES
from simengine.metrics.epdms.scene import EpdmsScene
from simengine.metrics.epdms.scorer import EpdmsBatch, PreviousFrame, epdms_batch
from simengine.metrics.pdm.map_areas import DrivableMap
from simengine.metrics.pdm.observation import observation_from_tracks

few = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)
both = pytest.mark.parametrize("mode", list(MODES))


def past(speed: float = 8.0) -> np.ndarray:
    states = np.zeros((14, STATE_SIZE))
    states[:, 0], states[:, 3] = 12.0 + speed * 0.1 * (np.arange(14) - 14), speed
    return states


def moved_out(tracks: AgentTracks) -> AgentTracks:
    """Return the first 41 frames of tracks."""
    pose, velocity, valid = (x[:, :STATES] for x in (tracks.pose, tracks.velocity, tracks.valid))
    return AgentTracks(tracks.ids, tracks.types, pose, velocity, tracks.size, valid)


def busy_scene(rng: np.random.Generator, mode: str = "epdms") -> EpdmsScene:
    """Return a scene in which every sub-score can fail."""
    parameters = MODES[mode]
    starts = [(rng.uniform(20, 60), rng.uniform(-2, 6), rng.uniform(-4, 10), 0.0) for _ in range(5)]
    red = rng.random((2, STATES)) < 0.5
    lights = RedLights(("a", "b"), (box_ring(30, 40), box_ring(50, 60, 1.0, 4.0)), red)
    return extended_scene(
        road_map((35.0, 48.0)),
        parameters,
        moved_out(straight_tracks(*starts)),
        lights=lights,
        past=past(),
    )


def values(batch: EpdmsBatch) -> np.ndarray:
    return np.stack([*batch.columns.values(), batch.score, batch.first_on_red, batch.pdm.raw_progress])


@both
def test_a_straight_drive_is_perfect(mode: str) -> None:
    scene = extended_scene(parameters=MODES[mode], past=past())
    states = straight_states()[None]
    before = PreviousFrame(straight_states(x=8.0), 0.5)
    batch = epdms_batch(states, scene, previous=before)
    np.testing.assert_array_equal([*batch.columns.values()], np.ones((9, 1)))
    assert batch.score[0] == 1.0
    assert batch.reasons == {}


def test_each_failure_costs_its_own_column() -> None:
    lights = RedLights(("c",), (box_ring(30.0, 40.0),), np.ones((1, STATES), bool))
    scene = extended_scene(lights=lights, past=past())
    states = np.stack([straight_states(speed=2.0), straight_states(), straight_states(speed=2.0, y=0.6)])
    batch = epdms_batch(states, scene)
    np.testing.assert_array_equal(batch.traffic_light_compliance, [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(batch.first_on_red, [np.inf, 18.0, np.inf])
    np.testing.assert_array_equal(batch.lane_keeping, [1.0, 1.0, 0.0])
    # The fast one runs the light: it sets no scale, so that 8 m out of 8 are full progress for the others.
    np.testing.assert_array_equal(batch.ego_progress, [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(batch.score, [1.0, 0.0, 12 / 14])


def test_wrong_way_in_an_intersection_is_not_wrong() -> None:
    away = straight_states(y=10.0)[None]  # beside all lanes
    assert epdms_batch(away, extended_scene()).driving_direction_compliance[0] == 0.0
    assert epdms_batch(away, extended_scene(road_map((0.0, 60.0)))).driving_direction_compliance[0] == 1.0
    # 5 m outside of it are half a point: 2 m are allowed, 6 m are not.
    partly = epdms_batch(away, extended_scene(road_map((0.0, 40.5))))
    assert partly.driving_direction_compliance[0] == 0.5


def test_extended_comfort_of_a_changed_plan() -> None:
    scene, states = extended_scene(), straight_states()[None]
    braking = straight_states()
    braking[:, 5] = -2.0
    changed = epdms_batch(states, scene, previous=PreviousFrame(braking, 0.5))
    assert changed.two_frame_extended_comfort[0] == 0.0
    assert changed.score[0] == 14 / 16


@pytest.mark.parametrize("elapsed", [0.0, -0.5, 0.55, 1.0])
def test_frames_that_are_no_pair_leave_extended_comfort_out(elapsed: float) -> None:
    braking = straight_states()
    braking[:, 5] = -2.0
    batch = epdms_batch(straight_states()[None], extended_scene(), previous=PreviousFrame(braking, elapsed))
    assert np.isnan(batch.two_frame_extended_comfort[0])
    assert f"{elapsed:.3f} s" in batch.reasons[EXTENDED_COMFORT]
    assert batch.score[0] == 1.0


def test_without_a_frame_before() -> None:
    off_lane = straight_states(y=0.6)[None]
    batch = epdms_batch(off_lane, extended_scene())
    assert np.isnan(batch.two_frame_extended_comfort[0])
    assert batch.score[0] == 12 / 14
    assert "no frame before" in batch.reasons[EXTENDED_COMFORT]


def test_the_human_filter_sets_exactly_the_failed_columns() -> None:
    off_road = straight_states(y=-10.0)
    scene = extended_scene(past=past())
    rows = np.stack([straight_states(), off_road, straight_states(y=0.6)])
    plain = epdms_batch(rows, scene)
    human = {name for name in SUB_SCORES[:8] if plain.columns[name][1] == 0.0}
    assert human == {"drivable_area_compliance", "driving_direction_compliance", "lane_keeping"}
    filtered = epdms_batch(rows, replace(scene, human_states=off_road))
    for name in SUB_SCORES[:8]:
        expected = np.ones(3) if name in human else plain.columns[name]
        np.testing.assert_array_equal(filtered.columns[name], expected, name)
    np.testing.assert_array_equal(plain.score, [1.0, 0.0, 12 / 14])
    np.testing.assert_array_equal(filtered.score, [1.0, 1.0, 1.0])


@both
def test_a_failing_human_excuses_no_lack_of_progress(mode: str) -> None:
    scene = extended_scene(parameters=MODES[mode], human_states=straight_states(y=-10.0))
    batch = epdms_batch(np.stack([straight_states(), straight_states(speed=2.0)]), scene)
    assert batch.ego_progress[1] == pytest.approx(0.25)


def test_the_human_is_scored_without_a_past_and_alone() -> None:
    # A human with this past would fail history comfort; without it nobody is excused.
    rough = past()
    rough[:, 5] = -6.0
    scene = extended_scene(past=rough, human_states=straight_states(speed=1.0))
    batch = epdms_batch(np.stack([straight_states(), straight_states(speed=1.0)]), scene)
    np.testing.assert_array_equal(batch.history_comfort, [0.0, 0.0])
    assert batch.ego_progress[1] == pytest.approx(0.125)


def test_a_human_who_hits_an_object_excuses_nothing() -> None:
    cone = moved_out(straight_tracks((20.0, 0.0, 0.0, 0.0)))
    cone = replace(cone, types=np.array([3], np.int8))
    scene = extended_scene(tracks=cone, human_states=straight_states())
    batch = epdms_batch(straight_states()[None], scene)
    assert batch.no_at_fault_collisions[0] == 0.5


def test_what_a_scene_cannot_tell_is_unknown() -> None:
    scene = extended_scene(unknown={"lane_keeping": "no route"})
    batch = epdms_batch(straight_states()[None], scene)
    assert np.isnan(batch.lane_keeping[0])
    assert np.isnan(batch.score[0])
    assert batch.reasons["lane_keeping"] == "no route"


def test_scenes_that_contradict_themselves_are_refused() -> None:
    scene = extended_scene()
    with pytest.raises(ConfigError, match="epdms_corrected"):
        replace(scene, parameters=EPDMS_CORRECTED)
    with pytest.raises(ScenarioFormatError, match="lights.red"):
        epdms_batch(straight_states()[None, :30], scene)
    with pytest.raises(ScenarioFormatError, match="previous.states"):
        epdms_batch(straight_states()[None], scene, previous=PreviousFrame(straight_states()[:30]))
    with pytest.raises(ConfigError, match="epdms_v3"):
        from simengine.metrics.epdms.parameters import epdms_parameters_of

        epdms_parameters_of("epdms_v3")


def moved(scene: EpdmsScene, frame: np.ndarray) -> EpdmsScene:
    """Return the scene seen from another origin; the road is rigid, so a rigid motion changes nothing."""
    drivable = scene.pdm.drivable
    polygons = shapely.transform(drivable.polygons, lambda points: points_to_parent(frame, points))
    seen = scene.pdm.observation
    pdm = replace(
        scene.pdm,
        drivable=DrivableMap(drivable.ids, drivable.layers, polygons, drivable.drivable_layers),
        observation=replace(seen, pose=to_parent(frame, seen.pose), velocity=rotate(seen.velocity, frame[2])),
        centerline=points_to_parent(frame, scene.pdm.centerline),
    )
    outlines = tuple(points_to_parent(frame, ring) for ring in scene.lights.outlines)
    lights = replace(scene.lights, outlines=outlines)
    human = None if scene.human_states is None else moved_states(scene.human_states, frame)
    return replace(scene, pdm=pdm, lights=lights, past=moved_states(scene.past, frame), human_states=human)


def moved_states(states: np.ndarray, frame: np.ndarray) -> np.ndarray:
    there = np.array(states)
    there[..., :3] = to_parent(frame, states[..., :3])
    return there


@both
@few
@given(seeds)
def test_rigid_motion(mode: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    states, before = random_drives(rng, 6), random_drives(rng, 6)
    scene = replace(busy_scene(rng, mode), human_states=random_drives(rng, 1)[0])
    frame = np.array([rng.uniform(-500, 500), rng.uniform(-500, 500), rng.uniform(-3, 3)])
    here = epdms_batch(states, scene, previous=PreviousFrame(before))
    there = epdms_batch(
        moved_states(states, frame), moved(scene, frame), previous=PreviousFrame(moved_states(before, frame))
    )
    np.testing.assert_allclose(values(there), values(here), atol=1e-6)


@both
@few
@given(seeds)
def test_order_of_proposals(mode: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    states, before, scene = random_drives(rng, 9), random_drives(rng, 9), busy_scene(rng, mode)
    order = np.concatenate([[0], 1 + rng.permutation(8)])  # the reference stays first
    straight = epdms_batch(states, scene, previous=PreviousFrame(before))
    shuffled = epdms_batch(states[order], scene, previous=PreviousFrame(before[order]))
    np.testing.assert_array_equal(values(shuffled), values(straight)[:, order])


@both
def test_threads_do_not_matter(mode: str) -> None:
    rng = np.random.default_rng(7)
    states, before, scene = random_drives(rng, 800), random_drives(rng, 800), busy_scene(rng, mode)
    one, many = (epdms_batch(states, scene, previous=PreviousFrame(before), threads=n) for n in (1, 4))
    np.testing.assert_array_equal(values(many), values(one))
    unequal = [name for name, column in one.columns.items() if len(set(column.tolist())) > 1]
    assert set(SUB_SCORES) - set(unequal) <= {"two_frame_extended_comfort", "driving_direction_compliance"}


def test_scoring_changes_nothing_it_is_given() -> None:
    rng = np.random.default_rng(9)
    states, scene = random_drives(rng, 20), busy_scene(rng)
    copy = states.copy()
    first = values(epdms_batch(states, scene))
    np.testing.assert_array_equal(states, copy)
    np.testing.assert_array_equal(values(epdms_batch(states, scene)), first)


@few
@given(seeds)
def test_a_track_less_never_lowers_the_collision_sub_scores(seed: int) -> None:
    rng = np.random.default_rng(seed)
    states = random_drives(rng, 5)
    starts = [(rng.uniform(20, 60), rng.uniform(-2, 6), rng.uniform(-4, 10), 0.0) for _ in range(4)]
    tracks = moved_out(joined(straight_tracks(*starts)))
    full = epdms_batch(states, extended_scene(tracks=tracks))
    for gone in range(4):
        rest = observation_from_tracks(tracks.select(np.arange(4) != gone))
        scene = extended_scene()
        fewer = epdms_batch(states, replace(scene, pdm=replace(scene.pdm, observation=rest)))
        assert (fewer.no_at_fault_collisions >= full.no_at_fault_collisions).all()
        assert (fewer.time_to_collision_within_bound >= full.time_to_collision_within_bound).all()


def test_modes_have_their_names() -> None:
    assert {EPDMS.mode, EPDMS_CORRECTED.mode} == {"epdms", "epdms_corrected"} == set(MODES)
