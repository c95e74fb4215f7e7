"""What `corrected` changes, item by item: the odd behaviour under `navsim_v1`, and the same case put right.

The road is the factory's: lane 0 is |y| < 1.75, lane 1 reaches to 5.25. The ego starts at x = 12, its rear 1.127 m
behind and its front 4.049 m ahead of the rear axle.
"""

from dataclasses import replace

import numpy as np
import pytest
from shapely import affinity

from factories import make_tracks
from metrics_factories import FRAMES, TIMES, random_drive, straight_states, straight_tracks, two_lane_scene
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.ego import StateIndex
from simengine.metrics.pdm.map_areas import Layer
from simengine.metrics.pdm.observation import interpolate_tracks
from simengine.metrics.pdm.parameters import CORRECTED, NAVSIM_V1, PdmParameters
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import PdmBatch, score_batch


def both(
    states: np.ndarray, tracks: AgentTracks | None = None, scene: PdmScene | None = None
) -> tuple[PdmBatch, PdmBatch]:
    scene = scene or two_lane_scene(tracks)
    states = states if states.ndim == 3 else states[None]
    return tuple(score_batch(states, replace(scene, parameters=p)) for p in (NAVSIM_V1, CORRECTED))


def braking_into_standstill(x: float) -> AgentTracks:
    tracks = straight_tracks((x, 0.0, 0.0, 0.0))
    velocity = tracks.velocity.copy()
    velocity[:, 0] = (4.0, 0.0)
    return replace(tracks, velocity=velocity)


def test_item_2_turning_is_felt_sideways() -> None:
    # 10 m/s at 0.6 rad/s is 6 m/s^2 sideways; the bicycle's own lateral acceleration is 0.
    states = straight_states(10.0)
    states[:, StateIndex.HEADING] = 0.6 * TIMES[:41]
    states[:, StateIndex.ANGULAR_VELOCITY] = 0.6
    published, corrected = both(states)
    assert published.comfort[0] == 1.0
    assert corrected.comfort[0] == 0.0


def test_item_3_a_short_jolt_is_felt() -> None:
    # A second of -5 m/s^2 disappears in a parabola over four seconds.
    states = straight_states(10.0)
    states[15:26, StateIndex.ACCELERATION_X] = -5.0
    published, corrected = both(states)
    assert published.comfort_detail.within[0, 0]
    assert not corrected.comfort_detail.within[0, 0]


def test_item_3_a_short_series_has_the_same_windows() -> None:
    # Half a second of the same drive must not be judged by other filters than four seconds are.
    states = straight_states(10.0)
    states[:, StateIndex.ACCELERATION_X] = 2.0 * np.sin(np.arange(41))
    whole, half = both(states)[1], both(states[:21])[1]
    np.testing.assert_allclose(
        whole.comfort_detail.series[0, 0, :16], half.comfort_detail.series[0, 0, :16], atol=1e-7
    )


def test_item_6_standing_is_decided_at_the_contact() -> None:
    # It stood when first seen and drives at 8 m/s when its nose reaches into our side.
    tracks = straight_tracks((13.0, 3.5, 8.0, -1.0))
    velocity = tracks.velocity.copy()
    velocity[:, 0] = 0.0
    published, corrected = both(straight_states(), replace(tracks, velocity=velocity))
    assert published.no_at_fault_collisions[0] == 0.0
    assert corrected.no_at_fault_collisions[0] == 1.0


def test_item_6_a_car_that_came_to_a_stop_stands() -> None:
    # Side contact with a car that has stopped beside our lane: it is we who drive into it.
    tracks = braking_into_standstill(30.0)
    tracks = replace(tracks, pose=tracks.pose + np.array([0.0, 1.9, 0.0]))
    published, corrected = both(straight_states(), tracks)
    assert (published.collisions.detail[0], corrected.collisions.detail[0]) == (1, 0)


def test_item_7_a_standing_track_behind_is_not_driven_into() -> None:
    # A car stands with its nose in our tail; we drive away from it.
    published, corrected = both(straight_states(2.0), straight_tracks((9.0, 0.0, 0.0, 0.0)))
    assert published.no_at_fault_collisions[0] == 0.0
    assert corrected.no_at_fault_collisions[0] == 1.0


def test_item_7_reversing_into_it_is_still_our_fault() -> None:
    published, corrected = both(straight_states(-2.0), straight_tracks((5.0, 0.0, 0.0, 0.0)))
    assert published.no_at_fault_collisions[0] == 0.0
    assert corrected.no_at_fault_collisions[0] == 0.0


def test_item_8_a_harmless_contact_excuses_only_itself() -> None:
    # The same track nudges our tail in the first second and is run over from 2.5 s on.
    poses = np.zeros((1, FRAMES, 3))
    poses[0, :, 0] = np.where(TIMES < 1.0, 9.0 + 8.0 * TIMES, 36.0)
    published, corrected = both(straight_states(), make_tracks(poses))
    assert published.no_at_fault_collisions[0] == 1.0
    assert corrected.no_at_fault_collisions[0] == 0.0
    assert corrected.collisions.first_frame[0] >= 20


def test_item_8_a_push_from_behind_that_lasts_is_excused_whole() -> None:
    # Faster than we are and straight through us: one contact from tail to nose.
    _, corrected = both(straight_states(2.0), straight_tracks((-2.0, 0.0, 8.0, 0.0)))
    assert corrected.no_at_fault_collisions[0] == 1.0


def test_item_9_a_follower_stays_a_follower() -> None:
    # In 0.9 s the follower gets into our tail, where its centre has passed our present rear axle.
    published, corrected = both(straight_states(6.0), straight_tracks((5.0, 0.0, 9.0, 0.0)))
    assert published.time_to_collision_within_bound[0] == 0.0
    assert corrected.time_to_collision_within_bound[0] == 1.0


@pytest.mark.parametrize("parameters", [NAVSIM_V1, CORRECTED], ids=["navsim_v1", "corrected"])
def test_item_9_a_leader_stays_a_leader(parameters: PdmParameters) -> None:
    scene = replace(two_lane_scene(straight_tracks((30.0, 0.0, 2.0, 0.0))), parameters=parameters)
    assert score_batch(straight_states()[None], scene).time_to_collision_within_bound[0] == 0.0


@pytest.mark.parametrize("vanish", [False, True])
def test_item_10_a_track_detected_once(vanish: bool) -> None:
    detections = make_tracks(np.zeros((1, 11, 3)), dt=0.5)
    valid = np.zeros((1, 11), bool)
    valid[0, 4] = True
    seen = interpolate_tracks(replace(detections, valid=valid), 0.5, 51, 0.1, lone_detections_vanish=vanish)
    present = np.flatnonzero(seen.valid[0]).tolist()
    assert present == ([18, 19, 20, 21, 22] if vanish else list(range(51)))
    assert CORRECTED.lone_detections_vanish
    assert not NAVSIM_V1.lone_detections_vanish


def test_item_11_hitting_an_object_counts_once() -> None:
    cone = straight_tracks((30.0, 0.0, 0.0, 0.0), kind=AgentType.TRAFFIC_CONE)
    states = np.stack([straight_states(y=3.5), straight_states()])
    published, corrected = both(states, cone)
    assert published.ego_progress[1] == pytest.approx(0.5)
    assert corrected.ego_progress[1] == pytest.approx(1.0)
    assert corrected.no_at_fault_collisions[1] == 0.5


def test_item_12_the_reference_counts_although_it_failed() -> None:
    # The reference drives off the road at 8 m/s; half its progress is not full progress.
    states = np.stack([straight_states(8.0, y=-5.0), straight_states(4.0)])
    published, corrected = both(states)
    assert published.ego_progress[1] == 1.0
    assert corrected.ego_progress[1] == pytest.approx(0.5)


def test_item_12_standing_where_four_metres_were_possible() -> None:
    states = np.stack([straight_states(1.0), straight_states(0.0)])
    published, corrected = both(states)
    assert published.ego_progress[1] == 1.0
    assert corrected.ego_progress[1] == 0.0


def crossing_scene(tracks: AgentTracks | None = None) -> PdmScene:
    """The two lanes as overlapping connectors without a roadblock or an intersection around them."""
    scene = two_lane_scene(tracks)
    drivable = scene.drivable
    lanes = [i for i, layer in enumerate(drivable.layers) if layer is Layer.LANE]
    ids = tuple(drivable.ids[i] for i in lanes)
    kinds = (Layer.LANE_CONNECTOR,) * len(lanes)
    return replace(
        scene, drivable=replace(drivable, ids=ids, layers=kinds, polygons=drivable.polygons[lanes])
    )


def test_item_13_connectors_carry() -> None:
    scene = crossing_scene()
    # A road somewhere else makes the map one that knows where one may drive.
    road = affinity.translate(scene.drivable.polygons[0], 0.0, 500.0)
    both_kinds = replace(
        scene.drivable,
        ids=(*scene.drivable.ids, "far"),
        layers=(*scene.drivable.layers, Layer.ROADBLOCK),
        polygons=np.array([*scene.drivable.polygons, road]),
    )
    published, corrected = both(straight_states(), scene=replace(scene, drivable=both_kinds))
    assert published.drivable_area_compliance[0] == 0.0
    assert corrected.drivable_area_compliance[0] == 1.0


def test_item_13_connectors_cannot_be_straddled() -> None:
    published, corrected = both(straight_states(y=1.75), scene=crossing_scene())
    assert published.areas.multiple_lanes.all()
    assert not corrected.areas.multiple_lanes.any()


def test_no_other_field_differs() -> None:
    """Every difference between the two modes has a test above or in the part of the code that it belongs to."""
    differing = {name for name in vars(CORRECTED) if getattr(CORRECTED, name) != getattr(NAVSIM_V1, name)}
    elsewhere = {"jerk_penalty", "steering_from_yaw_rate", "pdm_closed_fresh_leads"}
    here = {
        "comfort", "speed_at_contact", "harmless_from_behind", "excuse_ends_with_contact", "ttc_from_moved_ego",
        "lone_detections_vanish", "progress_rule", "progress_threshold", "areas",
    }  # fmt: skip
    assert differing == here | elsewhere | {"mode"}


def test_most_drives_score_alike() -> None:
    # Where no item applies, nothing changes: alone on the road, gently, with a good reference.
    rng = np.random.default_rng(5)
    for _ in range(20):
        drive = random_drive(rng)
        drive[:, StateIndex.ACCELERATION_X] = 0.0
        published, corrected = both(np.stack([drive, drive]))
        for name in ("no_at_fault_collisions", "drivable_area_compliance", "time_to_collision_within_bound"):
            assert getattr(published, name)[1] == getattr(corrected, name)[1]
