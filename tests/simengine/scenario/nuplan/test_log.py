import json
import os
import pickle
import sqlite3
import sys
import types

import numpy as np
import pytest

from factories import shared_data
from nuplan_factories import ORIGIN, PLACE
from nuplan_log_factories import NAME, START_US, SWEEP_US, camera_row, drive, sweep_token, token, write_db
from simengine.datatypes.agents import AgentType
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.errors import ScenarioFormatError
from simengine.geometry.se3 import rotation_from_quaternion
from simengine.scenario.nuplan.calibration import read_cameras
from simengine.scenario.nuplan.log import EgoPoses, NuplanLog
from simengine.scenario.nuplan.tracks import place_lights, read_lights, read_tracks


def opened(tmp_path, rows=None, name=NAME) -> NuplanLog:
    return NuplanLog(write_db(tmp_path / f"{name}.db", drive(60) if rows is None else rows))


def yaw_only(q: list[float]) -> float:
    none = np.zeros((1, 3))
    return float(EgoPoses(none, np.array([q]), none, none, none).pose[0, 2])


def test_header_sweeps_ego_scene_and_tags(tmp_path):
    log = opened(tmp_path, drive(260))
    assert (log.header.name, log.header.map_name, log.header.vehicle_name) == (NAME, PLACE, "g1p-veh-2035")
    assert len(log.sweeps.tokens) == 260
    np.testing.assert_array_equal(log.sweeps.timestamps_us, START_US + SWEEP_US * np.arange(260))
    assert log.sweeps.index[sweep_token(7)] == 7
    ego = log.ego([sweep_token(40), sweep_token(0)])
    np.testing.assert_allclose(ego.pose, [[*(ORIGIN + [-64.0, -1.75]), 0], [*(ORIGIN + [-80.0, -1.75]), 0]])
    np.testing.assert_allclose(ego.velocity, [[8, 0, 0]] * 2)
    np.testing.assert_allclose(ego.acceleration, [[0.1, 0, 9.8]] * 2)
    np.testing.assert_allclose(ego.angular_rate, [[0, 0, 0.01]] * 2)
    scene = log.scene(log.sweeps.scene_tokens[210])
    assert (scene.name, scene.roadblock_ids) == ("scene-0001", ("100", "600", "200"))
    np.testing.assert_allclose(scene.goal, [*(ORIGIN + [-80 + 8 * 259 * 0.05, -1.75]), 0])
    assert log.scenario_tags(sweep_token(60)) == ["on_intersection", "traversing_intersection"]
    assert log.scenario_tags(sweep_token(61)) == []
    assert set(log.routes().values()) == {("100", "600", "200")}


def test_yaw_is_that_of_nuplan_devkit():
    # pyquaternion 0.9.9: Quaternion(...).yaw_pitch_roll[0] of (0.85, 0.1, 0.05, 0.5), normalised.
    assert yaw_only([0.85, 0.1, 0.05, 0.5]) == pytest.approx(1.051650212548374, abs=1e-12)
    assert yaw_only([2 * np.cos(1.0), 0, 0, 2 * np.sin(1.0)]) == pytest.approx(2.0)


def test_scenes_without_route_or_goal(tmp_path):
    rows = drive(60)
    rows["scene"][0] |= {"roadblock_ids": None, "goal_ego_pose_token": None}
    scene = opened(tmp_path, rows).scene(token("scene", 0).hex())
    assert scene.roadblock_ids == () and scene.goal is None
    rows["scene"][0]["roadblock_ids"] = "12, 13,14"
    assert opened(tmp_path, rows).scene(token("scene", 0).hex()).roadblock_ids == ("12", "13", "14")
    assert opened(tmp_path, rows).scene("ff" * 8).roadblock_ids == ()


def test_sweeps_of_a_second_lidar_are_left_out(tmp_path):
    rows = drive(60)
    for k in range(20):
        rows["lidar_pc"].append(
            rows["lidar_pc"][k] | {"token": bytes([9] * 7 + [k]), "lidar_token": b"other", "timestamp": 5}
        )
    assert len(opened(tmp_path, rows).sweeps.tokens) == 60


def test_a_sweep_without_ego_pose_is_named(tmp_path):
    rows = drive(60)
    del rows["ego_pose"][30:32]
    with pytest.raises(ScenarioFormatError, match=f"{sweep_token(30)} and 1 others have no ego pose"):
        opened(tmp_path, rows).ego([sweep_token(k) for k in range(60)])


def test_broken_logs_are_one_sentence(tmp_path):
    good = write_db(tmp_path / "good.db", drive(60))
    empty = write_db(tmp_path / "empty.db", drive(60) | {"lidar_pc": []})
    nameless = write_db(tmp_path / "nameless.db", drive(60) | {"log": []})
    cut, text, other = tmp_path / "cut.db", tmp_path / "text.db", tmp_path / "other.db"
    cut.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    text.write_text("no database at all, however long it is " * 100)
    with sqlite3.connect(other) as base:
        base.execute("CREATE TABLE log (token BLOB)")
    base.close()
    (tmp_path / "zero.db").touch()
    for path, words in (
        (empty, "empty.db: holds no lidar sweeps, expected a drive"),
        (nameless, "nameless.db: its table log is empty"),
        (cut, "cut.db: cannot be read .*expected a complete nuPlan log: download or copy it again"),
        (text, "text.db: cannot be read .*not a database"),
        (other, "other.db: lacks the tables ego_pose, lidar_box, lidar_pc, scene"),
        (tmp_path / "zero.db", "zero.db: lacks the tables"),
        (tmp_path / "none.db", "none.db: no such file"),
    ):
        with pytest.raises(ScenarioFormatError, match=words), NuplanLog(path) as log:
            tokens = log.sweeps.tokens
            assert log.header.name
            log.ego(tokens)
            read_tracks(log, tokens, 0.05)


def test_an_older_schema_is_one_sentence(tmp_path):
    path = write_db(tmp_path / "old.db", drive(60))
    with sqlite3.connect(path) as base:
        base.execute("ALTER TABLE scene DROP COLUMN roadblock_ids")
    base.close()
    with pytest.raises(ScenarioFormatError, match="no such column"):
        NuplanLog(path).routes()


def test_a_log_is_read_from_a_folder_that_cannot_be_written(tmp_path):
    log = opened(tmp_path)
    before = sorted(os.listdir(tmp_path))
    assert log.sweeps.tokens
    assert sorted(os.listdir(tmp_path)) == before


def test_boxes_become_tracks(tmp_path):
    log = opened(tmp_path, drive(200))
    tokens = [sweep_token(k) for k in range(0, 200, 10)]
    tracks, left_out = read_tracks(log, tokens, 0.5)
    assert left_out == {}
    by_type = dict(zip((AgentType(kind) for kind in tracks.types), range(tracks.num_agents), strict=False))
    assert [AgentType(kind) for kind in tracks.types] == [
        AgentType.VEHICLE,
        AgentType.VEHICLE,
        AgentType.TRAFFIC_CONE,
        AgentType.CZONE_SIGN,
        AgentType.CYCLIST,
        AgentType.PEDESTRIAN,
    ]
    np.testing.assert_allclose(tracks.pose[0, 4], [*(ORIGIN + [-55 + 8 * 2.0, -1.75]), 0.0])
    np.testing.assert_allclose(tracks.velocity[0], [[8, 0]] * 20)
    np.testing.assert_allclose(tracks.size[0], [4.5, 1.9, 1.6])
    walker = by_type[AgentType.PEDESTRIAN]
    np.testing.assert_array_equal(np.flatnonzero(tracks.valid[walker]), np.arange(6, 12))
    assert not tracks.pose[walker, ~tracks.valid[walker]].any()
    rider = by_type[AgentType.CYCLIST]
    np.testing.assert_allclose(tracks.pose[rider, :, 2], -np.pi)
    np.testing.assert_allclose(tracks.velocity[rider, 3], [-3, 0])


def test_boxes_that_cannot_be_used_are_counted(tmp_path):
    rows = drive(60)
    first = rows["lidar_box"][0]
    rows["lidar_box"] += [
        first | {"token": b"a" * 8, "x": 0.0},  # The same track twice in one sweep.
        first | {"token": b"b" * 8, "track_token": b"stranger"},
        first
        | {
            "token": b"c" * 8,
            "track_token": token("track", 1),
            "lidar_pc_token": token("lidar_pc", 7),
            "x": None,
        },
    ]
    rows["lidar_box"][5]["width"] = 0.0
    tracks, left_out = read_tracks(opened(tmp_path, rows), [sweep_token(k) for k in range(60)], 0.05)
    assert left_out == {"repeated_box": 1, "unknown_type": 1, "broken_box": 2}
    np.testing.assert_allclose(tracks.pose[0, 0, 0], ORIGIN[0] - 55.0)


def test_missing_velocities_come_from_positions(tmp_path):
    rows = drive(60)
    for box in rows["lidar_box"]:
        if box["track_token"] == token("track", 0):
            box["vx"] = None
    tracks, _ = read_tracks(opened(tmp_path, rows), [sweep_token(k) for k in range(60)], 0.05)
    np.testing.assert_allclose(tracks.velocity[0], [[8.0, 0.0]] * 60, atol=1e-6)


def test_lights(tmp_path):
    log = opened(tmp_path, drive(200))
    tokens = [sweep_token(k) for k in range(0, 200, 50)]
    states = read_lights(log, tokens)
    assert {connector: row.tolist() for connector, row in states.items()} == {
        501: [1, 1, 1, 1],
        502: [1, 1, 1, 1],
        503: [3, 3, 3, 3],
    }
    states = read_lights(log, [sweep_token(150), sweep_token(160)])
    assert states[503].tolist() == [3, 0]
    lights = place_lights(states, {501: "501", 503: "connector_503"}, {"501": np.array([1.0, 2.0])}, 2)
    assert lights.lane_ids == ("501", "502", "connector_503")
    np.testing.assert_array_equal(lights.stop_point, [[1, 2], [np.nan, np.nan], [np.nan, np.nan]])
    assert place_lights({}, {}, {}, 7).state.shape == (0, 7)


def test_of_two_states_at_one_sweep_red_counts(tmp_path):
    rows = drive(60)
    rows["traffic_light_status"].append(
        rows["traffic_light_status"][0] | {"token": b"z" * 8, "status": "RED"}
    )
    assert read_lights(opened(tmp_path, rows), [sweep_token(0)])[501].tolist() == [3]


def test_cameras(tmp_path):
    cameras = read_cameras(opened(tmp_path))
    assert [camera.name for camera in cameras] == [
        *("CAM_F0", "CAM_L0", "CAM_L1", "CAM_L2", "CAM_R0", "CAM_R1", "CAM_R2", "CAM_B0"),
    ]
    front = cameras[0]
    assert (front.width_px, front.height_px) == (1920, 1080)
    np.testing.assert_allclose(front.intrinsic, [[1545, 0, 960], [0, 1545, 560], [0, 0, 1]])
    np.testing.assert_allclose(front.distortion, [-0.356123, 0.172545, -0.00213, 0.000464, -0.05231])
    # Its z axis looks along x of the ego, its x axis to the right.
    np.testing.assert_allclose(front.ego_from_cam[:3, :3], [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-12)
    np.testing.assert_allclose(front.ego_from_cam[:3, 3], [1.67, 0.1, 1.52 + AXLE_HEIGHT])
    assert read_cameras(opened(tmp_path, drive(60, cameras=False))) == ()


def test_list_types_of_the_devkit_are_read_without_it(tmp_path, monkeypatch):
    name = "nuplan.database.common.data_types"
    made = types.ModuleType(name)
    for kind in ("Translation", "Rotation", "CameraIntrinsic"):
        setattr(made, kind, type(kind, (list,), {"__module__": name}))
    for part in ("nuplan", "nuplan.database", "nuplan.database.common", name):
        monkeypatch.setitem(sys.modules, part, made if part == name else types.ModuleType(part))

    def dump(values: list) -> bytes:
        kind = {3: "Translation", 4: "Rotation"}.get(len(values))
        kind = "CameraIntrinsic" if isinstance(values[0], list) else kind
        return pickle.dumps(getattr(made, kind)(values) if kind else values)

    rows = drive(60) | {"camera": [camera_row(1, "CAM_F0", dump)]}
    assert b"data_types" in rows["camera"][0]["translation"]
    log = opened(tmp_path, rows)
    monkeypatch.undo()
    assert "nuplan" not in sys.modules
    plain = read_cameras(opened(tmp_path, drive(60), name="plain"))[0]
    np.testing.assert_array_equal(read_cameras(log)[0].ego_from_cam, plain.ego_from_cam)
    np.testing.assert_array_equal(read_cameras(log)[0].intrinsic, plain.intrinsic)


class _Touch:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rotation": pickle.dumps(_Touch())}, "camera CAM_F0: the pickle asks for .*system"),
        ({"rotation": pickle.dumps([1.0, 0.0])}, "camera CAM_F0: a malformed calibration"),
        ({"intrinsic": None}, "camera CAM_F0: a malformed calibration"),
        ({"width": None}, "camera CAM_F0: a malformed calibration"),
        ({"translation": b"\x80\x04]"}, "camera CAM_F0: not a readable pickle"),
    ],
)
def test_calibrations_that_are_no_plain_data(tmp_path, monkeypatch, changes, words):
    monkeypatch.chdir(tmp_path)
    rows = drive(60) | {"camera": [camera_row(1, "CAM_F0") | changes]}
    with pytest.raises(ScenarioFormatError, match=words):
        read_cameras(opened(tmp_path, rows))
    assert not (tmp_path / "ran").exists()


def test_a_real_rig_and_real_poses(tmp_path):
    """The calibration and the ego poses of a real nuPlan log, written into a database and read again."""
    real = json.loads((shared_data("data", "nuplan_cameras") / "frames.json").read_text())
    rows = drive(len(real["frames"]), name=real["log_name"])
    rig = real["frames"][0]["cameras"]
    rows["camera"] = [
        camera_row(number, channel)
        | {
            "translation": pickle.dumps(entry["camera2ego_translation"]),
            "rotation": pickle.dumps(entry["camera2ego_rotation_wxyz"]),
            "intrinsic": pickle.dumps(entry["intrinsic"]),
            "distortion": pickle.dumps(real["distortion_k1k2p1p2k3"]),
        }
        for number, (channel, entry) in enumerate(rig.items())
    ]
    for pose, sweep, frame in zip(rows["ego_pose"], rows["lidar_pc"], real["frames"], strict=True):
        pose |= dict(zip("xyz", frame["ego2global_translation"], strict=True))
        pose |= dict(zip(("qw", "qx", "qy", "qz"), frame["ego2global_rotation_wxyz"], strict=True))
        sweep |= {"timestamp": frame["timestamp_us"]}
    rows["scene"][0]["roadblock_ids"] = " ".join(real["frames"][0]["roadblock_ids"])
    log = opened(tmp_path, rows)
    cameras = read_cameras(log)
    assert len(cameras) == 8
    for camera in cameras:
        entry = rig[camera.name]
        np.testing.assert_allclose(
            camera.ego_from_cam[:3, :3], entry["camera2ego_rotation_matrix"], atol=1e-9
        )
        above_axle = camera.ego_from_cam[:3, 3] - [0.0, 0.0, AXLE_HEIGHT]
        np.testing.assert_allclose(above_axle, entry["camera2ego_translation"], atol=1e-12)
        np.testing.assert_array_equal(camera.intrinsic, entry["intrinsic"])
    ego = log.ego(log.sweeps.tokens)
    np.testing.assert_array_equal(log.sweeps.timestamps_us, [f["timestamp_us"] for f in real["frames"]])
    for pose, frame in zip(ego.pose, real["frames"], strict=True):
        np.testing.assert_array_equal(pose[:2], frame["ego2global_translation"][:2])
        forward = rotation_from_quaternion(np.array(frame["ego2global_rotation_wxyz"]))[:, 0]
        # The devkit's yaw and the direction of the x axis differ by the product of roll and pitch.
        assert abs(pose[2] - np.arctan2(forward[1], forward[0])) < 1e-3
    assert len(log.scene(log.sweeps.scene_tokens[0]).roadblock_ids) == len(real["frames"][0]["roadblock_ids"])
