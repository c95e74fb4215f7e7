"""A scenario in the making: a place, the ego's start, and the actors that events put into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from simengine.agents.paths import LaneGraph, Path, make_path
from simengine.datatypes.agents import AgentType
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry import boxes, polyline, se2
from simengine.world.places import Place

DT = 0.1
HISTORY_FRAMES = 15
NUM_FRAMES = 116
INITIAL_TIME = HISTORY_FRAMES * DT

SIZES = {
    AgentType.PEDESTRIAN: (0.6, 0.6, 1.75),
    AgentType.CYCLIST: (1.8, 0.7, 1.75),
    AgentType.TRAFFIC_CONE: (0.45, 0.45, 0.8),
    AgentType.BARRIER: (1.6, 0.5, 1.0),
    AgentType.GENERIC_OBJECT: (1.0, 1.0, 1.0),
}


@dataclass(frozen=True)
class Actor:
    """Anything but the ego.

    Exactly one of `path` (drives by the driver model) and `track` (scripted) is set.

    Attributes:
        kind: type of agent.
        size: length, width, height [m].
        path: path of the box centre.
        start: arc length on the path at frame 0 [m].
        speed: speed at frame 0 [m/s].
        track: (T, 3) box centres.
        hidden_until: time before which the expert does not expect the script [s].
        unnoticed: whether the expert does not even see the actor until then.
    """

    kind: AgentType
    size: tuple[float, float, float]
    path: Path | None = None
    start: float = 0.0
    speed: float = 0.0
    track: np.ndarray | None = None
    hidden_until: float = 0.0
    unnoticed: bool = False


@dataclass
class Stage:
    """What events add to; `drive` turns it into a scenario.

    Attributes:
        place: the map and the ego's route.
        rng: source of all choices.
        difficulty: 0 (easy) to 1 (hard).
        ego_start: arc length of the rear axle on the ego line at frame 0 [m].
        ego_speed: speed at frame 0 [m/s].
        actors: in order of their ids.
        vehicle: dimensions of the ego.
        keep_clear: circles (centre, radius [m]) that traffic must leave free at frame 0.
        light_plan: arm name and time [s] -> what its light shows.
        facts: for the tags.
    """

    place: Place
    rng: np.random.Generator
    difficulty: float
    ego_start: float
    ego_speed: float
    vehicle: VehicleParams = field(default_factory=VehicleParams)
    actors: list[Actor] = field(default_factory=list)
    keep_clear: list[tuple[np.ndarray, float]] = field(default_factory=list)
    light_plan: Callable[[str, float], LightState] | None = None
    facts: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph = LaneGraph(self.place.vector_map)
        self.line = self.place.ego_line

    @property
    def ego_center(self) -> float:
        """Arc length of the ego's box centre on its line at frame 0 [m]."""
        return self.ego_start + self.vehicle.rear_axle_to_center

    def dial(self, easy: float, hard: float) -> float:
        """Return the value between `easy` and `hard` that the difficulty asks for."""
        return easy + self.difficulty * (hard - easy)

    def reached(self, time: float) -> float:
        """Return the arc length of the ego's centre at `time` [s] if it keeps its first speed [m]."""
        return self.ego_center + self.ego_speed * time

    def beside(self, s: float, offset: float, turn: float = 0.0) -> np.ndarray:
        """Return the pose (3,) at arc length `s` of the ego line, `offset` to its left, turned by `turn`."""
        pose = polyline.sample(self.line, s)
        left = np.array([-np.sin(pose[2]), np.cos(pose[2])])
        return np.append(pose[:2] + offset * left, pose[2] + turn)

    def random_vehicle_size(self) -> tuple[float, float, float]:
        """Return the size of a car, or sometimes of a van or truck [m]."""
        if self.rng.random() < 0.12:
            return (float(self.rng.uniform(6.0, 8.5)), 2.4, float(self.rng.uniform(2.6, 3.2)))
        length = float(self.rng.uniform(4.2, 5.1))
        return (length, float(self.rng.uniform(1.78, 2.0)), float(self.rng.uniform(1.4, 1.8)))

    def free(self, pose: np.ndarray, size: tuple[float, float, float], gap: float = 1.5) -> bool:
        """Whether a box at `pose` at frame 0 stays `gap` metres clear of everybody and of kept stretches."""
        for point, radius in self.keep_clear:
            if np.hypot(*(pose[:2] - point)) < radius:
                return False
        own = boxes.corners(pose, size[0] + 2 * gap, size[1] + 0.6)
        ego = se2.shift_forward(self.beside(self.ego_start, 0.0), self.vehicle.rear_axle_to_center)
        if boxes.overlap(own, boxes.corners(ego, self.vehicle.length + 6.0, self.vehicle.width)):
            return False
        return not any(
            boxes.overlap(own, boxes.corners(first_pose(actor), actor.size[0], actor.size[1]))
            for actor in self.actors
        )

    def add(self, actor: Actor) -> bool:
        """Add `actor` if its place at frame 0 is free; return whether it was."""
        if not self.free(first_pose(actor), actor.size, 0.4):
            return False
        self.actors.append(actor)
        return True

    def add_driver(
        self,
        lane_id: str,
        s: float,
        speed: float,
        size: tuple[float, float, float] | None = None,
        gap: float = 6.0,
    ) -> bool:
        """Add a vehicle on a lane that drives by the driver model over random successors, if there is room."""
        size = size or self.random_vehicle_size()
        path = self.lane_path(lane_id)
        if s > path.length - 40.0:
            return False
        pose = path.poses[int(s / path.step)]
        if not self.free(pose, size, gap):
            return False
        here = float(path.limit[int(s / path.step)])
        self.actors.append(Actor(AgentType.VEHICLE, size, path, s, min(speed, here)))
        return True

    def lane_path(self, lane_id: str, factor: float | None = None) -> Path:
        """Return the path from the start of a lane over random successors, with its speed limits."""
        lanes, lane = self.place.vector_map.lanes, self.place.vector_map.lanes[lane_id]
        lines, limits = [], []
        while True:
            line = polyline.resample(lane.centerline, 1.0)
            lines.append(line)
            limits.append(np.full(len(line), lane.speed_limit))
            if not lane.successors:
                break
            lane = lanes[lane.successors[int(self.rng.integers(len(lane.successors)))]]
        factor = float(self.rng.uniform(0.8, 1.0)) if factor is None else factor
        return path_along(np.concatenate(lines), factor * np.concatenate(limits))

    def lights(self) -> TrafficLights:
        """Return the lights of the place over all frames."""
        arms = [(arm, *entry) for arm, entries in self.place.controlled.items() for entry in entries]
        if not arms or self.light_plan is None:
            return TrafficLights.empty(NUM_FRAMES)
        times = np.arange(NUM_FRAMES) * DT
        shown = {arm: np.array([self.light_plan(arm, t) for t in times], np.int8) for arm, _, _ in arms}
        return TrafficLights(
            tuple(lane for _, lane, _ in arms),
            np.stack([shown[arm] for arm, _, _ in arms]),
            np.stack([point for _, _, point in arms]),
        )


def first_pose(actor: Actor) -> np.ndarray:
    """Return the pose (3,) of an actor's box centre at frame 0."""
    if actor.track is not None:
        return actor.track[0]
    return polyline_pose(actor.path, actor.start)


def polyline_pose(path: Path, s: float) -> np.ndarray:
    """Return the pose (3,) at arc length `s` [m] of a path."""
    k = min(max(int(s / path.step), 0), len(path.poses) - 2)
    f = s / path.step - k
    return path.poses[k] + f * (path.poses[k + 1] - path.poses[k])


def path_along(line: np.ndarray, limit: np.ndarray | float) -> Path:
    """Return a path along `line` (N, 2) with speed limits (N,) or (), extended straight beyond its end."""
    step = np.concatenate([[True], np.hypot(*np.diff(line, axis=0).T) > 0.05])
    line, limit = line[step], np.broadcast_to(limit, step.shape)[step]
    end = polyline.sample(line, polyline.arc_length(line)[-1] + np.array([20.0, 60.0, 120.0]))[:, :2]
    line = np.concatenate([line, end])
    limit = np.concatenate([limit, np.full(3, limit[-1])])
    yaw = np.unwrap(polyline.headings(line))
    yaw[1:] = 0.5 * (yaw[1:] + yaw[:-1])
    return make_path(np.column_stack([line, yaw]), limit)


def walk(points: np.ndarray, speed: float, depart: float = 0.0) -> np.ndarray:
    """Return the track (T, 3) of someone who waits at the first of `points` (N, 2), then walks along them.

    The walk starts at `depart` [s] (before frame 0 if negative) and ends at the last point.
    """
    points = np.asarray(points, dtype=np.float64)
    total = polyline.arc_length(points)[-1]
    times = np.arange(NUM_FRAMES) * DT
    s = np.clip(speed * (times - depart), 0.0, total)
    s = _smooth(s)
    return polyline.sample(points, np.minimum(s, total - 1e-6))


def _smooth(s: np.ndarray, window: int = 5) -> np.ndarray:
    """Round off jumps of speed without changing where the track starts or ends."""
    padded = np.concatenate([np.full(window // 2, s[0]), s, np.full(window // 2, s[-1])])
    # A moving track must not appear to accelerate at its ends.
    padded[: window // 2] -= (s[1] - s[0]) * np.arange(window // 2, 0, -1)
    padded[-(window // 2) :] += (s[-1] - s[-2]) * np.arange(1, window // 2 + 1)
    return np.convolve(padded, np.full(window, 1.0 / window), mode="valid")


def script(path: Path, start: float, speeds: np.ndarray) -> np.ndarray:
    """Return the track (T, 3) along `path` from arc length `start` [m] with the speeds (T,) [m/s]."""
    s = start + np.concatenate([[0.0], np.cumsum(0.5 * (speeds[1:] + speeds[:-1]) * DT)])
    return np.stack([polyline_pose(path, float(value)) for value in s])


def stand(pose: np.ndarray) -> np.ndarray:
    """Return the track (T, 3) of something that stays at `pose` (3,)."""
    return np.tile(np.asarray(pose, dtype=np.float64), (NUM_FRAMES, 1))
