"""Cases that recorded data rarely holds, worked out by hand on the factory road.

Lane 0 is |y| < 1.75, lane 1 reaches to 5.25. The ego starts at x = 12 with its rear at 10.873 and its front at 16.049.
"""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from metrics_factories import joined, straight_states, straight_tracks, two_lane_scene
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.metrics.pdm.collision import CollisionKind
from simengine.metrics.pdm.map_areas import Layer
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import PdmBatch, score_batch


def scored(states: np.ndarray, tracks: AgentTracks | None = None, **changes: object) -> PdmBatch:
    return score_batch(states[None], replace(two_lane_scene(tracks), **changes))


def with_intersection(scene: PdmScene) -> PdmScene:
    drivable = scene.drivable
    crossing = shapely.box(30.0, -20.0, 50.0, 20.0)
    return replace(
        scene,
        drivable=replace(
            drivable,
            ids=(*drivable.ids, "crossing"),
            layers=(*drivable.layers, Layer.INTERSECTION),
            polygons=np.array([*drivable.polygons, crossing]),
        ),
    )


def test_overlapping_at_the_start_is_scored_from_the_start() -> None:
    result = scored(straight_states(), straight_tracks((17.0, 0.0, 8.0, 0.0)))
    assert result.no_at_fault_collisions[0] == 0.0
    assert result.collisions.first_frame[0] == 0
    assert result.collisions.detail[0] == CollisionKind.FRONT


def test_a_standing_ego_that_overlaps_is_not_at_fault() -> None:
    assert (
        scored(straight_states(0.0), straight_tracks((17.0, 0.0, 0.0, 0.0))).no_at_fault_collisions[0] == 1.0
    )


@pytest.mark.parametrize(("speed", "fault"), [(0.05, 1.0), (0.0501, 0.0)])
def test_up_to_five_centimetres_a_second_the_ego_stands(speed: float, fault: float) -> None:
    assert (
        scored(straight_states(speed), straight_tracks((17.0, 0.0, 8.0, 0.0))).no_at_fault_collisions[0]
        == fault
    )


def test_lateral_contact_in_the_own_lane_and_across_lanes() -> None:
    # Level with our box centre at 13.461, drifting to the right into our side.
    beside = lambda y: straight_tracks((13.461, y, 8.0, -1.0))  # noqa: E731
    assert scored(straight_states(), beside(3.5)).no_at_fault_collisions[0] == 1.0
    across = scored(straight_states(y=1.75), beside(5.25))
    assert across.no_at_fault_collisions[0] == 0.0
    assert across.collisions.detail[0] == CollisionKind.LATERAL


def test_touching_counts() -> None:
    # The rear of the car is exactly at our front.
    for gap, score in ((0.0, 0.0), (1e-6, 1.0)):
        track = straight_tracks((16.049 + 2.3 + gap, 0.0, 0.0, 0.0))
        states = straight_states(0.0)
        states[:, 3] = 1.0  # it claims to move, so that the contact is its fault
        assert scored(states, track).no_at_fault_collisions[0] == score


@pytest.mark.parametrize("kind", list(AgentType)[:7])
def test_every_class_costs_what_it_should(kind: AgentType) -> None:
    result = scored(straight_states(), straight_tracks((30.0, 0.0, 0.0, 0.0), kind=kind))
    assert result.no_at_fault_collisions[0] == (0.5 if kind.is_static else 0.0)


def test_an_object_and_then_a_person() -> None:
    cone = straight_tracks((25.0, 0.0, 0.0, 0.0), kind=AgentType.TRAFFIC_CONE)
    person = straight_tracks((35.0, 0.0, 0.0, 0.0), kind=AgentType.PEDESTRIAN)
    result = scored(straight_states(), joined(cone, person))
    assert result.no_at_fault_collisions[0] == 0.0
    assert result.collisions.track[0] == 0  # the first one is blamed


def test_reversing() -> None:
    # Backwards at 3 m/s with nobody around: no progress, but nothing is hit and the lane is still the route's.
    result = scored(straight_states(-3.0, x=30.0))
    assert result.raw_progress[0] == 0.0
    assert result.driving_direction_compliance[0] == 1.0
    # A mover behind is hit by our tail: seen from the front, that is a hit from the rear.
    assert (
        scored(straight_states(-3.0, x=30.0), straight_tracks((20.0, 0.0, 1.0, 0.0))).no_at_fault_collisions[
            0
        ]
        == 1.0
    )


def test_driving_the_wrong_way_round_is_off_no_lane() -> None:
    # Direction is judged by lanes of the route, not by heading.
    result = scored(straight_states(8.0, x=60.0, heading=np.pi))
    assert result.driving_direction_compliance[0] == 1.0
    assert result.raw_progress[0] == 0.0


def test_an_empty_route_is_nowhere_on_route() -> None:
    result = scored(straight_states(), route_lanes=frozenset())
    assert result.areas.oncoming.all()
    assert result.driving_direction_compliance[0] == 0.0  # 8 m within a second
    slow = scored(straight_states(5.0), route_lanes=frozenset())
    assert slow.driving_direction_compliance[0] == 0.5  # eleven steps of 0.5 m make 5.5 m
    assert (
        scored(straight_states(1.8), route_lanes=frozenset()).driving_direction_compliance[0] == 1.0
    )  # 1.98 m


@pytest.mark.parametrize("line", [np.zeros((0, 2)), np.zeros((1, 2)), np.zeros((3, 2))])
def test_a_line_without_length_makes_no_progress(line: np.ndarray) -> None:
    assert scored(straight_states(), centerline=line).raw_progress[0] == 0.0


def test_the_intersection_widens_the_view_of_time_to_collision() -> None:
    # A car runs into our side from the right; at some 50 degrees it is neither ahead nor behind.
    tracks = straight_tracks((38.5, -10.0, 0.0, 8.0))
    plain, crossing = two_lane_scene(tracks), with_intersection(two_lane_scene(tracks))
    states = straight_states(1.0, x=36.0)
    in_plain, in_crossing = (score_batch(states[None], scene) for scene in (plain, crossing))
    assert in_crossing.areas.in_intersection[0, 1]
    assert not in_plain.areas.in_intersection.any()
    assert in_plain.time_to_collision_within_bound[0] == 1.0
    assert in_crossing.time_to_collision_within_bound[0] == 0.0


def test_the_rear_axle_decides_about_the_intersection_the_centre_about_the_route() -> None:
    result = score_batch(straight_states(8.0, x=28.0)[None], with_intersection(two_lane_scene()))
    # Strictly inside from x = 30 on: the rear axle after 0.25 s, the centre, 1.461 m ahead, after 0.07 s.
    assert np.argmax(result.areas.in_intersection[0]) == 3
    assert np.argmax(result.areas.center_in_intersection[0]) == 1


def test_one_state_can_be_scored() -> None:
    result = score_batch(straight_states()[None, :1], two_lane_scene(straight_tracks((17.0, 0.0, 0.0, 0.0))))
    assert result.no_at_fault_collisions[0] == 0.0
    assert result.raw_progress[0] == 0.0


def test_no_tracks_and_no_map() -> None:
    scene = two_lane_scene()
    empty = replace(scene.drivable, ids=(), layers=(), polygons=np.zeros(0, dtype=object))
    result = score_batch(straight_states()[None], replace(scene, drivable=empty))
    assert result.score[0] == 1.0
    assert not result.areas.non_drivable.any()
