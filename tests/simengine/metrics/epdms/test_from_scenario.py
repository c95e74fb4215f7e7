"""Scenes of the extended score made from scenarios."""

from dataclasses import replace

import numpy as np
import pytest

from epdms_factories import STATES, box_ring
from factories import make_scenario, make_straight_map
from metrics_factories import straight_states, straight_tracks
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.map import Lane, VectorMap
from simengine.errors import ScenarioFormatError
from simengine.metrics.epdms.from_scenario import epdms_scene
from simengine.metrics.epdms.scorer import epdms_batch
from simengine.metrics.pdm.from_scenario import Reference
from simengine.scenario.scenario import Scenario

FRAMES = 66
INITIAL = 15
ALONE = AgentTracks.empty(51)


def connector_map() -> VectorMap:
    """Return the straight road with a connector over its right lane from x = 30 to 40, in a block of its own."""
    road = make_straight_map()
    x = np.linspace(30.0, 40.0, 5)
    joint = Lane(
        "joint", np.stack([x, np.zeros(5)], axis=1), box_ring(30.0, 40.0), "joint_block", is_connector=True
    )
    return replace(road, lanes=road.lanes | {"joint": joint})


def lights(red_until: int, lane: str = "joint", frames: int = FRAMES) -> TrafficLights:
    state = np.where(np.arange(frames) < red_until, LightState.RED, LightState.GREEN).astype(np.int8)
    return TrafficLights((lane,), state[None], np.full((1, 2), np.nan))


def crossing(red_until: int, route: tuple[str, ...] = ("road", "joint_block"), **changes: object) -> Scenario:
    return make_scenario(map=connector_map(), lights=lights(red_until), route=route, **changes)


def tlc(scenario: Scenario, **changes: object) -> float:
    scene = epdms_scene(scenario, ALONE, human_filter=False, **changes)
    return float(epdms_batch(straight_states()[None], scene).traffic_light_compliance[0])


def test_a_logged_straight_drive_is_perfect() -> None:
    scenario = make_scenario()
    for mode in ("epdms", "epdms_corrected"):
        scene = epdms_scene(scenario, ALONE, mode=mode)
        assert scene.parameters.mode == scene.pdm.parameters.mode == mode
        assert scene.unknown == {}
        assert epdms_batch(straight_states()[None], scene).score[0] == 1.0


def test_red_lights_of_the_route() -> None:
    # The ego is on the connector from state 18 on (see test_lights), which is frame 33 of the scenario.
    assert tlc(crossing(red_until=FRAMES)) == 0.0
    assert tlc(crossing(red_until=INITIAL + 18)) == 1.0
    assert tlc(crossing(red_until=INITIAL + 19)) == 0.0


def test_a_red_connector_off_the_route_is_none_of_our_business() -> None:
    assert tlc(crossing(red_until=FRAMES, route=("road",))) == 1.0


def test_a_red_lane_that_is_no_connector_may_be_stood_on() -> None:
    scenario = make_scenario(lights=lights(FRAMES, "lane_0"))
    assert tlc(scenario) == 1.0


def test_lights_of_the_simulation_replace_logged_ones() -> None:
    scenario = crossing(red_until=FRAMES)
    assert tlc(scenario, lights=lights(18, frames=51)) == 1.0
    assert tlc(scenario, lights=lights(19, frames=51)) == 0.0


def test_a_light_at_2_hz_holds_for_five_states() -> None:
    # Annotation frame 3 is at 1.5 s, so a red that ends with it is red up to state 19.
    frames = 14
    for red_until, expected in ((3 + 3, 1.0), (3 + 4, 0.0)):
        scenario = make_scenario(
            frames,
            0.5,
            map=connector_map(),
            lights=lights(red_until, frames=frames),
            route=("road", "joint_block"),
        )
        scene = epdms_scene(scenario, ALONE, human_filter=False)
        shown = scene.lights.red[0] if scene.lights.ids else np.zeros(STATES, bool)
        np.testing.assert_array_equal(shown, np.arange(STATES) < 5 * (red_until - 3))
        assert tlc(scenario) == expected


@pytest.mark.parametrize("changes", [{"route": ()}, {"route": ("elsewhere",)}, {"map": VectorMap()}])
def test_red_lights_without_a_usable_route_are_unknown(changes: dict) -> None:
    scenario = replace(crossing(red_until=FRAMES), **changes)
    unknown = epdms_scene(scenario, ALONE).unknown
    assert "no usable route" in unknown["traffic_light_compliance"]
    assert "lane_keeping" in unknown
    green = replace(scenario, lights=lights(0))
    assert "traffic_light_compliance" not in epdms_scene(green, ALONE).unknown


def test_a_connector_without_polygon_is_unknown() -> None:
    scenario = crossing(red_until=FRAMES)
    bare = replace(scenario.map.lanes["joint"], polygon=np.zeros((0, 2)))
    scenario = replace(scenario, map=replace(scenario.map, lanes=scenario.map.lanes | {"joint": bare}))
    scene = epdms_scene(scenario, ALONE)
    assert "no polygon" in scene.unknown["traffic_light_compliance"]
    batch = epdms_batch(straight_states()[None], scene)
    assert np.isnan(batch.traffic_light_compliance[0])
    assert np.isnan(batch.score[0])


def test_without_a_map_nothing_on_the_road_is_known() -> None:
    scene = epdms_scene(make_scenario(map=VectorMap(), route=()), ALONE)
    assert set(scene.unknown) == {
        "drivable_area_compliance",
        "driving_direction_compliance",
        "lane_keeping",
    }
    batch = epdms_batch(straight_states()[None], scene)
    assert np.isnan(batch.score[0])
    assert batch.no_at_fault_collisions[0] == 1.0
    assert set(batch.reasons) == {*scene.unknown, "two_frame_extended_comfort"}


def test_tracks_that_start_in_the_ego_are_left_out() -> None:
    tracks = straight_tracks((14.0, 0.5, 0.0, 0.0), (20.0, 0.0, 0.0, 0.0))
    scene = epdms_scene(make_scenario(), tracks)
    assert scene.pdm.observation.ids == ("agent_1",)
    assert scene.pdm.observation.num_frames == STATES
    # One that is there only later counts, wherever it will be.
    late = replace(tracks, valid=tracks.valid & (np.arange(51) > 0))
    assert epdms_scene(make_scenario(), late).pdm.observation.ids == ("agent_0", "agent_1")


def test_tracks_that_end_too_early_are_refused() -> None:
    with pytest.raises(ScenarioFormatError, match="40 frames, expected at least 41"):
        epdms_scene(make_scenario(), AgentTracks.empty(40))
    assert epdms_scene(make_scenario(), AgentTracks.empty(40), num_states=40).lights.red.shape == (0, 40)


@pytest.mark.parametrize(("mode", "samples", "last"), [("epdms", 14, -0.2), ("epdms_corrected", 15, -0.1)])
def test_the_logged_past(mode: str, samples: int, last: float) -> None:
    past = epdms_scene(make_scenario(), ALONE, mode=mode).past
    assert past.shape == (samples, 11)
    np.testing.assert_allclose(past[:, 0], 12.0 + 8.0 * (last - 0.1 * np.arange(samples)[::-1]), atol=1e-9)
    np.testing.assert_allclose(past[:, 3], 8.0)


def test_only_the_corrected_past_sees_every_logged_frame() -> None:
    scenario = make_scenario()
    acceleration = scenario.ego.acceleration.copy()
    acceleration[12, 0] = -9.0  # at -0.3 s, which 2 Hz does not see
    ego = EgoTrack(scenario.ego.pose, scenario.ego.velocity, acceleration)
    scenario = replace(scenario, ego=ego)
    assert not epdms_scene(scenario, ALONE).past[:, 5].any()
    assert epdms_scene(scenario, ALONE, mode="epdms_corrected").past[12, 5] == -9.0


def test_without_a_logged_past_history_comfort_is_full() -> None:
    scenario = make_scenario(initial_frame=0)
    scene = epdms_scene(scenario, ALONE)
    assert len(scene.past) == 0
    braking = straight_states(x=0.0)
    braking[:, 5] = -8.0
    assert epdms_batch(braking[None], scene).history_comfort[0] == 1.0


def test_the_human_drives_the_logged_future() -> None:
    scene = epdms_scene(make_scenario(), ALONE)
    np.testing.assert_allclose(scene.human_states[:, 0], straight_states()[:, 0], atol=0.05)
    assert epdms_scene(make_scenario(), ALONE, human_filter=False).human_states is None
    assert epdms_scene(make_scenario(frames=50), ALONE).human_states is None


def test_a_human_who_runs_the_light_excuses_the_planner() -> None:
    scene = epdms_scene(crossing(red_until=FRAMES), ALONE)
    batch = epdms_batch(straight_states()[None], scene)
    assert batch.traffic_light_compliance[0] == 1.0
    assert batch.first_on_red[0] == 18.0
    assert batch.score[0] == 1.0


def test_a_reference_brings_its_own_line_and_lanes() -> None:
    line = np.array([[-50.0, 3.5], [190.0, 3.5]])
    reference = Reference(straight_states(y=3.5), line, frozenset({"lane_1"}), "pdm_closed")
    scene = epdms_scene(make_scenario(), ALONE, reference=reference, human_filter=False)
    batch = epdms_batch(np.stack([reference.states, straight_states()]), scene)
    np.testing.assert_array_equal(batch.lane_keeping, [1.0, 0.0])
    np.testing.assert_array_equal(batch.driving_direction_compliance, [1.0, 0.0])


def test_later_frames_of_a_scenario() -> None:
    scenario = crossing(red_until=INITIAL + 18)
    scene = epdms_scene(scenario, ALONE, frame=20)
    np.testing.assert_array_equal(scene.lights.red[0], np.arange(STATES) < 13)
    np.testing.assert_allclose(scene.human_states[0, :2], [16.0, 0.0])
    np.testing.assert_allclose(scene.past[-1, 0], 16.0 - 1.6, atol=1e-9)
