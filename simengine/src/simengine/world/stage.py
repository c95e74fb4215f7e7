"""A scenario in the making: a place, the ego's start, and the actors that events put into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from simengine.agents.paths import Path
from simengine.datatypes.agents import AgentType
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry import boxes, polyline, se2
from simengine.world.clock import DT, NUM_FRAMES
from simengine.world.places.place import Place
from simengine.world.tracks import path_along, polyline_pose, stand

SIZES = {
    AgentType.PEDESTRIAN: (0.6, 0.6, 1.75),
    AgentType.CYCLIST: (1.8, 0.7, 1.75),
    AgentType.TRAFFIC_CONE: (0.45, 0.45, 0.8),
    AgentType.BARRIER: (1.6, 0.5, 1.0),
    AgentType.GENERIC_OBJECT: (1.0, 1.0, 1.0),
}
LONGEST_PATH = 600.0


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
        plays: whether the event is about it, so that it keeps to its track in reactive traffic, too; whoever has a
            track and a `hidden_until` does.
        appears: time before which it does not exist [s].
    """

    kind: AgentType
    size: tuple[float, float, float]
    path: Path | None = None
    start: float = 0.0
    speed: float = 0.0
    track: np.ndarray | None = None
    hidden_until: float = 0.0
    unnoticed: bool = False
    plays: bool = False
    appears: float = 0.0

    @property
    def has_part(self) -> bool:
        """Whether the event is about it."""
        return self.track is not None and (self.plays or self.hidden_until > 0.0)

    @property
    def first_pose(self) -> np.ndarray:
        """Pose (3,) of the box centre at frame 0."""
        if self.track is not None:
            return self.track[0]
        assert self.path is not None
        return polyline_pose(self.path, self.start)


@dataclass
class Stage:
    """What events add to; `drive` turns it into a scenario.

    Attributes:
        place: the map and the ego's route.
        rng: source of all choices.
        ego_start: arc length of the rear axle on the ego line at frame 0 [m].
        ego_speed: speed at frame 0 [m/s].
        actors: in order of their ids.
        vehicle: dimensions of the ego.
        keep_clear: circles (centre, radius [m]) that traffic must leave free at frame 0.
        quiet: lanes on which no background traffic starts.
        light_plan: approach and time [s] -> what its light shows.
        facts: for the tags.
    """

    place: Place
    rng: np.random.Generator
    ego_start: float
    ego_speed: float
    vehicle: VehicleParams = field(default_factory=VehicleParams)
    actors: list[Actor] = field(default_factory=list)
    keep_clear: list[tuple[np.ndarray, float]] = field(default_factory=list)
    quiet: set[str] = field(default_factory=set)
    light_plan: Callable[[str, float], LightState] | None = None
    facts: dict = field(default_factory=dict)

    @property
    def line(self) -> np.ndarray:
        """Centre line (N, 2) of the ego's route."""
        return self.place.ego_line

    @property
    def ego_center(self) -> float:
        """Arc length of the ego's box centre on its line at frame 0 [m]."""
        return self.ego_start + self.vehicle.rear_axle_to_center

    def beside(self, s: float, offset: float, turn: float = 0.0) -> np.ndarray:
        """Return the pose (3,) at arc length `s` of the ego line, `offset` to its left, turned by `turn`."""
        pose = polyline.sample(self.line, s)
        left = np.array([-np.sin(pose[2]), np.cos(pose[2])])
        return np.append(pose[:2] + offset * left, pose[2] + turn)

    def random_vehicle_size(self, trucks: bool = True) -> tuple[float, float, float]:
        """Return the size of a car, or sometimes of a van or truck [m]."""
        if self.rng.random() < 0.12:
            size = (float(self.rng.uniform(6.0, 8.5)), 2.4, float(self.rng.uniform(2.6, 3.2)))
            return size if trucks else (5.2, 2.0, 2.0)
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
            boxes.overlap(own, boxes.corners(actor.first_pose, actor.size[0], actor.size[1]))
            for actor in self.actors
        )

    def add(self, actor: Actor) -> bool:
        """Add `actor` if its place at frame 0, and its track if it has one, are free; return whether they were."""
        if not self.free(actor.first_pose, actor.size, 0.4) or self._meets_track(actor):
            return False
        self.actors.append(actor)
        return True

    def _meets_track(self, actor: Actor) -> bool:
        """Whether the track of `actor` touches another track at any time."""
        if actor.track is None:
            return False
        own = boxes.corners(actor.track, actor.size[0] + 0.2, actor.size[1] + 0.2)
        return any(
            boxes.overlap(own, boxes.corners(other.track, other.size[0], other.size[1])).any()
            for other in self.actors
            if other.track is not None
        )

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

    def furnish(self, hidden_until: float = 0.0) -> None:
        """Add what stands in the place by itself."""
        for item in self.place.furniture:
            self.actors.append(Actor(item.kind, item.size, track=stand(item.pose), hidden_until=hidden_until))

    def lane_path(self, lane_id: str, factor: float | None = None) -> Path:
        """Return the path from the start of a lane over random successors, with its speed limits."""
        lanes, lane = self.place.vector_map.lanes, self.place.vector_map.lanes[lane_id]
        lines, limits, length = [], [], 0.0
        while True:
            line = polyline.resample(lane.centerline, 1.0)
            lines.append(line)
            limits.append(np.full(len(line), lane.speed_limit))
            length += float(polyline.arc_length(line)[-1])
            if not lane.successors or length > LONGEST_PATH:
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
        shown = {
            arm: np.array([self.light_plan(arm, t) for t in times], np.int8) for arm in self.place.controlled
        }
        return TrafficLights(
            tuple(lane for _, lane, _ in arms),
            np.stack([shown[arm] for arm, _, _ in arms]),
            np.stack([point for _, _, point in arms]),
        )
