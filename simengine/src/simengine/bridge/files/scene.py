"""What the simulator has to say about a scene and its moments before it becomes a frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.vehicle import VehicleParams

NO_VARIANT = "000"


@dataclass(frozen=True)
class SceneLabels:
    """What stays constant while one scene runs.

    Attributes:
        scene_token: prefix of its files.
        scenario_id: `<log>-<scene token>`.
        variant: `NNN` of a generated variant, else `NO_VARIANT`; ends frame tokens and image names.
        frame_tokens: tokens of the frames from step 0 on, as far as they are known.
        map_location: place.
        roadblock_ids: the route.
        global_from_world: (2,) translation [m] from the simulator's world frame to the map datum.
        vehicle: dimensions of the ego.
    """

    scene_token: str
    scenario_id: str
    variant: str = NO_VARIANT
    frame_tokens: tuple[str, ...] = ()
    map_location: str = ""
    roadblock_ids: tuple[str, ...] = ()
    global_from_world: np.ndarray = field(default_factory=lambda: np.zeros(2))
    vehicle: VehicleParams = field(default_factory=VehicleParams)

    def original_token(self, step: int) -> str:
        """Return the token of a frame without the variant; made up where the log has none."""
        return self.frame_tokens[step] if step < len(self.frame_tokens) else f"{self.scene_token}-{step:02d}"

    def frame_token(self, step: int) -> str:
        """Return the token of a frame."""
        return f"{self.original_token(step)}-{self.variant}"

    def image_path(self, camera: str, step: int) -> str:
        """Return the path of an image below `RunFolder.images`."""
        return f"{self.scene_token}/{camera}/{self.frame_token(step)}.jpg"

    def cloud_path(self, step: int) -> str:
        """Return the path of a point cloud beside the images, in a folder named as in nuPlan."""
        return f"{self.scene_token}/MergedPointCloud/{self.frame_token(step)}.pcd"


@dataclass(frozen=True)
class Moment:
    """One frame of a scene.

    Attributes:
        step: 0 for the oldest frame of history.
        timestamp_us: time.
        ego_pose: (3,) rear axle in the world frame [m, m, rad].
        velocity: (2,) of the box centre, in ego axes [m/s].
        acceleration: (2,) of the box centre, in ego axes [m/s^2].
        yaw_rate: [rad/s].
        command: `DrivingCommand`.
        agents: everyone else, in the world frame.
        cameras: calibrations in our ego frame; their order is the order of the planner's inputs.
        red_lights: lane connector id and whether it is red, for each light.
    """

    step: int
    timestamp_us: int
    ego_pose: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    yaw_rate: float
    command: int
    agents: AgentStates
    cameras: tuple[CameraCalibration, ...]
    red_lights: tuple[tuple[str, bool], ...] = ()
