"""Writers of nuPlan logs in the schema of v1.1, OpenScene metadata and asset folders; a drive through the town."""

from __future__ import annotations

import math
import os
import pickle
import sqlite3
from pathlib import Path

import numpy as np

from nuplan_factories import EPSG, ORIGIN, PLACE
from simengine.geometry.se3 import make_transform, rotation_from_quaternion

NAME = "2021.05.12.22.00.38_veh-35_01008_01518"
ROUTE = "100 600 200"
START_US, SWEEP_US = 1_620_858_000_000_000, 50_000
CHANNELS = ("CAM_B0", "CAM_F0", "CAM_L0", "CAM_L1", "CAM_L2", "CAM_R0", "CAM_R1", "CAM_R2")
_SCHEMA = {
    "log": "token BLOB NOT NULL, vehicle_name VARCHAR(64), date VARCHAR(64), timestamp INTEGER, logfile VARCHAR(64), "
    "location VARCHAR(64), map_version VARCHAR(64)",
    "ego_pose": "token BLOB NOT NULL, timestamp INTEGER, x FLOAT, y FLOAT, z FLOAT, qw FLOAT, qx FLOAT, qy FLOAT, "
    "qz FLOAT, vx FLOAT, vy FLOAT, vz FLOAT, acceleration_x FLOAT, acceleration_y FLOAT, acceleration_z FLOAT, "
    "angular_rate_x FLOAT, angular_rate_y FLOAT, angular_rate_z FLOAT, epsg INTEGER, log_token BLOB NOT NULL",
    "lidar": "token BLOB NOT NULL, log_token BLOB NOT NULL, channel VARCHAR(64), model VARCHAR(64), translation BLOB, "
    "rotation BLOB",
    "lidar_pc": "token BLOB NOT NULL, next_token BLOB, prev_token BLOB, ego_pose_token BLOB NOT NULL, "
    "lidar_token BLOB NOT NULL, scene_token BLOB, filename VARCHAR(128), timestamp INTEGER",
    "lidar_box": "token BLOB NOT NULL, lidar_pc_token BLOB NOT NULL, track_token BLOB NOT NULL, next_token BLOB, "
    "prev_token BLOB, x FLOAT, y FLOAT, z FLOAT, width FLOAT, length FLOAT, height FLOAT, vx FLOAT, vy FLOAT, "
    "vz FLOAT, yaw FLOAT, confidence FLOAT",
    "track": "token BLOB NOT NULL, category_token BLOB NOT NULL, width FLOAT, length FLOAT, height FLOAT",
    "category": "token BLOB NOT NULL, name VARCHAR(64), description TEXT",
    "scene": "token BLOB NOT NULL, log_token BLOB NOT NULL, name TEXT, goal_ego_pose_token BLOB, roadblock_ids TEXT",
    "scenario_tag": "token BLOB NOT NULL, lidar_pc_token BLOB NOT NULL, type TEXT, agent_track_token BLOB",
    "traffic_light_status": "token BLOB NOT NULL, lidar_pc_token BLOB NOT NULL, lane_connector_id INTEGER, "
    "status VARCHAR(8)",
    "camera": "token BLOB NOT NULL, log_token BLOB NOT NULL, channel VARCHAR(64), model VARCHAR(64), translation BLOB, "
    "rotation BLOB, intrinsic BLOB, distortion BLOB, width FLOAT, height FLOAT",
    "image": "token BLOB NOT NULL, next_token BLOB, prev_token BLOB, ego_pose_token BLOB NOT NULL, "
    "camera_token BLOB NOT NULL, filename_jpg VARCHAR(128), timestamp INTEGER",
}
CATEGORIES = ("vehicle", "bicycle", "pedestrian", "traffic_cone", "barrier", "czone_sign", "generic_object")
Rows = dict[str, list[dict]]


def token(kind: str, number: int) -> bytes:
    """Return the token of row `number` of a table."""
    return bytes([1 + list(_SCHEMA).index(kind)]) + bytes(3) + number.to_bytes(4, "big")


def sweep_token(number: int) -> str:
    """Return the token of a sweep as hex digits."""
    return token("lidar_pc", number).hex()


def write_db(path: Path, rows: Rows) -> Path:
    """Write a log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as base:
        for name, columns in _SCHEMA.items():
            base.execute(f"CREATE TABLE {name} ({columns}, PRIMARY KEY (token))")
            for row in rows.get(name, ()):
                marks = ", ".join("?" * len(row))
                base.execute(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        base.execute("CREATE INDEX lidar_box_lidar_pc_token ON lidar_box (lidar_pc_token)")
    base.close()
    return path


def drive(
    sweeps: int = 300, speed: float = 8.0, start: float = -80.0, name: str = NAME, cameras: bool = True
) -> Rows:
    """Return the rows of a log: the ego goes straight through the town on the right lane from x = `start`.

    Around it: a car 25 m ahead at the same speed, a parked car at (-60, 9) turned by 90 degrees, a pedestrian who
    appears at sweep 60 and goes at sweep 120, a cone, a construction sign, a bicycle. The lights of 501 and 502 are
    green, that of 503 red up to sweep 150 and unrecorded after it. Scenes last 200 sweeps.
    """
    rows: Rows = {table: [] for table in _SCHEMA}
    log, lidar = token("log", 0), token("lidar", 0)
    rows["log"].append(
        _row(token=log, vehicle_name="g1p-veh-2035", date="2021-05-12", timestamp=START_US, logfile=name)
        | _row(location="las_vegas", map_version=PLACE)
    )
    rows["lidar"].append(
        _row(token=lidar, log_token=log, channel="MergedPointCloud", model="m")
        | _row(translation=pickle.dumps([1.5, 0.0, 1.63]), rotation=pickle.dumps([1.0, 0.0, 0.0, 0.0]))
    )
    rows["category"] = [
        _row(token=token("category", i), name=kind, description=f"{kind}.")
        for i, kind in enumerate(CATEGORIES)
    ]
    for number in range(sweeps):
        time = number * SWEEP_US * 1e-6
        ego_at = token("ego_pose", number)
        rows["ego_pose"].append(_ego(number, start + speed * time, speed, log))
        rows["lidar_pc"].append(
            _row(token=token("lidar_pc", number), ego_pose_token=ego_at, lidar_token=lidar)
            | _row(scene_token=token("scene", number // 200), timestamp=START_US + number * SWEEP_US)
            | _row(filename=f"{name}/MergedPointCloud/{number}.pcd")
        )
        for connector, status in ((501, "green"), (502, "green"), (503, "red")):
            if connector != 503 or number <= 150:
                place = len(rows["traffic_light_status"])
                rows["traffic_light_status"].append(
                    _row(token=token("traffic_light_status", place), lidar_pc_token=token("lidar_pc", number))
                    | _row(lane_connector_id=connector, status=status)
                )
        _add_boxes(rows, number, time, start, speed)
    for scene in range(-(-sweeps // 200)):
        rows["scene"].append(
            _row(token=token("scene", scene), log_token=log, name=f"scene-{scene:04d}", roadblock_ids=ROUTE)
            | _row(goal_ego_pose_token=token("ego_pose", sweeps - 1))
        )
    rows["scenario_tag"] = [
        _row(token=token("scenario_tag", i), lidar_pc_token=token("lidar_pc", 60), type=kind)
        for i, kind in enumerate(("traversing_intersection", "on_intersection"))
    ]
    rows["camera"] = [camera_row(i, channel) for i, channel in enumerate(CHANNELS)] if cameras else []
    return rows


def _row(**values: object) -> dict:
    return values


def _ego(number: int, x: float, speed: float, log: bytes) -> dict:
    values = _row(token=token("ego_pose", number), timestamp=START_US + number * SWEEP_US + 333, epsg=EPSG)
    values |= _row(
        x=ORIGIN[0] + x, y=ORIGIN[1] - 1.75, z=605.7, qw=1.0, qx=0.0, qy=0.0, qz=0.0, log_token=log
    )
    values |= _row(vx=speed, vy=0.0, vz=0.0, acceleration_x=0.1, acceleration_y=0.0, acceleration_z=9.8)
    return values | _row(angular_rate_x=0.0, angular_rate_y=0.0, angular_rate_z=0.01)


def _add_boxes(rows: Rows, number: int, time: float, start: float, speed: float) -> None:
    cast = [
        (0, "vehicle", start + 25 + speed * time, -1.75, 0.0, speed, 0.0, (4.5, 1.9, 1.6)),
        (1, "vehicle", -60.0, 9.0, math.pi / 2, 0.0, 0.0, (4.5, 1.9, 1.6)),
        (3, "traffic_cone", -40.0, -5.0, 0.0, 0.0, 0.0, (0.4, 0.4, 0.8)),
        (4, "czone_sign", -42.0, -5.0, 0.0, 0.0, 0.0, (0.6, 0.2, 1.5)),
        (5, "bicycle", 60.0 - 3 * time, 1.75, math.pi, -3.0, 0.0, (1.8, 0.6, 1.7)),
    ]
    if 60 <= number < 120:
        cast.append(
            (2, "pedestrian", -5.0, 12 - 0.05 * (number - 60), -math.pi / 2, 0.0, -1.0, (0.7, 0.6, 1.8))
        )
    for track, kind, x, y, yaw, vx, vy, (length, width, height) in cast:
        if token("track", track) not in {row["token"] for row in rows["track"]}:
            rows["track"].append(
                _row(token=token("track", track), category_token=token("category", CATEGORIES.index(kind)))
                | _row(width=width, length=length, height=height)
            )
        place = len(rows["lidar_box"])
        rows["lidar_box"].append(
            _row(token=token("lidar_box", place), lidar_pc_token=token("lidar_pc", number))
            | _row(track_token=token("track", track), x=ORIGIN[0] + x, y=ORIGIN[1] + y, z=606.0, yaw=yaw)
            | _row(width=width, length=length, height=height, vx=vx, vy=vy, vz=0.0, confidence=0.9)
        )


def camera_row(number: int, channel: str, dump: object = pickle.dumps) -> dict:
    """Return a camera; `CAM_F0` looks ahead, the others are turned about z by 40 degrees times their number."""
    half = 0.0 if channel == "CAM_F0" else math.radians(20.0 * number)
    ahead = np.array([-0.5, 0.5, -0.5, 0.5])
    turn = np.array([math.cos(half), 0.0, 0.0, math.sin(half)])
    rotation = _product(turn, ahead)
    return _row(
        token=token("camera", number),
        log_token=token("log", 0),
        channel=channel,
        model="m",
        translation=dump([1.67, 0.1 * number, 1.52]),
        rotation=dump(rotation.tolist()),
        intrinsic=dump([[1545.0, 0.0, 960.0], [0.0, 1545.0, 560.0], [0.0, 0.0, 1.0]]),
        distortion=dump([-0.356123, 0.172545, -0.00213, 0.000464, -0.05231]),
        width=1920.0,
        height=1080.0,
    )


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    lw, lv, rw, rv = left[0], left[1:], right[0], right[1:]
    return np.concatenate([[lw * rw - lv @ rv], lw * rv + rw * lv + np.cross(lv, rv)])


def metadata(rows: Rows, step: int = 10, first: int = 0) -> list[dict]:
    """Return OpenScene frames of a log, every `step` sweeps from `first`."""
    scenes = {row["token"]: row for row in rows["scene"]}
    poses = {row["token"]: row for row in rows["ego_pose"]}
    frames = []
    for sweep in rows["lidar_pc"][first::step]:
        pose, scene = poses[sweep["ego_pose_token"]], scenes[sweep["scene_token"]]
        translation = np.array([pose["x"], pose["y"], pose["z"]])
        rotation = np.array([pose["qw"], pose["qx"], pose["qy"], pose["qz"]])
        lidar = make_transform(np.eye(3), np.array([1.5, 0.0, 1.63]))
        frames.append(
            {
                "token": sweep["token"].hex(),
                "frame_idx": len(frames),
                "timestamp": sweep["timestamp"],
                "log_name": rows["log"][0]["logfile"],
                "log_token": rows["log"][0]["token"].hex(),
                "scene_name": f"log-0001-{scene['name']}",
                "scene_token": scene["token"].hex(),
                "map_location": PLACE,
                "roadblock_ids": scene["roadblock_ids"].split(),
                "vehicle_name": "g1p-veh-2035",
                "can_bus": np.zeros(18),
                "lidar_path": sweep["filename"],
                "lidar2ego_translation": lidar[:3, 3],
                "lidar2ego_rotation": [1.0, 0.0, 0.0, 0.0],
                "ego2global_translation": translation,
                "ego2global_rotation": rotation,
                "ego_dynamic_state": [pose["vx"], pose["vy"], 0.0, 0.0],
                "traffic_lights": [(501, False), (503, True)],
                "driving_command": np.array([0, 1, 0, 0]),
                "ego2global": make_transform(rotation_from_quaternion(rotation), translation),
                "cams": {channel: _openscene_camera(i, channel) for i, channel in enumerate(CHANNELS)},
                "sample_prev": None,
                "sample_next": None,
                "anns": {"gt_boxes": np.zeros((0, 7)), "gt_names": np.array([], dtype="<U1")},
            }
        )
    return frames


def _openscene_camera(number: int, channel: str) -> dict:
    row = camera_row(number, channel, dump=np.array)
    return {
        "data_path": f"{NAME}/{channel}/{number:016x}.jpg",
        "sensor2lidar_rotation": rotation_from_quaternion(row["rotation"]),
        "sensor2lidar_translation": row["translation"],
        "cam_intrinsic": row["intrinsic"],
        "distortion": row["distortion"],
    }


def write_asset(
    root: Path, name: str, tokens: list[str], log_name: str = NAME, tag: str = "CentralConfig"
) -> Path:
    """Write an asset config and its `video_scene_dict.pkl` below `root`; return the config."""
    config = root / "configs" / f"{name}.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    listed = "\n".join(f"- {one}" for one in tokens)
    config.write_text(
        f"!!python/object:nuplan_scripts.utils.config.{tag}\ncity: {PLACE}\ncentral_log: {log_name}\n"
        f"central_tokens:\n{listed}\nroad_block_name: {name}\nroad_block: !!python/tuple\n- 1\n- 2\n- 3\n- 4\n"
        "interval: 1\nmulti_traversal_mode: registration\nselected_videos: !!python/tuple\n- 0\n"
    )
    refined = {"cam_intrinsic": np.diag([1500.0, 1500.0, 1.0]), "distortion": np.array([-0.3, 0.1, 0.0, 0.0])}
    cams = {
        channel: {"cam_intrinsic": np.diag([1540.0, 1540.0, 1.0]), "distortion": np.zeros(5)}
        for channel in CHANNELS
    }
    cams["CAM_F0"]["colmap_param"] = refined
    videos = {
        "other": {"log_name": "another", "frame_infos": [{"ego2global": np.zeros((4, 4)), "cams": {}}]},
        "ours": {
            "log_name": log_name,
            "frame_infos": [
                {"ego2global": np.eye(4), "cams": cams},
                {"ego2global": 2 * np.eye(4), "cams": cams},
            ],
        },
    }
    folder = root / "assets" / name
    folder.mkdir(parents=True)
    (folder / "video_scene_dict.pkl").write_bytes(pickle.dumps(videos))
    return config


def write_filter(path: Path, **values: object) -> Path:
    """Write a NAVSIM filter; lists are written as block sequences without quotes."""
    lines = ["_target_: navsim.common.dataclasses.SceneFilter", "_convert_: 'all'"]
    for key, value in values.items():
        if isinstance(value, list | tuple):
            lines += [f"{key}:", *(f"- {item}" for item in value)]
        else:
            lines.append(f"{key}: {'null' if value is None else str(value).lower()}")
    path.write_text("\n".join(lines) + "\n")
    return path


def die(*_: object) -> None:
    """End the process as a crash would; for worker processes."""
    os.abort()
