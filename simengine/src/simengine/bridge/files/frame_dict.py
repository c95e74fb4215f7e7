"""From a moment of a scene to the frame dict of the protocol: OpenScene's keys, and the planner's on top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simengine.bridge.files.past import planner_keys
from simengine.bridge.files.scene import Moment, SceneLabels
from simengine.datatypes.agents import AgentType
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.observation import DrivingCommand
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.geometry.se2 import rotate, to_local
from simengine.geometry.se3 import (
    make_transform,
    quaternion_from_rotation,
    rotation_from_quaternion,
    transform_from_pose,
)

CAN_BUS_SIZE = 18
# The lidar of the nuPlan vehicle, quaternion wxyz; nothing is measured with it, but all lidar keys refer to it.
LIDAR_ROTATION = np.array(
    [0.9999916710390838, -0.0016505558783280307, -0.00023289146777086609, 0.003725490480134295]
)
LIDAR_TRANSLATION = np.array([1.5185133218765259, 0.0, 1.6308990716934204])
NAMES = {
    AgentType.VEHICLE: "vehicle",
    AgentType.PEDESTRIAN: "pedestrian",
    AgentType.CYCLIST: "cyclist",
    AgentType.TRAFFIC_CONE: "traffic_cone",
    AgentType.BARRIER: "barrier",
    AgentType.CZONE_SIGN: "czone_sign",
    AgentType.GENERIC_OBJECT: "generic_object",
}


def frame_dict(scene: SceneLabels, moment: Moment, earlier: Sequence[dict]) -> dict:
    """Return the frame dict of `moment`.

    Args:
        scene: what stays constant.
        moment: the present.
        earlier: frame dicts of the same scene before it, oldest first.
    """
    frame = _labels(scene, moment) | _poses(scene, moment)
    frame["cams"] = {
        camera.name: _camera(camera, scene.image_path(camera.name, moment.step), frame["lidar2ego"])
        for camera in moment.cameras
    }
    frame["anns"] = _annotations(moment)
    return frame | planner_keys(frame, earlier, scene.vehicle)


def _labels(scene: SceneLabels, moment: Moment) -> dict:
    command = np.zeros(len(DrivingCommand), dtype=np.int64)
    command[moment.command] = 1
    return {
        "token": scene.frame_token(moment.step),
        "frame_idx": moment.step,
        "timestamp": moment.timestamp_us,
        "log_name": scene.scenario_id,
        "log_token": scene.scene_token,
        "scene_name": scene.scenario_id,
        "scene_token": scene.scene_token,
        "map_location": scene.map_location,
        "roadblock_ids": list(scene.roadblock_ids),
        "vehicle_name": "",
        "lidar_path": None,
        "traffic_lights": [(_number(lane), bool(red)) for lane, red in moment.red_lights],
        "driving_command": command,
        "sample_prev": None,
        "sample_next": None,
        "occ_gt_final_path": None,
        "flow_gt_final_path": None,
    }


def _number(lane: str) -> int | str:
    """Return the integer that nuPlan's lane connectors are; ids of other maps stay as they are."""
    return int(lane) if lane.isdecimal() else lane


def _poses(scene: SceneLabels, moment: Moment) -> dict:
    pose = moment.ego_pose + np.array([*scene.global_from_world, 0.0])
    ego2global = transform_from_pose(pose)
    lidar2ego = make_transform(rotation_from_quaternion(LIDAR_ROTATION), LIDAR_TRANSLATION)
    can_bus = np.zeros(CAN_BUS_SIZE)
    can_bus[0:3] = ego2global[:3, 3]
    can_bus[3:7] = quaternion_from_rotation(ego2global[:3, :3])
    can_bus[7:9] = moment.acceleration
    can_bus[10:12] = moment.velocity
    can_bus[15] = moment.yaw_rate
    return {
        "can_bus": can_bus,
        "ego2global": ego2global,
        "ego2global_translation": can_bus[0:3].copy(),
        "ego2global_rotation": can_bus[3:7].copy(),
        "lidar2ego": lidar2ego,
        "lidar2ego_translation": LIDAR_TRANSLATION.copy(),
        "lidar2ego_rotation": LIDAR_ROTATION.copy(),
        "lidar2global": ego2global @ lidar2ego,
        "ego_dynamic_state": [float(v) for v in (*moment.velocity, *moment.acceleration)],
    }


def _camera(camera: CameraCalibration, data_path: str, lidar2ego: np.ndarray) -> dict:
    """Return the entry of one camera.

    OpenScene stores the pose of a camera on the vehicle as `sensor2lidar`; planners were trained with that.
    """
    pose = camera.ego_from_cam.copy()
    pose[2, 3] -= AXLE_HEIGHT
    sensor2ego = lidar2ego @ pose
    return {
        "data_path": data_path,
        "sensor2lidar_rotation": pose[:3, :3].copy(),
        "sensor2lidar_translation": pose[:3, 3].copy(),
        "cam_intrinsic": camera.intrinsic.copy(),
        "distortion": camera.distortion.copy(),
        "type": camera.name,
        "sensor2ego_translation": sensor2ego[:3, 3].copy(),
        "sensor2ego_rotation": quaternion_from_rotation(sensor2ego[:3, :3]),
    }


def _annotations(moment: Moment) -> dict:
    agents = moment.agents
    count = len(agents.ids)
    local = to_local(moment.ego_pose, agents.pose.reshape(count, 3))
    boxes = np.zeros((count, 7))
    boxes[:, :2], boxes[:, 3:6], boxes[:, 6] = local[:, :2], agents.size, local[:, 2]
    boxes[boxes[:, 6] == -np.pi, 6] = np.pi  # the protocol's half turn is positive
    velocity = np.zeros((count, 3))
    velocity[:, :2] = rotate(agents.velocity.reshape(count, 2), -moment.ego_pose[2])
    return {
        "gt_boxes": boxes,
        "gt_names": np.array([NAMES[AgentType(kind)] for kind in agents.types], dtype=np.str_),
        "gt_velocity_3d": velocity,
        "instance_tokens": list(agents.ids),
        "track_tokens": list(agents.ids),
        "original_track_tokens": list(agents.ids),
    }
