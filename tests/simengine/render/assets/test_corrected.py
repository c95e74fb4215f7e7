"""Composition as it should be, by numbers: the asset's origin lies at world (10, 20), its road at height 4."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from render_factories import make_gaussian
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.errors import AssetError
from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render.assets.asset import AssetNode, FourierColor, NodeKind
from simengine.render.assets.corrected import CorrectedStage
from simengine.render.assets.height_map import HeightMap
from simengine.render.assets.objects import track_of
from simengine.render.lift_agents import lift_agent
from simengine.render.scene import BACKGROUND, SKY
from simengine.scenario.scenario import ASSET_EGO_POSES
from stage_factories import (
    AXLE_Z,
    asset_with,
    car,
    car_at,
    ego_poses,
    log_of,
    make_stage_scenario,
    nobody,
    two_gaussians,
)

EGO = np.zeros(3)
HALF = np.sqrt(0.5)
BANDS = np.array([[0.3] * 3, [0.2] * 3, [0.1] * 3])
"""Coefficients of -y, z, -x."""
Z_OF_CENTRE = 5.0
"""A box 2 m high on the road at 4."""


def stage_of(*nodes, scenario=None, **values) -> CorrectedStage:
    return CorrectedStage(scenario or make_stage_scenario(), asset_with(*nodes, **values))


def test_background_and_sky_stay_where_they_were_reconstructed():
    sky = AssetNode("skybox", NodeKind.SKY, make_gaussian((0, 0, 900)))
    stage = stage_of(sky)
    np.testing.assert_array_equal(stage.scene.static().means, [[1, 2, 3], [0, 0, 900]])
    assert {name for name, node in stage.scene.nodes.items() if node.is_static} == {BACKGROUND, SKY}
    # The road below the first pose of the ego is where the world has z = 0.
    np.testing.assert_allclose(stage.scene.origin, [10, 20, -4], atol=1e-9)


def test_a_rigid_object_by_hand():
    """The log saw the car head east, the simulation has it head north at world (30, 60), which is (20, 40)."""
    node = car(two_gaussians((1.5, 0, 0.5), (0, 1, 0), BANDS), log_of((20, 38, Z_OF_CENTRE, 0.0)))
    flat = stage_of(node).moving(EGO, car_at(30, 60, np.pi / 2), 0)
    np.testing.assert_allclose(flat.means, [[20, 41.5, 5.5], [19, 40, 5]], atol=1e-5)
    # A quarter turn about z times one about x.
    np.testing.assert_allclose(flat.quats, [[0.5, 0.5, 0.5, 0.5]] * 2, atol=1e-6)
    np.testing.assert_allclose(flat.scales, [[0.1, 0.2, 0.3]] * 2, atol=1e-7)
    np.testing.assert_allclose(flat.opacities, [0.5, 0.9], atol=1e-7)
    np.testing.assert_allclose(flat.sh[:, 0], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], atol=1e-6)
    # What was seen from ahead (x) is now seen from the north (y): y' = x, x' = -y.
    np.testing.assert_allclose(flat.sh[0, 1:, 0], [0.1, 0.2, -0.3], atol=1e-6)


def test_colours_are_as_learned_where_the_object_heads_as_in_its_log():
    node = car(two_gaussians((0, 0, 0), (1, 0, 0), BANDS), log_of((20, 38, Z_OF_CENTRE, np.pi / 2)))
    flat = stage_of(node).moving(EGO, car_at(30, 60, np.pi / 2), 0)
    np.testing.assert_allclose(flat.sh[0, 1:, 0], [0.3, 0.2, 0.1], atol=1e-6)


def test_colours_in_axes_of_the_node_turn_by_the_whole_heading():
    node = car(two_gaussians((0, 0, 0), (1, 0, 0), BANDS), log_of((20, 38, 5, np.pi / 2)), turns_colors=True)
    flat = stage_of(node).moving(EGO, car_at(30, 60, np.pi / 2), 0)
    np.testing.assert_allclose(flat.sh[0, 1:, 0], [0.1, 0.2, -0.3], atol=1e-6)


def test_a_mirrored_object_by_hand():
    """One stored Gaussian makes two; the log saw the car head north, so its left is west."""
    half = two_gaussians((1.5, 1, 0.5), (0, 0, 0), BANDS)
    half = replace(half, **{k: getattr(half, k)[:1] for k in ("means", "quats", "scales", "opacities", "sh")})
    node = car(half, log_of((20, 38, Z_OF_CENTRE, np.pi / 2)), NodeKind.MIRRORED)
    flat = stage_of(node).moving(EGO, car_at(30, 60, np.pi / 2), 0)
    np.testing.assert_allclose(flat.means, [[19, 41.5, 5.5], [21, 41.5, 5.5]], atol=1e-5)
    # A quarter turn about x mirrored at y = 0 turns the other way: (HALF, -HALF, 0, 0), then a quarter about z.
    np.testing.assert_allclose(flat.quats, [[0.5, 0.5, 0.5, 0.5], [0.5, -0.5, -0.5, 0.5]], atol=1e-6)
    # West and east change places, so only the coefficient of x changes sign.
    np.testing.assert_allclose(flat.sh[:, 1:, 0], [[0.3, 0.2, 0.1], [0.3, 0.2, -0.1]], atol=1e-6)
    np.testing.assert_allclose(flat.opacities, [0.5, 0.5], atol=1e-7)


def test_a_parked_object_goes_where_the_simulation_has_it():
    node = car(two_gaussians((0, 0, 0), (1, 0, 0)), log_of((20, 38, Z_OF_CENTRE, 0.0)))
    flat = stage_of(node).moving(EGO, car_at(31, 59, np.pi), 0)
    np.testing.assert_allclose(flat.means, [[21, 39, 5], [20, 39, 5]], atol=1e-5)


def test_who_is_not_there_leaves_no_ghost():
    node = car(two_gaussians((0, 0, 0), (1, 0, 0)), log_of((20, 38, 5, 0.0), (21, 38, 5, 0.0)))
    stage = stage_of(node)
    assert len(stage.moving(EGO, nobody(), 0)) == 0
    assert len(stage.moving(EGO, car_at(30, 60, 0.0), 0)) == 2


@pytest.mark.parametrize("log", [None, log_of((20, 38, 1e5, 0.0), (20, 38, 1e5, 0.0))])
def test_objects_without_a_log_stand_on_the_road_too(log):
    node = car(two_gaussians((0, 0, 0), (0, 0, 1)), log)
    flat = stage_of(node).moving(EGO, car_at(30, 60, 0.0), 0)
    np.testing.assert_allclose(flat.means, [[20, 40, 5], [20, 40, 6]], atol=1e-5)


def test_an_agent_that_the_asset_lacks_is_lifted_from_its_box():
    flat = stage_of().moving(EGO, car_at(30, 60, np.pi / 2, "stranger"), 0)
    size = np.array([4.0, 2.0, 2.0])
    alone = lift_agent("stranger", 0, size).gaussians
    expected = np.stack([20 - alone.means[:, 1], 40 + alone.means[:, 0], 4 + alone.means[:, 2]], axis=1)
    np.testing.assert_allclose(flat.means, expected, atol=1e-5)


def test_two_nodes_of_one_track_move_together():
    nodes = [car(make_gaussian((k, 0, 0)), log_of((20, 38, 5, 0.0))) for k in (0, 1)]
    nodes[1] = replace(nodes[1], name="trailer_abc")
    flat = stage_of(*nodes).moving(EGO, car_at(30, 60, 0.0), 0)
    np.testing.assert_allclose(flat.means, [[20, 40, 5], [21, 40, 5]], atol=1e-5)


def test_a_changing_colour_follows_the_share_of_the_log():
    # dc = a + b sin(2 pi 2 x / 2) with a = 0.5, b = 0.25: at a quarter of the log the sine is 1.
    series = FourierColor(np.array([[[0.5] * 3, [0.25] * 3]] * 2, np.float32))
    log = log_of((20, 38, 5, 0.0), (20, 39, 5, 0.0), times=[1_000_000, 1_800_000])
    stage = stage_of(car(two_gaussians((0, 0, 0), (1, 0, 0)), log, fourier=series))
    # Frame 12 is at 1.2 s, a quarter of the log. Before and after the log the ends hold, where the sine is 0.
    for frame, expected in ((0, 0.5), (12, 0.5 + 0.25), (500, 0.5)):
        flat = stage.moving(EGO, car_at(30, 60, 0.0), frame)
        np.testing.assert_allclose(flat.sh[:, 0], np.full((2, 3), expected), atol=1e-5)


def test_far_from_its_own_log_an_object_stands_as_others_did():
    """Own log at (20, 38) on road 4; the ego's log passes at (28, -20); 40 m off its own log its road counts."""
    scenario = make_stage_scenario(
        tags={ASSET_EGO_POSES: ego_poses((-10, -20, AXLE_Z, 0), (28, -20, AXLE_Z + 2, 0))}
    )
    node = car(two_gaussians((0, 0, 0), (1, 0, 0)), log_of((20, 38, 5, 0.0)))
    stage = stage_of(node, scenario=scenario)
    for (x, y), height in (((20, 38), 5.0), ((22, 41), 5.0), ((28, -20), 7.0), ((500, -900), 7.0)):
        flat = stage.moving(EGO, car_at(x + 10, y + 20, 0.0), 0)
        np.testing.assert_allclose(flat.means[0], [x, y, height], atol=1e-4)


def slope(height_at) -> HeightMap:
    """Return heights over x, y in -100..100, cells of 1 m."""
    x = np.arange(-100, 100) + 0.5
    return HeightMap(np.float32(height_at(*np.meshgrid(x, x))), np.eye(2), np.array([100.0, 100.0]), 1.0)


def test_the_height_map_gives_height_pitch_and_roll():
    # The road climbs 10 cm a metre to the east, on 4 m below the ego's first pose at x = -10.
    hill = slope(lambda x, y: 4.0 + 0.1 * (x + 10.0))
    scenario = make_stage_scenario(tags={ASSET_EGO_POSES: ego_poses((-10.0, -20.0, AXLE_Z, 0.0))})
    node = car(two_gaussians((1, 0, 0), (0, 1, 0)), None)
    flat = stage_of(node, scenario=scenario, height_map=hill).moving(EGO, car_at(30, 60, 0.0), 0)
    # The centre is 1 m above the road, along its normal (-0.1, 0, 1) / n; ahead is (1, 0, 0.1) / n.
    n = np.sqrt(1.01)
    centre = np.array([20.0, 40.0, 7.0]) + np.array([-0.1, 0.0, 1.0]) / n
    np.testing.assert_allclose(
        flat.means, [centre + np.array([1, 0, 0.1]) / n, centre + [0, 1, 0]], atol=1e-4
    )
    # Heading north the car leans to its left, up the hill on its right.
    flat = stage_of(node, scenario=scenario, height_map=hill).moving(EGO, car_at(30, 60, np.pi / 2), 0)
    np.testing.assert_allclose(flat.means[1], centre - np.array([1, 0, 0.1]) / n, atol=1e-4)


def test_an_object_keeps_its_distance_to_the_height_map():
    """In its log the car stood 20 cm above the map, as boxes do; it does so everywhere."""
    flat_map = slope(lambda x, y: np.full_like(x, 4.0))
    node = car(two_gaussians((0, 0, 0), (1, 0, 0)), log_of((20, 38, 5.2, 0.0)))
    moved = stage_of(node, height_map=flat_map).moving(EGO, car_at(40, 70, 0.0), 0)
    np.testing.assert_allclose(moved.means[:, 2], 5.2, atol=1e-5)


def test_unknown_cells_of_the_height_map_fall_back_to_the_log():
    holes = slope(lambda x, y: np.where(x > 0, np.nan, 4.0))
    node = car(two_gaussians((0, 0, 0), (1, 0, 0)), log_of((20, 38, 5, 0.0)))
    moved = stage_of(node, height_map=holes).moving(EGO, car_at(30, 60, 0.0), 0)
    np.testing.assert_allclose(moved.means[:, 2], 5.0, atol=1e-5)


def test_a_height_map_that_contradicts_the_log_is_left_out(caplog):
    wrong = slope(lambda x, y: np.full_like(x, 54.0))
    stage = stage_of(height_map=wrong)
    assert "height map is left out: the log stood -50.0 m above it" in caplog.text
    np.testing.assert_allclose(stage.scene.origin[2], -4.0, atol=1e-9)


def test_the_ego_stands_on_the_road_of_its_log():
    tags = {ASSET_EGO_POSES: ego_poses((-10, -20, AXLE_Z, 0), (20, -20, AXLE_Z + 3, 0))}
    stage = stage_of(scenario=make_stage_scenario(tags=tags))
    for pose, height in (((0, 0, 0.5), 0.0), ((30, 1, 0.5), 3.0), ((900, 1, 0.5), 3.0)):
        transform = stage.world_from_ego(np.array(pose, float))
        np.testing.assert_allclose(transform[:3, 3], [pose[0], pose[1], height], atol=1e-9)
        np.testing.assert_allclose(transform[:2, 0], [np.cos(0.5), np.sin(0.5)], atol=1e-9)


def test_pitch_of_the_log_turns_with_the_ego():
    """A road that climbs to the east, driven along and across."""
    pitch = np.arctan(0.1)
    climb = rotation_from_quaternion(np.array([np.cos(pitch / 2), 0, -np.sin(pitch / 2), 0]))
    axle = np.eye(4)
    axle[:3, :3], axle[:3, 3] = climb, climb @ [0, 0, AXLE_HEIGHT] + [-10, -20, 4]
    stage = stage_of(scenario=make_stage_scenario(tags={ASSET_EGO_POSES: [axle.tolist()]}))
    for yaw in (0.0, np.pi / 2, 2.0):
        transform = stage.world_from_ego(np.array([0.0, 0.0, yaw]))
        np.testing.assert_allclose(transform[:3, 2], climb[:, 2], atol=1e-9)
        assert np.arctan2(transform[1, 0], transform[0, 0]) == pytest.approx(yaw)
        assert np.linalg.det(transform[:3, :3]) == pytest.approx(1.0)


def test_without_any_log_the_road_is_at_the_origin_of_the_asset():
    stage = stage_of(scenario=make_stage_scenario(tags={}))
    np.testing.assert_allclose(stage.world_from_ego(np.array([3.0, 4.0, 0.0]))[:3, 3], [3, 4, 0])
    np.testing.assert_allclose(stage.scene.origin, [10, 20, 0])


@pytest.mark.parametrize("tag", ["x", [[1.0]], [[[np.nan] * 4] * 4]])
def test_a_malformed_tag_is_one_sentence(tag):
    with pytest.raises(AssetError, match="asset_ego_poses is malformed"):
        stage_of(scenario=make_stage_scenario(tags={ASSET_EGO_POSES: tag}))


def test_track_ids_may_hold_underscores():
    node = car(two_gaussians((0, 0, 0), (1, 0, 0)), None)
    for name, track in (
        ("object_7_abc", "abc"),
        ("object_7_abc", "7_abc"),
        ("abc", "abc"),
        ("object_7_abc", "x"),
    ):
        assert track_of(replace(node, name=name), {track}) == (track if track != "x" else "abc")
