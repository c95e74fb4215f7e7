from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from factories import make_scenario, make_tracks, shared_data
from render_factories import make_street, states_at
from scenario_factories import read_scene_file
from simengine.datatypes.agents import AgentType
from simengine.datatypes.map import LineKind, MapLine, VectorMap
from simengine.render.cpu_backend import CpuBackend
from simengine.render.lift import lift
from simengine.render.lift_agents import lift_agent
from simengine.render.lift_buildings import building_gaussians, free_land, tree_gaussians
from simengine.render.lift_canvas import Canvas
from simengine.render.lift_ground import ground_gaussians
from simengine.render.lift_lights import head_pose
from simengine.render.lift_road import ASPHALT, KERB, PAVEMENT, SHOULDER, WHITE, paint_road
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import nuplan_rig
from simengine.render.scene import BACKGROUND, SKY, agent_node, light_node


def painted(scenario) -> Canvas:
    canvas = Canvas.around(scenario.ego.pose[:, :2], 60.0, 0.25, 2_000_000, 32)
    paint_road(canvas, scenario)
    return canvas


def color_at(canvas: Canvas, x: float, y: float) -> np.ndarray:
    column, row = np.floor(canvas.to_cells(np.array([x, y]))).astype(int)
    return canvas.rgb[row, column]


def test_scene_has_a_node_for_everything():
    scene = lift(make_street())
    assert {BACKGROUND, SKY, light_node("lane_0", 3), light_node("lane_0", 1)} <= set(scene.nodes)
    assert sum(name.startswith("agent/") for name in scene.nodes) == 4
    assert [name for name, node in scene.nodes.items() if node.is_static] == [BACKGROUND, SKY]
    assert 20_000 < scene.num_gaussians < 160_000


def test_lifting_is_deterministic_and_seeded_by_the_token():
    first, second, other = lift(make_street()), lift(make_street()), lift(make_street(token="another"))
    for field in ("means", "quats", "scales", "opacities", "sh"):
        a, b = (getattr(scene.nodes[BACKGROUND].gaussians, field) for scene in (first, second))
        np.testing.assert_array_equal(a, b)
    assert len(other.nodes[BACKGROUND].gaussians) != len(first.nodes[BACKGROUND].gaussians)


def test_road_and_lines_are_painted_where_the_map_has_them():
    canvas = painted(make_scenario())
    np.testing.assert_allclose(color_at(canvas, 10.0, 0.0), ASPHALT, atol=1e-6)
    # The factory road spans -1.75 < y < 5.25: a white line inside its right edge, yellow inside its left.
    assert color_at(canvas, 10.0, -1.6).min() > 0.7
    red, _, blue = color_at(canvas, 10.0, 5.1)
    assert red > 0.6 and blue < 0.4
    dashes = np.array([color_at(canvas, x, 1.75)[0] for x in np.arange(0.0, 30.0, 0.25)])
    assert 0.2 < (dashes > 0.45).mean() < 0.65
    green = color_at(canvas, 10.0, -12.0)
    assert green[1] > green[0] and green[1] > green[2]


def test_shoulder_reaches_from_the_lanes_to_the_edge_of_the_road():
    x = np.arange(-50.0, 196.0, 5.0)
    edge = MapLine("edge", LineKind.ROAD_EDGE, np.stack([x, np.full_like(x, -3.75)], axis=1))
    scenario = make_scenario()
    canvas = painted(replace(scenario, map=replace(scenario.map, lines=(edge,))))
    np.testing.assert_allclose(color_at(canvas, 10.0, -2.7), SHOULDER, atol=1e-6)
    np.testing.assert_allclose(color_at(canvas, 10.0, -3.75), KERB, atol=0.08)
    np.testing.assert_allclose(color_at(canvas, 10.0, -5.0), PAVEMENT, atol=1e-6)


def test_stop_line_crosses_the_controlled_lane():
    canvas = painted(make_street())
    np.testing.assert_allclose(color_at(canvas, 25.0, 0.3), WHITE, atol=0.05)


def test_logs_without_a_map_get_asphalt_along_the_paths():
    poses = np.zeros((1, 66, 3))
    poses[0, :, 0], poses[0, :, 1] = np.linspace(0, 40, 66), 12.0
    canvas = painted(replace(make_scenario(agents=make_tracks(poses)), map=VectorMap()))
    np.testing.assert_allclose(color_at(canvas, 20.0, 0.0), ASPHALT, atol=1e-6)
    np.testing.assert_allclose(color_at(canvas, 20.0, 12.0), ASPHALT, atol=1e-6)
    assert color_at(canvas, 20.0, -25.0)[1] > color_at(canvas, 20.0, -25.0)[0]


def test_fill_matches_point_in_polygon():
    canvas = Canvas(np.zeros(2), 0.5, np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.uint8))
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    star = 16 + np.stack([np.cos(angle), np.sin(angle)], 1) * np.where(np.arange(12) % 2, 5.0, 14.0)[:, None]
    canvas.fill(star, (1.0, 0.0, 0.0), 1)
    x, y = np.meshgrid(*canvas.centers())
    np.testing.assert_array_equal(canvas.kind == 1, shapely.contains_xy(shapely.Polygon(star), x, y))


def test_ground_tiles_the_canvas_without_overlap():
    scenario = make_scenario()
    canvas = painted(scenario)
    ground = ground_gaussians(canvas, scenario.ego.pose[:, :2], np.random.default_rng(0))
    size = ground.scales[:, 0] / 0.52
    on_canvas = size < 24.0
    area = float((size[on_canvas] ** 2).sum())
    assert area == pytest.approx(canvas.kind.size * canvas.cell**2, rel=1e-4)
    near = np.linalg.norm(ground.means[:, :2] - [20.0, 0.0], axis=1) < 10.0
    assert size[near].max() < size[on_canvas].max() / 4


def test_nothing_is_built_where_anything_drives_or_stands():
    poses = np.zeros((2, 66, 3))
    poses[0, :, 0], poses[0, :, 1] = np.linspace(-20, 60, 66), 20.0
    poses[1] = [30.0, -25.0, 0.3]
    scenario = make_scenario(agents=make_tracks(poses))
    canvas = painted(scenario)
    land = free_land(canvas, scenario)
    rng = np.random.default_rng(0)
    buildings, trees = building_gaussians(land, rng), tree_gaussians(land, rng)
    assert len(buildings) > 1000 and len(trees) > 100
    solid = np.concatenate([buildings.means, trees.means])
    for point in (*scenario.ego.pose[::5, :2], *poses[0, ::5, :2], poses[1, 0, :2]):
        assert np.linalg.norm(solid[:, :2] - point, axis=1).min() > 1.0
    road = shapely.box(-50.0, -1.75, 195.0, 5.25).buffer(0.5)
    assert not shapely.contains_xy(road, buildings.means[:, 0], buildings.means[:, 1]).any()


@pytest.mark.parametrize("kind", list(AgentType))
def test_agents_fill_their_boxes_and_no_more(kind):
    size = {AgentType.VEHICLE: (4.6, 1.9, 1.6), AgentType.CYCLIST: (1.8, 0.7, 1.7)}.get(kind, (0.8, 0.7, 1.5))
    node = lift_agent("x", int(kind), np.array(size))
    assert node.name == agent_node("x") and len(node.gaussians) >= 8
    half = np.array(size) / 2
    assert (np.abs(node.gaussians.means[:, :2]) <= half[:2] + 0.15).all()
    z = node.gaussians.means[:, 2]
    assert z.min() >= 0.0 and 0.75 * size[2] < z.max() <= size[2] + 0.05


def test_large_vehicles_and_colours_by_id():
    bus = lift_agent("bus", int(AgentType.VEHICLE), np.array([12.0, 2.5, 3.3]))
    assert len(bus.gaussians) > 300
    looks = {lift_agent(str(k), 0, np.array([4.6, 1.9, 1.6])).gaussians.sh.tobytes() for k in range(12)}
    assert len(looks) > 4


def test_lights_hang_ahead_of_the_stop_line_and_face_back():
    lane = make_scenario().map.lanes["lane_0"]
    pose = head_pose(lane, np.array([25.0, 0.0]))
    assert pose is not None and pose[0] > 30.0 and abs(pose[1]) < 0.1 and abs(np.cos(pose[2]) + 1.0) < 1e-9
    assert head_pose(None, np.array([25.0, 0.0])) is None
    unknown = head_pose(lane, np.full(2, np.nan))
    assert unknown is not None and np.isfinite(unknown).all()


@pytest.mark.parametrize(
    "name",
    [
        "nuplan_lanes/sd_nuplan_v1.1_34c333766d67513b.pkl",
        "nuplan_logs/sd_nuplan_v1.1_08df61326ef6593a.pkl",
        "waymo/sd_waymo_v1.2_eb4b91b10ca94ff2.pkl",
    ],
)
def test_real_logs_become_streets(name):
    scenario = read_scene_file(shared_data("data", *name.split("/")))
    renderer = SceneRenderer(CpuBackend())
    scene = renderer.load(scenario)
    assert scene.num_gaussians < 250_000
    frame = scenario.num_frames // 2
    images = renderer.render(scenario.ego.pose[frame], states_at(scenario, frame), nuplan_rig(160, 90), frame)
    for image in images.values():
        assert image.mean() > 40 and image.std() > 10
