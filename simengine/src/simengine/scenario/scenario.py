"""The scenario: one clip of a drive, with everything needed to simulate and score it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.check import require_finite, require_shape
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.map import VectorMap
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ScenarioFormatError

ASSET_EGO_POSES = "asset_ego_poses"
"""Tag: matrices (T', 4, 4) of the rear axle in the frame of the asset, wherever the log had it."""


@dataclass(frozen=True)
class Scenario:
    """A clip of T frames at a fixed rate in a local world frame (x east, y north, z up).

    Attributes:
        token: unique id; names files, so it has no slash.
        log_name: the drive it was cut from.
        map_name: the place, such as `us-nv-las-vegas-strip`.
        dt: time between frames [s].
        timestamps_us: (T,) int64.
        initial_frame: frame of the first decision; frames before it are history.
        agents: tracks of all other road users and objects.
        ego: logged track of the ego.
        vehicle: dimensions of the ego.
        map: roads around; empty where the source has none.
        lights: traffic lights.
        route: roadblock ids the ego should follow, in order; lane ids where a map has no roadblocks.
        cameras: rig of the ego.
        global_from_world: (2,) translation [m] from the world frame to the map datum.
        asset_id: reconstructed asset to render; "" lifts one from the scenario itself.
        tags: free facts about the scenario (source, family, event, certificate, ...), JSON values.
    """

    token: str
    log_name: str
    map_name: str
    dt: float
    timestamps_us: np.ndarray
    initial_frame: int
    agents: AgentTracks
    ego: EgoTrack
    vehicle: VehicleParams
    map: VectorMap
    lights: TrafficLights
    route: tuple[str, ...] = ()
    cameras: tuple[CameraCalibration, ...] = ()
    global_from_world: np.ndarray = field(default_factory=lambda: np.zeros(2))
    asset_id: str = ""
    tags: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        t = len(self.timestamps_us)
        if not self.token or "/" in self.token:
            raise ScenarioFormatError(
                f"a scenario has token {self.token!r}, expected a non-empty name without '/'"
            )
        try:
            require_shape("ego.pose", self.ego.pose, (t, 3))
            require_shape("agents.pose", self.agents.pose, (self.agents.num_agents, t, 3))
            require_shape("lights.state", self.lights.state, (len(self.lights.lane_ids), t))
            require_shape("global_from_world", self.global_from_world, (2,))
            require_finite("global_from_world", self.global_from_world)
            if not self.dt > 0:
                raise ScenarioFormatError(f"dt is {self.dt}, expected seconds > 0")
            if not 0 <= self.initial_frame < t:
                raise ScenarioFormatError(f"initial_frame is {self.initial_frame}, expected 0..{t - 1}")
            if t > 1 and (np.diff(self.timestamps_us) <= 0).any():
                raise ScenarioFormatError("timestamps_us do not increase, expected strictly rising times")
        except ScenarioFormatError as error:
            raise ScenarioFormatError(f"scenario {self.token}: {error}") from None

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return len(self.timestamps_us)

    @property
    def duration(self) -> float:
        """Time from the first to the last frame [s]."""
        return (self.num_frames - 1) * self.dt
