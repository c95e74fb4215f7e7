"""A drive to look at: what a record holds, or what a scenario's log says, in one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import shapely

from simengine.datatypes.agents import AgentStates, AgentTracks, AgentType
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.observation_log import ObservationLog
from simengine.datatypes.record import RolloutRecord
from simengine.geometry import boxes
from simengine.geometry.se2 import points_to_parent, shift_forward
from simengine.metrics.row import ScoreRow
from simengine.render.assets.opener import SceneOpener
from simengine.render.rig import nuplan_rig
from simengine.render.stage import Stage
from simengine.scenario.scenario import Scenario


@dataclass(frozen=True)
class Drive:
    """S frames of a drive; frame 0 is `scenario.initial_frame` of a record, the first frame of a log.

    Attributes:
        title: what to call it.
        scenario: what it was driven in, at the rate of the drive.
        first_frame: frame of the scenario at which it begins.
        dt: time between frames [s].
        ego: (S, 3) rear axle in the world frame.
        speed: (S,) of the ego [m/s].
        agents: tracks over at least S frames.
        plans: frame of each decision, and its planned path (N, 2) in the world frame from the ego on.
        cameras: the rig whose images it can show.
        open_scene: opens the scene it was driven in.
        score: what the drive scored; None if it was not scored.
        recorded: frame of a decision -> channel -> JPEG bytes that were kept; may be empty.
    """

    title: str
    scenario: Scenario
    first_frame: int
    dt: float
    ego: np.ndarray
    speed: np.ndarray
    agents: AgentTracks
    plans: tuple[tuple[int, np.ndarray], ...] = ()
    cameras: tuple[CameraCalibration, ...] = ()
    open_scene: Callable[[Scenario], Stage] = field(default_factory=SceneOpener)
    score: ScoreRow | None = None
    recorded: Mapping[int, Mapping[str, bytes]] = field(default_factory=dict)

    @property
    def num_frames(self) -> int:
        """Number of frames S."""
        return len(self.ego)

    @property
    def duration(self) -> float:
        """Time from the first to the last frame [s]."""
        return (self.num_frames - 1) * self.dt

    def clamp(self, frame: int) -> int:
        """Return the frame shown when `frame` is asked for: a drive that is over stays at its end."""
        return min(max(frame, 0), self.num_frames - 1)

    def ego_center(self, frame: int) -> np.ndarray:
        """Return the middle of the ego's box (3,) in the world frame."""
        return shift_forward(self.ego[frame], self.scenario.vehicle.rear_axle_to_center)

    def agents_at(self, frame: int) -> AgentStates:
        """Return everyone who exists at a frame."""
        tracks = self.agents
        rows = np.flatnonzero(tracks.valid[:, frame])
        return AgentStates(
            tuple(tracks.ids[row] for row in rows),
            tracks.types[rows],
            tracks.pose[rows, frame],
            tracks.velocity[rows, frame],
            tracks.size[rows],
        )

    def plan_at(self, frame: int) -> np.ndarray | None:
        """Return the path (N, 2) planned at the last decision up to `frame`, None if there was none."""
        made = [points for decision, points in self.plans if decision <= frame]
        return made[-1] if made else None

    def gap(self, row: int, frame: int) -> float:
        """Return the distance between the boxes of the ego and of agent `row` [m]."""
        vehicle, tracks = self.scenario.vehicle, self.agents
        mine = boxes.corners(self.ego_center(frame), vehicle.length, vehicle.width)
        theirs = boxes.corners(tracks.pose[row, frame], tracks.size[row, 0], tracks.size[row, 1])
        return float(shapely.distance(shapely.Polygon(mine), shapely.Polygon(theirs)))

    def facts(self, row: int, frame: int) -> dict[str, str]:
        """Return what there is to say about agent `row` at a frame, in words."""
        tracks = self.agents
        said = {"id": tracks.ids[row], "type": AgentType(int(tracks.types[row])).name.lower()}
        length, width, height = tracks.size[row]
        said["size"] = f"{length:.1f} x {width:.1f} x {height:.1f} m"
        if not tracks.valid[row, frame]:
            return said | {"state": "not in the scene at this frame"}
        x, y, yaw = tracks.pose[row, frame]
        return said | {
            "speed": f"{np.hypot(*tracks.velocity[row, frame]):.1f} m/s",
            "distance": f"{self.gap(row, frame):.1f} m from the ego",
            "place": f"x {x:.1f} m, y {y:.1f} m, heading {np.degrees(yaw):.0f} deg",
        }


@dataclass(frozen=True)
class DriveSource:
    """A drive that is opened when it is wanted.

    Attributes:
        title: unique among the drives on offer.
        token: its scenario.
        open: returns the drive.
    """

    title: str
    token: str
    open: Callable[[], Drive]


def recorded_drive(
    title: str,
    record: RolloutRecord,
    scenario: Scenario,
    cameras: tuple[CameraCalibration, ...],
    open_scene: Callable[[Scenario], Stage] | None = None,
    score: ScoreRow | None = None,
    observations: ObservationLog | None = None,
) -> Drive:
    """Return the drive of a record; `scenario` is at its rate, `observations` are the images that were kept.

    `open_scene` is left out for a scene that is lifted from the scenario.
    """
    states = np.asarray(record.ego_states, dtype=np.float64)
    plans = []
    for frame, plan in zip(record.decision_frames.tolist(), record.plans, strict=True):
        start = states[min(frame, len(states) - 1), :3]
        plans.append((frame, np.concatenate([start[None, :2], points_to_parent(start, plan[:, :2])])))
    return Drive(
        title=title,
        scenario=scenario,
        first_frame=scenario.initial_frame,
        dt=record.dt,
        ego=states[:, :3],
        speed=np.hypot(states[:, 3], states[:, 4]),
        agents=record.agents,
        plans=tuple(plans),
        cameras=cameras,
        open_scene=open_scene or SceneOpener(),
        score=score,
        recorded={} if observations is None else _images(observations),
    )


def logged_drive(title: str, scenario: Scenario, width_px: int, height_px: int) -> Drive:
    """Return what the log of a scenario shows, seen by its own cameras, or by nuPlan's where it has none."""
    rig = tuple(camera.resized(width_px, height_px) for camera in scenario.cameras)
    return Drive(
        title=title,
        scenario=scenario,
        first_frame=0,
        dt=scenario.dt,
        ego=scenario.ego.pose,
        speed=np.hypot(*scenario.ego.velocity.T),
        agents=scenario.agents,
        cameras=rig or nuplan_rig(width_px, height_px),
    )


def _images(log: ObservationLog) -> dict[int, dict[str, bytes]]:
    names = [camera.name for camera in log.cameras]
    return {
        int(frame): dict(zip(names, jpegs, strict=True))
        for frame, jpegs in zip(log.decision_frames, log.jpegs, strict=True)
    }
