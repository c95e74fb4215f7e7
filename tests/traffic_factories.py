"""Small maps and scenarios in which vehicles meet, and a plain way to run traffic on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from factories import make_scenario, make_straight_map, make_tracks
from simengine.agents.traffic import TrafficModel
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.map import AreaKind, Lane, MapArea, Roadblock, VectorMap
from simengine.datatypes.state import AgentFrame, SimState
from simengine.geometry import boxes, polyline, se2
from simengine.scenario.scenario import Scenario

HALF_LANE = 1.8
DT = 0.1
HISTORY = 15
FRAMES = 116


def moving(x0: float, y: float, speed: float, frames: int = FRAMES) -> np.ndarray:
    """Return poses (frames, 3) along +x at constant speed."""
    t = np.arange(frames) * DT
    return np.stack([x0 + speed * t, np.full(frames, y), np.zeros(frames)], axis=1)


def scenario_of(*poses: np.ndarray, **changes: object) -> Scenario:
    """Return vehicles on a long straight road."""
    tracks = make_tracks(np.stack(poses))
    return make_scenario(frames=FRAMES, agents=tracks, map=make_straight_map(600.0), **changes)


def parked_ego(x: float, y: float) -> Callable[[int], np.ndarray]:
    """Return an ego that stands at one place in every frame."""

    def at(frame: int) -> np.ndarray:
        ego = np.zeros(11)
        ego[:2] = x, y
        return ego

    return at


def unit(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def left_of(angle: float) -> np.ndarray:
    return np.array([-np.sin(angle), np.cos(angle)])


def bezier(start: np.ndarray, along: float, end: np.ndarray, leaving: float) -> np.ndarray:
    """Return a smooth curve (N, 2) between two points with the given headings."""
    reach = 0.55 * np.hypot(*(end - start))
    p = [start, start + reach * unit(along), end - reach * unit(leaving), end]
    t = np.linspace(0.0, 1.0, 25)[:, None]
    curve = (1 - t) ** 3 * p[0] + 3 * (1 - t) ** 2 * t * p[1] + 3 * (1 - t) * t**2 * p[2] + t**3 * p[3]
    return curve


def strip(line: np.ndarray, half: float = HALF_LANE) -> np.ndarray:
    yaw = polyline.headings(line)
    across = half * np.column_stack([-np.sin(yaw), np.cos(yaw)])
    return np.concatenate([line + across, (line - across)[::-1]])


class Roads:
    """Lanes by name, linked as they are added."""

    def __init__(self, side: float = 1.0) -> None:
        self.lanes: dict[str, Lane] = {}
        self.areas: list[MapArea] = []
        self.side = side  # 1 drives on the right, -1 on the left

    def lane(
        self, name: str, line: np.ndarray, block: str = "", limit: float = 12.0, connector: bool = False
    ) -> None:
        self.lanes[name] = Lane(name, line, strip(line), block or name, connector, speed_limit=limit)

    def connect(self, first: str, second: str, limit: float = 12.0) -> str:
        """Add a connector between two lanes and return its name."""
        a, b = self.lanes[first].centerline, self.lanes[second].centerline
        line = bezier(a[-1], polyline.headings(a)[-1], b[0], polyline.headings(b)[0])
        name = f"{first}>{second}"
        self.lane(name, line, limit=limit, connector=True)
        self.link(first, name)
        self.link(name, second)
        return name

    def link(self, first: str, second: str) -> None:
        a, b = self.lanes[first], self.lanes[second]
        self.lanes[first] = replace(a, successors=(*a.successors, second))
        self.lanes[second] = replace(b, predecessors=(*b.predecessors, first))

    def arm(self, name: str, angle: float, near: float, length: float = 90.0) -> None:
        """Add a lane towards and one away from the origin in direction `angle`, beginning `near` metres out."""
        s = np.linspace(near, near + length, int(length / 2.0) + 1)[:, None]
        out = s * unit(angle)
        right = -self.side * HALF_LANE * left_of(angle)
        self.lane(f"{name}_out", out + right)
        self.lane(f"{name}_in", (out - right)[::-1])

    def stop_line(self, lane: str, before_end: float = 1.0, name: str = "stop_line") -> None:
        line = self.lanes[lane].centerline
        at = polyline.sample(line, polyline.arc_length(line)[-1] - before_end + np.array([-0.2, 0.2]))
        self.areas.append(MapArea(f"{name}_{len(self.areas)}", AreaKind.STOP_LINE, strip(at[:, :2], 1.5)))

    def build(self) -> VectorMap:
        blocks: dict[str, list[Lane]] = {}
        for lane in self.lanes.values():
            blocks.setdefault(lane.roadblock_id, []).append(lane)
        made = {
            k: Roadblock(k, lanes[0].polygon, tuple(lane.id for lane in lanes), lanes[0].is_connector)
            for k, lanes in blocks.items()
        }
        return VectorMap(dict(self.lanes), made, tuple(self.areas))


ARMS = {"east": 0.0, "north": 0.5 * np.pi, "west": np.pi, "south": 1.5 * np.pi}


def make_crossing(
    movements: Iterable[tuple[str, str]] | None = None,
    stops: Iterable[str] = (),
    near: float = 12.0,
    side: float = 1.0,
    arms: dict[str, float] | None = None,
) -> VectorMap:
    """Return a crossing of single lanes; `movements` are the allowed (from, to), by default all but turning round."""
    arms = ARMS if arms is None else arms
    roads = Roads(side)
    for name, angle in arms.items():
        roads.arm(name, angle, near)
    for start, end in movements if movements is not None else [(a, b) for a in arms for b in arms if a != b]:
        roads.connect(f"{start}_in", f"{end}_out")
    for name in stops:
        roads.stop_line(f"{name}_in")
    return roads.build()


def make_roundabout(radius: float = 16.0, near: float = 32.0) -> VectorMap:
    """Return a roundabout with four arms; the ring has an entry and an exit for each."""
    roads = Roads()
    for name, angle in ARMS.items():
        roads.arm(name, angle, near)
    gap = 0.42
    ends = {}
    for name, angle in ARMS.items():
        # Counter-clockwise: traffic leaves before an arm and enters behind it.
        ends[name] = (angle - gap, angle + gap)
    names = list(ARMS)

    def arc(start: float, end: float) -> np.ndarray:
        turn = np.linspace(start, end, 13)[:, None]
        return radius * np.concatenate([np.cos(turn), np.sin(turn)], axis=1)

    for k, name in enumerate(names):
        after = names[(k + 1) % 4]
        enters, leaves = ends[name][1], ends[after][0] + (2 * np.pi if k == 3 else 0.0)
        roads.lane(f"ring_{name}", arc(enters, leaves), limit=7.0)
        roads.lane(f"pass_{name}", arc(*ends[name]), limit=7.0)
    for k, name in enumerate(names):
        before = names[k - 1]
        roads.link(f"ring_{before}", f"pass_{name}")
        roads.link(f"pass_{name}", f"ring_{name}")
        roads.connect(f"ring_{before}", f"{name}_out", 7.0)
        roads.connect(f"{name}_in", f"ring_{name}", 7.0)
    return roads.build()


def driven_log(vector_map: VectorMap, lane: str, s: float, speed: float, frames: int) -> np.ndarray:
    """Return poses (frames, 3) along a lane at constant speed."""
    return polyline.sample(vector_map.lanes[lane].centerline, s + speed * DT * np.arange(frames))


def make_meeting(
    vector_map: VectorMap,
    starts: Iterable[tuple[str, float, float]],
    frames: int = 200,
    logged: int = HISTORY + 2,
    names: Iterable[str] | None = None,
    **changes: object,
) -> Scenario:
    """Return a scenario of vehicles that start on (lane, arc length, speed) and whose logs end after a moment.

    The ego stands far away.
    """
    poses = [driven_log(vector_map, lane, s, v, frames) for lane, s, v in starts]
    tracks = make_tracks(np.stack(poses))
    valid = np.zeros((len(poses), frames), bool)
    valid[:, :logged] = True
    ids = tuple(names) if names is not None else tracks.ids
    tracks = AgentTracks(
        ids,
        tracks.types,
        np.where(valid[..., None], tracks.pose, 0.0),
        np.where(valid[..., None], tracks.velocity, 0.0),
        tracks.size,
        valid,
    )
    ego = np.tile([500.0, 500.0, 0.0], (frames, 1))
    values = {
        "agents": tracks,
        "map": vector_map,
        "ego": EgoTrack(ego, np.zeros((frames, 2)), np.zeros((frames, 2))),
        "route": (),
    }
    return make_scenario(frames=frames, **(values | changes))


def first_state(scenario: Scenario, ego: np.ndarray | None = None) -> SimState:
    frame, agents = scenario.initial_frame, scenario.agents
    ego = scenario.ego.state(frame) if ego is None else ego
    now = AgentFrame(agents.pose[:, frame], agents.velocity[:, frame], agents.valid[:, frame])
    return SimState(frame, 0, ego, now, ego[None])


def run_traffic(
    traffic: TrafficModel,
    scenario: Scenario,
    steps: int,
    ego_at: Callable[[int], np.ndarray] | None = None,
) -> list[SimState]:
    """Return the states of `steps` steps while the ego repeats its log or does what `ego_at` says."""

    def ego(frame: int) -> np.ndarray:
        return scenario.ego.state(min(frame, scenario.num_frames - 1)) if ego_at is None else ego_at(frame)

    states = [first_state(scenario, ego(scenario.initial_frame))]
    for _ in range(steps):
        state = states[-1]
        after = traffic.step(state)
        states.append(SimState(state.frame + 1, 0, ego(state.frame + 1), after, ego(state.frame + 1)[None]))
    return states


def listed(scenario: Scenario, order: np.ndarray) -> Scenario:
    """Return the same scenario with its agents listed in another order."""
    a = scenario.agents
    tracks = AgentTracks(
        tuple(a.ids[i] for i in order),
        a.types[order],
        a.pose[order],
        a.velocity[order],
        a.size[order],
        a.valid[order],
    )
    return replace(scenario, agents=tracks)


def check_order(
    scenario: Scenario, steps: int, model: Callable[[Scenario], TrafficModel], seed: int = 0
) -> list[SimState]:
    """Run `scenario` twice, its agents listed differently, and compare every bit of every frame."""
    order = np.random.default_rng(seed).permutation(scenario.agents.num_agents)
    other = listed(scenario, order)
    one = run_traffic(model(scenario), scenario, steps)
    two = run_traffic(model(other), other, steps)
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.agents.present[order], b.agents.present)
        assert np.array_equal(a.agents.pose[order], b.agents.pose)
        assert np.array_equal(a.agents.velocity[order], b.agents.velocity)
    first, second = model(scenario).forecast(one[-1], 10), model(other).forecast(two[-1], 10)
    assert np.array_equal(first.pose[order], second.pose)
    return one


def overlapping_pairs(scenario: Scenario, states: list[SimState]) -> set[tuple[int, int]]:
    """Return all pairs of agents (the ego is number A) whose boxes overlap in any state."""
    size, vehicle = scenario.agents.size, scenario.vehicle
    size = np.concatenate([size[:, :2], [[vehicle.length, vehicle.width]]])
    found: set[tuple[int, int]] = set()
    for state in states:
        ego = se2.shift_forward(state.ego[:3], vehicle.rear_axle_to_center)
        pose = np.concatenate([state.agents.pose, ego[None]])
        index = np.append(np.flatnonzero(state.agents.present), len(size) - 1)
        corners = boxes.corners(pose[index], size[index, 0], size[index, 1])
        hit = boxes.overlap(corners[:, None], corners[None]) & np.triu(np.ones((len(index),) * 2, bool), 1)
        found |= {(int(index[a]), int(index[b])) for a, b in zip(*np.nonzero(hit), strict=True)}
    return found


def speeds(states: list[SimState]) -> np.ndarray:
    """Return the speeds (S, A) of all agents over the states."""
    return np.stack([np.hypot(*state.agents.velocity.T) for state in states])


def poses(states: list[SimState]) -> np.ndarray:
    """Return the poses (S, A, 3) of all agents over the states."""
    return np.stack([state.agents.pose for state in states])


VEHICLE, PEDESTRIAN, CYCLIST = AgentType.VEHICLE, AgentType.PEDESTRIAN, AgentType.CYCLIST
