import pickle
from dataclasses import replace

import numpy as np
import pytest

from nuplan_factories import ORIGIN, PLACE, town, write_map
from nuplan_log_factories import (
    NAME,
    drive,
    metadata,
    sweep_token,
    write_asset,
    write_db,
    write_filter,
)
from simengine.datatypes.agents import AgentType
from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.convert import convert_nuplan
from simengine.scenario.nuplan.frames import load_frames
from simengine.scenario.splits import load_index

TOKENS = [sweep_token(k) for k in (40, 60, 80, 100)]


def convert(options, target, **changes):
    return convert_nuplan(options, target, progress=False, **changes)


def test_values_of_a_scenario(town_options, tmp_path):
    report = convert(town_options, tmp_path / "out")
    assert (report.read, report.skipped, report.directory) == (4, [], tmp_path / "out")
    index = load_index(tmp_path / "out")
    index.verify()
    assert [entry.token for entry in index.entries] == TOKENS
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".npz") == [
        *("frames", "index.json", "maps"),
    ]
    scenario = index.handles()[1].load()
    assert (scenario.log_name, scenario.map_name, scenario.token) == (NAME, PLACE, sweep_token(60))
    assert (scenario.dt, scenario.num_frames, scenario.initial_frame) == (0.5, 24, 3)
    # The origin is the corner of the tile of 100 m in which the cut starts, at x = -80 + 8 * 1.5 = -68.
    origin = np.floor((ORIGIN + [-68.0, -1.75]) / 100) * 100
    np.testing.assert_array_equal(scenario.global_from_world, origin)
    x = ORIGIN[0] - 80 + 8 * 0.05 * np.arange(30, 261, 10) - origin[0]
    y = np.full(24, ORIGIN[1] - 1.75 - origin[1])
    np.testing.assert_allclose(scenario.ego.pose, np.stack([x, y, 0 * x], axis=1), atol=1e-6)
    np.testing.assert_allclose(scenario.ego.velocity, [[8, 0]] * 24)
    np.testing.assert_allclose(scenario.ego.acceleration, [[0.1, 0]] * 24)
    car = scenario.agents.pose[0]
    np.testing.assert_allclose(car[:, 0] - x, 25.0, atol=1e-6)
    assert scenario.agents.types.tolist().count(AgentType.VEHICLE) == 2
    assert scenario.route == ("100", "600", "200")
    assert len(scenario.cameras) == 8
    assert scenario.lights.lane_ids == ("501", "502", "503")
    np.testing.assert_allclose(scenario.lights.stop_point[1] + origin - ORIGIN, [-24.0, -1.75], atol=1e-6)
    assert scenario.lights.state[2].tolist() == [3] * 13 + [0] * 11
    assert (scenario.vehicle.length, scenario.vehicle.wheel_base) == (5.176, 3.089)
    assert scenario.tags["scenario_tags"] == ["on_intersection", "traversing_intersection"]
    assert scenario.tags["legacy_id"] == f"{NAME}-{sweep_token(60)}"
    assert scenario.tags["route_source"] == "scene"
    assert scenario.tags["frame_tokens"] == [sweep_token(k) for k in range(30, 261, 10)]
    goal = ORIGIN + [-80 + 8 * 299 * 0.05, -1.75] - origin
    np.testing.assert_allclose(scenario.tags["goal"], [*goal, 0.0], atol=1e-6)


def test_neighbouring_scenarios_share_one_map_file(town_options, tmp_path):
    convert(town_options, tmp_path / "out")
    assert len(list((tmp_path / "out" / "maps").iterdir())) == 1


def test_ten_hertz_has_the_two_hertz_frames_in_it(town_options, tmp_path):
    convert(town_options, tmp_path / "2hz")
    convert(replace(town_options, sample_interval=2), tmp_path / "10hz")
    for slow, fast in zip(load_index(tmp_path / "2hz"), load_index(tmp_path / "10hz"), strict=True):
        a, b = slow.load(), fast.load()
        assert (b.dt, b.initial_frame, len(b.timestamps_us[::5])) == (0.1, 15, a.num_frames)
        np.testing.assert_array_equal(a.ego.pose, b.ego.pose[::5])
        np.testing.assert_array_equal(a.timestamps_us, b.timestamps_us[::5])
        index = [b.agents.ids.index(name) for name in a.agents.ids]
        np.testing.assert_array_equal(a.agents.pose, b.agents.pose[index][:, ::5])


def test_frames_beside_a_scenario_hold_what_a_flat_one_cannot(town_options, tmp_path):
    folder = tmp_path / "openscene" / "meta_datas" / "trainval"
    folder.mkdir(parents=True)
    frames = metadata(drive())
    frames[5]["roadblock_ids"] = ["100", "600"]
    (folder / f"{NAME}.pkl").write_bytes(pickle.dumps([frame for frame in frames if frame["frame_idx"] != 7]))
    options = replace(
        town_options,
        openscene_root=tmp_path / "openscene",
        filters=(write_filter(tmp_path / "g.yaml", tokens=[sweep_token(50)]),),
    )
    convert(options, tmp_path / "out")
    facts = load_frames(tmp_path / "out", sweep_token(50))
    scenario = load_index(tmp_path / "out").handles()[0].load()
    assert [frame["token"] for frame in facts["frames"]] == scenario.tags["frame_tokens"]
    here = facts["frames"][3]
    assert here["token"] == sweep_token(50)
    np.testing.assert_allclose(here["ego2global_translation"], [*(ORIGIN + [-60.0, -1.75]), 605.7])
    assert here["lidar_path"] == f"{NAME}/MergedPointCloud/50.pcd"
    assert here["openscene"]["cams"]["CAM_F0"]["data_path"].startswith(NAME)
    assert here["openscene"]["driving_command"] == [0, 1, 0, 0]
    assert "anns" not in here["openscene"]
    # A frame that the metadata lacks loses nothing else.
    assert [frame["openscene"] is None for frame in facts["frames"]].index(True) == 5
    assert (scenario.route, scenario.tags["route_source"]) == (("100", "600"), "openscene")
    damaged = tmp_path / "out" / "frames" / f"{sweep_token(50)}.json.gz"
    damaged.write_bytes(damaged.read_bytes()[:50])
    with pytest.raises(ScenarioFormatError, match="damaged"):
        load_frames(tmp_path / "out", sweep_token(50))
    with pytest.raises(ScenarioFormatError, match="cannot be read"):
        load_frames(tmp_path / "out", "none")


def test_cameras_from_metadata_where_the_log_has_none(town_options, tmp_path):
    convert(town_options, tmp_path / "with")
    write_db(town_options.logs / f"{NAME}.db", drive(cameras=False))
    folder = tmp_path / "openscene" / "meta_datas" / "test"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.pkl").write_bytes(pickle.dumps(metadata(drive())))
    convert(replace(town_options, openscene_root=tmp_path / "openscene"), tmp_path / "without")
    logged = load_index(tmp_path / "with").handles()[0].load().cameras
    found = {camera.name: camera for camera in load_index(tmp_path / "without").handles()[0].load().cameras}
    for camera in logged:
        np.testing.assert_allclose(found[camera.name].ego_from_cam, camera.ego_from_cam, atol=1e-12)
        np.testing.assert_array_equal(found[camera.name].distortion, camera.distortion)


def test_assets_bring_their_name_and_their_intrinsics(town_options, tmp_path):
    write_asset(tmp_path / "assets", "block_a", [TOKENS[1]])
    convert(replace(town_options, asset_root=tmp_path / "assets"), tmp_path / "out")
    (handle,) = load_index(tmp_path / "out").handles()
    scenario = handle.load()
    assert (scenario.token, scenario.asset_id) == (TOKENS[1], "block_a")
    rig = {camera.name: camera for camera in scenario.cameras}
    np.testing.assert_array_equal(np.diag(rig["CAM_F0"].intrinsic), [1500, 1500, 1])  # Bundle-adjusted.
    np.testing.assert_array_equal(rig["CAM_F0"].distortion, [-0.3, 0.1, 0, 0, 0])
    np.testing.assert_array_equal(np.diag(rig["CAM_L0"].intrinsic), [1540, 1540, 1])
    facts = load_frames(tmp_path / "out", TOKENS[1])
    np.testing.assert_array_equal(facts["asset"]["ego2globals"], [np.eye(4), 2 * np.eye(4)])


def test_a_missing_asset_file_skips_only_its_tokens(town_options, tmp_path):
    write_asset(tmp_path / "assets", "block_a", [TOKENS[1]])
    write_asset(tmp_path / "assets", "block_b", [TOKENS[2]])
    (tmp_path / "assets" / "assets" / "block_b" / "video_scene_dict.pkl").unlink()
    report = convert(replace(town_options, asset_root=tmp_path / "assets"), tmp_path / "out")
    assert report.read == 1
    assert report.skipped[0][0].endswith(f"#{TOKENS[2]}") and "video_scene_dict.pkl" in report.skipped[0][1]


def test_a_log_without_its_map_is_skipped_in_one_line(town_options, tmp_path):
    rows = drive(name="boston")
    rows["log"][0]["map_version"] = "us-ma-boston"
    for table in ("lidar_pc", "lidar_box", "traffic_light_status", "scenario_tag"):
        for row in rows[table]:
            for key in ("token", "lidar_pc_token"):
                if key in row:
                    row[key] = b"\x66" + row[key][1:]
    write_db(town_options.logs / "boston.db", rows)
    tokens = [*TOKENS, *("66" + token[2:] for token in TOKENS)]
    options = replace(town_options, filters=(write_filter(tmp_path / "g.yaml", tokens=tokens),))
    report = convert(options, tmp_path / "out")
    assert report.read == 4
    ((name, reason),) = report.skipped
    assert name.endswith(f"boston.db#66{TOKENS[0][2:]} and 3 more")
    assert "0 maps of 'us-ma-boston'" in reason and PLACE in reason


def test_damaged_maps_and_logs(town_options, tmp_path):
    path = next((tmp_path / "maps").rglob("map.gpkg"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(
        ScenarioFormatError, match=r"none of 4 scenarios could be read.*map\.gpkg: cannot be read"
    ):
        convert(town_options, tmp_path / "out")
    assert not list(tmp_path.glob(".out*")) and not (tmp_path / "out").exists()
    path.unlink()
    with pytest.raises(ScenarioFormatError, match=r"map\.gpkg: no such map"):
        convert(town_options, tmp_path / "out")


def test_repairs_of_a_map_are_on_record(town_options, tmp_path):
    tables = town()
    tables["lanes_polygons"].append(tables["lanes_polygons"][0] | {"fid": 999})
    tables["baseline_paths"] = [row for row in tables["baseline_paths"] if row["fid"] != 2301]
    write_map(tmp_path / "maps", tables)
    convert(town_options, tmp_path / "out")
    tags = load_index(tmp_path / "out").entries[0].tags
    assert tags["map_repairs"] == {"duplicate_lane": 1, "lane_without_baseline": 1}


def test_a_scene_without_a_route_gets_that_of_the_drive(town_options, tmp_path):
    rows = drive()
    for scene in rows["scene"]:
        scene["roadblock_ids"] = ""
    write_db(town_options.logs / f"{NAME}.db", rows)
    with pytest.raises(ScenarioFormatError, match="nothing to convert.*no route"):
        convert(town_options, tmp_path / "out")
    rule = write_filter(tmp_path / "g.yaml", tokens=TOKENS, has_route=False)
    convert(replace(town_options, filters=(rule,)), tmp_path / "out")
    scenario = load_index(tmp_path / "out").handles()[0].load()
    assert scenario.route == ("100", "600", "200") and scenario.tags["route_source"] == "drive"
