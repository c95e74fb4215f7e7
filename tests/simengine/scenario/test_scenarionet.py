import numpy as np
import pytest
import shapely

from factories import shared_data
from scenario_factories import assert_identical, make_scene, read_scene_file, scene_track
from simengine.datatypes.agents import AgentType
from simengine.datatypes.lights import LightState
from simengine.datatypes.map import AreaKind
from simengine.errors import ScenarioFormatError
from simengine.geometry.boxes import corners, overlap
from simengine.geometry.se2 import rotate, shift_forward
from simengine.scenario.io import load_scenario, save_scenario
from simengine.scenario.scenarionet import scenario_from_scene

# file below the sample folder -> token, frames, dt, agents, lanes, lights, first decision
REAL = {
    "argoverse2/sd_av2_3bffdcff-c3a7-38b6-a0f2-64196d130958": (156, 0.1, 115, 174, 0, 15),
    "argoverse2/sd_av2_adcf7d18-0510-35b0-a2fa-b4cea13a6d76": (156, 0.1, 146, 180, 0, 15),
    "nuplan_lanes/sd_nuplan_mini_2hz_scene": (40, 0.5, 30, 94, 0, 3),
    "nuplan_lanes/sd_nuplan_v1.1_34c333766d67513b": (101, 0.1, 20, 40, 7, 20),
    "nuplan_lanes/sd_nuplan_v1.1_a73fb30c2886578a": (101, 0.1, 20, 40, 0, 20),
    "nuplan_lanes/sd_nuplan_v1.1_e965b4e6be5f50ac": (101, 0.1, 20, 33, 0, 20),
    "nuplan_logs/sd_nuplan_v1.1_08df61326ef6593a": (149, 0.1, 124, 0, 9, 15),
    "nuplan_logs/sd_nuplan_v1.1_262a4b7a1f2c5ab6": (149, 0.1, 325, 0, 13, 15),
    "nuplan_logs/sd_nuplan_v1.1_9b4e888fb15f5b54": (149, 0.1, 174, 0, 28, 15),
    "nuplan_logs/sd_nuplan_v1.1_b48de43a8b0f588c": (149, 0.1, 203, 0, 11, 15),
    "nuplan_logs/sd_nuplan_v1.1_c0d9b23ebb0a53b1": (149, 0.1, 551, 0, 30, 15),
    "nuplan_logs/sd_nuplan_v1.1_dba9c116661d5fcf": (149, 0.1, 94, 0, 11, 15),
    "nuplan_logs/sd_nuplan_v1.1_fbe170608feb55bb": (221, 0.05, 63, 0, 0, 30),
    "nuscenes/sd_nuscenes_v1.0-mini_scene-0757": (199, 0.1, 29, 151, 0, 15),
    "nuscenes/sd_nuscenes_v1.0-mini_scene-0796": (194, 0.1, 51, 276, 0, 15),
    "nuscenes/sd_nuscenes_v1.0-mini_scene-0916": (199, 0.1, 94, 201, 0, 15),
    "nuscenes/sd_nuscenes_v1.0-mini_scene-1077": (199, 0.1, 72, 212, 0, 15),
    "nuscenes/sd_nuscenes_v1.0-mini_scene-1100": (194, 0.1, 32, 153, 0, 15),
    "waymo/sd_training.tfrecord-00000-of-01000_c403d5992cab9e0": (91, 0.1, 137, 218, 8, 15),
    "waymo/sd_training_20s.tfrecord-00000-of-01000_49c341dce1f65cdb": (198, 0.1, 51, 242, 11, 15),
    "waymo/sd_training_20s.tfrecord-00000-of-01000_53e9adfdac0eb822": (199, 0.1, 47, 270, 12, 15),
    "waymo/sd_training_20s.tfrecord-00000-of-01000_7b24d74b506c94ce": (199, 0.1, 103, 445, 27, 15),
    "waymo/sd_waymo_v1.2_eb4b91b10ca94ff2": (199, 0.1, 44, 102, 14, 15),
}
# The cut of this map ends under the ego: first frame outside (9.0 s; the scored window ends at 6.0 s).
MAP_ENDS = {"nuplan_lanes/sd_nuplan_v1.1_34c333766d67513b": 90}


def test_a_made_scene_becomes_a_scenario():
    scenario = scenario_from_scene(make_scene(), "sd_x.pkl")
    assert (scenario.token, scenario.map_name, scenario.dt, scenario.initial_frame) == (
        "made_scene",
        "town",
        0.1,
        15,
    )
    # Recentred on the first rear axle, 1.461 m behind the box centre at (2000, -500).
    np.testing.assert_allclose(scenario.global_from_world, [2000 - 1.461, -500])
    np.testing.assert_allclose(scenario.ego.pose[:, 0], 0.5 * np.arange(91), atol=1e-9)
    np.testing.assert_allclose(scenario.ego.velocity, np.tile([5.0, 0], (91, 1)), atol=1e-9)
    assert scenario.agents.ids == ("car", "cone")
    assert scenario.agents.types.tolist() == [AgentType.VEHICLE, AgentType.TRAFFIC_CONE]
    np.testing.assert_allclose(scenario.agents.pose[0, 0], [21.461, 3.5, 0])
    assert scenario.lights.state[0, 39:42].tolist() == [LightState.RED, LightState.UNKNOWN, LightState.GREEN]
    np.testing.assert_allclose(scenario.lights.stop_point, [[31.461, 0]])
    assert scenario.cameras == ()


def test_missing_parts_of_the_map_are_derived():
    scenario = scenario_from_scene(make_scene(), "sd_x.pkl")
    lanes = scenario.map.lanes
    assert (lanes["a"].successors, lanes["c"].predecessors) == (("c",), ("a",))
    assert (lanes["a"].left, lanes["b"].right, lanes["a"].right) == (("b",), ("a",), ())
    assert lanes["a"].roadblock_id == lanes["b"].roadblock_id != lanes["c"].roadblock_id
    # 160 m long, 1.75 m to each side.
    assert shapely.Polygon(lanes["a"].polygon).area == pytest.approx(160 * 3.5)
    assert scenario.route == (lanes["a"].roadblock_id, lanes["c"].roadblock_id)
    drivable = shapely.union_all(
        [shapely.Polygon(a.polygon) for a in scenario.map.areas_of(AreaKind.DRIVABLE)]
    )
    # Both lanes and half a metre on the outer sides.
    assert drivable.covers(shapely.box(0, -2.2, 50, 5.7)) and not drivable.intersects(
        shapely.box(0, 5.8, 50, 9)
    )


def test_layouts_of_other_sources_give_the_same_scenario():
    plain, other = make_scene(), make_scene()
    for track in other["tracks"].values():
        state = track["state"]
        state["valid"] = state["valid"].astype(np.float64)
        for name in ("length", "width", "height"):
            state[name] = state[name][:, None]
        state["position"] = state["position"].tolist()
    assert_identical(scenario_from_scene(other, "f"), scenario_from_scene(plain, "f"))


def test_nan_where_not_valid_is_zeroed_and_where_valid_is_an_error():
    scene = make_scene()
    state = scene["tracks"]["car"]["state"]
    state["valid"][60:] = False
    for name in ("position", "heading", "velocity", "length"):
        state[name][60:] = np.nan
    scenario = scenario_from_scene(scene, "f")
    assert (scenario.agents.pose[0, 60:] == 0).all() and scenario.agents.size[0, 0] == 4.5
    state["position"][3] = np.nan
    with pytest.raises(ScenarioFormatError, match=r"made_scene: agents\.pose is not finite at index \(0, 3"):
        scenario_from_scene(scene, "f")


def test_the_ego_labelled_again_and_empty_tracks_are_left_out():
    scene = make_scene()
    ego = scene["tracks"]["ego"]["state"]
    scene["tracks"]["ghost"] = scene_track(
        "VEHICLE", ego["position"] + [0.3, 0, 0], ego["heading"], (5, 2, 1.5)
    )
    scene["tracks"]["never"] = scene_track("PEDESTRIAN", ego["position"], ego["heading"], (1, 1, 2))
    scene["tracks"]["never"]["state"]["valid"][:] = False
    scenario = scenario_from_scene(scene, "f")
    assert scenario.agents.ids == ("car", "cone")
    assert scenario.tags["left_out"] == {"ego_ghost": 1, "never_valid": 1}


def test_no_map_gives_an_empty_map_and_no_route():
    scenario = scenario_from_scene(make_scene() | {"map_features": {}}, "f")
    assert scenario.map.is_empty and not scenario.map.has_drivable_area and scenario.route == ()


def test_frames_without_the_ego_are_cut_off():
    scene = make_scene()
    scene["tracks"]["ego"]["state"]["valid"][:10] = False
    scenario = scenario_from_scene(scene, "f")
    assert (scenario.num_frames, scenario.initial_frame) == (81, 15)
    assert scenario.timestamps_us[0] == 1_000_000
    assert scenario.lights.state[0, 29:32].tolist() == [LightState.RED, LightState.UNKNOWN, LightState.GREEN]


def test_roads_on_another_level_are_left_out():
    scene = make_scene()
    scene["metadata"]["dataset"] = "waymo"
    for feature in scene["map_features"].values():
        line = np.asarray(feature["polyline"], float)[:, :2]
        feature["polyline"] = np.column_stack([line, np.full(len(line), -0.9)])
    ego = scene["tracks"]["ego"]["state"]
    bridge = np.array([[2020.0, y, 5.0] for y in range(-600, -400, 5)])
    scene["map_features"]["bridge"] = {"type": "LANE_FREEWAY", "polyline": bridge}
    scene["tracks"]["above"] = scene_track(
        "VEHICLE", ego["position"] + [10, 0, 6.0], ego["heading"], (5, 2, 1.8)
    )
    scenario = scenario_from_scene(scene, "f")
    assert "bridge" not in scenario.map.lanes and "above" not in scenario.agents.ids
    assert scenario.tags["left_out"] == {"map_other_level": 1, "agents_other_level": 1}


def test_defects_are_one_sentence_with_the_token():
    scene = make_scene(frames=50)
    with pytest.raises(ScenarioFormatError, match=r"scenario made_scene: .*4\.9 s long"):
        scenario_from_scene(scene, "f")
    scene = make_scene()
    scene["tracks"]["car"]["state"]["heading"] = np.zeros(7)
    with pytest.raises(ScenarioFormatError, match=r"heading holds 7 values, expected one for each of 91"):
        scenario_from_scene(scene, "f")
    scene = make_scene()
    scene["metadata"]["ts"] = scene["metadata"]["ts"] ** 2
    with pytest.raises(ScenarioFormatError, match="even rate"):
        scenario_from_scene(scene, "f")
    del scene["metadata"]["sdc_id"]
    with pytest.raises(ScenarioFormatError, match="sdc_id"):
        scenario_from_scene(scene, "f")


@pytest.mark.parametrize("name", REAL)
def test_a_real_log_reads_whole_and_comes_back_bit_for_bit(tmp_path, name):
    scenario = read_scene_file(shared_data("data", f"{name}.pkl"))
    found = (
        scenario.num_frames,
        scenario.dt,
        scenario.agents.num_agents,
        len(scenario.map.lanes),
        len(scenario.lights.lane_ids),
        scenario.initial_frame,
    )
    assert found == REAL[name]
    assert_identical(load_scenario(save_scenario(scenario, tmp_path / "s.npz")), scenario)
    # Logged velocities and the motion of the rear axle agree within the noise of the sources.
    world = rotate(scenario.ego.velocity, scenario.ego.pose[:, 2])
    travelled = np.cumsum(world, axis=0)[-1] * scenario.dt
    assert np.hypot(*(travelled - (scenario.ego.pose[-1] - scenario.ego.pose[0])[:2])) < 0.05 * 130 + 0.5
    box = corners(
        shift_forward(scenario.ego.pose, scenario.vehicle.rear_axle_to_center),
        scenario.vehicle.length,
        scenario.vehicle.width,
    )
    others = corners(scenario.agents.pose, scenario.agents.size[:, None, 0], scenario.agents.size[:, None, 1])
    assert not (overlap(others, box[None]) & scenario.agents.valid).any()
    if scenario.map.lanes:
        _assert_on_the_road(scenario, box, MAP_ENDS.get(name, scenario.num_frames))


def _assert_on_the_road(scenario, box, map_ends):
    shapes = [shapely.Polygon(area.polygon) for area in scenario.map.areas_of(AreaKind.DRIVABLE)]
    assert all(shape.is_valid for shape in shapes)
    inside = np.zeros(box.shape[:2], bool).ravel()
    inside[shapely.STRtree(shapes).query(shapely.points(box.reshape(-1, 2)), predicate="intersects")[0]] = (
        True
    )
    outside = np.flatnonzero(~inside.reshape(box.shape[:2]).all(axis=1))
    assert (outside >= map_ends).all()
    assert map_ends > scenario.initial_frame + round(4.0 / scenario.dt)
    assert scenario.route
    known = {lane.roadblock_id for lane in scenario.map.lanes.values()}
    assert set(scenario.route) <= known <= set(scenario.map.roadblocks)
    for lane in scenario.map.lanes.values():
        assert len(lane.centerline) >= 2 and len(lane.polygon) >= 3
        assert all(
            i in scenario.map.lanes for i in (*lane.successors, *lane.predecessors, *lane.left, *lane.right)
        )


def test_waiting_nuplan_ego_uses_its_logged_dynamics():
    scenario = read_scene_file(shared_data("data", "nuplan_logs", "sd_nuplan_v1.1_b48de43a8b0f588c.pkl"))
    assert np.abs(scenario.ego.velocity).max() < 0.01
    assert (scenario.vehicle.length, scenario.vehicle.wheel_base) == (5.176, 3.089)
    assert scenario.vehicle.rear_axle_to_center == pytest.approx(1.461)
    assert np.abs(scenario.global_from_world).min() > 1e5
