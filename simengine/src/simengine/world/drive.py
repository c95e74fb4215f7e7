"""From a stage to a log: the expert drives the ego, the driver model and scripts move the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simengine.agents.expert import ExpertPolicy
from simengine.agents.roster import Role, Roster
from simengine.agents.signals import find_signals
from simengine.agents.traffic import Forecast, IdmTraffic, TrafficModel
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import STATE_SIZE, EgoTrack, StateIndex
from simengine.datatypes.state import AgentFrame, SimState
from simengine.dynamics.tracking import LqrTracking
from simengine.geometry.angles import wrap
from simengine.render.rig import nuplan_rig
from simengine.scenario.scenario import Scenario
from simengine.world.stage import DT, HISTORY_FRAMES, NUM_FRAMES, Stage, first_pose

DECISION_FRAMES = 5
EPOCH_US = 1_700_000_000_000_000
CAMERA_SIZE_PX = (320, 180)


@dataclass(frozen=True)
class Perturbation:
    """How far off its lane and speed the ego starts.

    Attributes:
        lateral: offset to the left [m].
        heading: turn to the left [rad].
        speed: factor on the speed.
    """

    lateral: float = 0.0
    heading: float = 0.0
    speed: float = 1.0


class Surprise:
    """Traffic whose scripted actors are not foreseen before their time.

    Until then standing ones are not noticed and moving ones are expected to go straight on: the expert
    then has to react, like everybody else, instead of having slowed down long before.
    """

    def __init__(self, traffic: TrafficModel, hidden_until: np.ndarray, unnoticed: np.ndarray) -> None:
        self._traffic, self._until, self._unnoticed = traffic, hidden_until, unnoticed

    def step(self, state: SimState) -> AgentFrame:
        """See `TrafficModel.step`."""
        return self._traffic.step(state)

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """See `TrafficModel.forecast`."""
        known = self._traffic.forecast(state, steps)
        hidden = np.flatnonzero(state.frame * DT < self._until)
        if not len(hidden):
            return known
        pose, velocity, present = known.pose.copy(), known.velocity.copy(), known.present.copy()
        time = DT * np.arange(steps + 1)
        now = known.velocity[hidden, :1]
        pose[hidden] = known.pose[hidden, :1]
        pose[hidden, :, :2] += time[None, :, None] * now
        velocity[hidden] = now
        present[hidden] &= (np.linalg.norm(now, axis=2) > 0.1) & ~self._unnoticed[hidden, None]
        return Forecast(pose, velocity, present)


def drive(stage: Stage, token: str, tags: dict, perturbation: Perturbation) -> Scenario:
    """Return the scenario that `stage` develops into."""
    draft = _draft(stage, token, tags, perturbation)
    traffic = Surprise(
        IdmTraffic(draft, roster=_roster(stage, draft)),
        np.array([actor.hidden_until for actor in stage.actors]),
        np.array([actor.unnoticed for actor in stage.actors], bool),
    )
    tracker = LqrTracking()
    expert = ExpertPolicy(draft, traffic, line=stage.line)
    state = _first_state(draft)
    agents, egos = [state.agents], [state.ego]
    while state.frame + 1 < NUM_FRAMES:
        plan = expert.plan(None, state)
        for ego in tracker.follow(state.ego, plan, draft.vehicle, DT, DECISION_FRAMES):
            frame = traffic.step(state)
            state = replace(
                state, frame=state.frame + 1, timestamp_us=state.timestamp_us + 100_000, ego=ego, agents=frame
            )
            agents.append(frame)
            egos.append(ego)
    return _finish(draft, np.array(egos[:NUM_FRAMES]), agents[:NUM_FRAMES])


def _draft(stage: Stage, token: str, tags: dict, perturbation: Perturbation) -> Scenario:
    """The scenario before anyone drives: scripts complete, everyone else at frame 0 only."""
    place, actors = stage.place, stage.actors
    pose = np.zeros((len(actors), NUM_FRAMES, 3))
    velocity = np.zeros((len(actors), NUM_FRAMES, 2))
    valid = np.zeros((len(actors), NUM_FRAMES), bool)
    for i, actor in enumerate(actors):
        if actor.track is not None:
            pose[i], valid[i] = actor.track, True
            velocity[i] = np.gradient(actor.track[:, :2], DT, axis=0)
        else:
            first = first_pose(actor)
            pose[i, 0], valid[i, 0] = first, True
            velocity[i, 0] = actor.speed * np.array([np.cos(first[2]), np.sin(first[2])])
    pose[..., 2] = wrap(pose[..., 2])
    start = stage.beside(stage.ego_start, perturbation.lateral, perturbation.heading)
    speed = stage.ego_speed * perturbation.speed
    return Scenario(
        token=token,
        log_name=f"builtin_{token}",
        map_name=f"builtin_{place.family}",
        dt=DT,
        timestamps_us=EPOCH_US + np.arange(NUM_FRAMES, dtype=np.int64) * round(DT * 1e6),
        initial_frame=HISTORY_FRAMES,
        agents=AgentTracks(
            tuple(f"{actor.kind.name.lower()}_{i}" for i, actor in enumerate(actors)),
            np.array([int(actor.kind) for actor in actors], np.int8),
            pose,
            velocity,
            np.array([actor.size for actor in actors], np.float64).reshape(-1, 3),
            valid,
        ),
        ego=EgoTrack(
            np.tile(np.append(start[:2], wrap(start[2])), (NUM_FRAMES, 1)),
            np.tile([speed, 0.0], (NUM_FRAMES, 1)),
            np.zeros((NUM_FRAMES, 2)),
        ),
        vehicle=stage.vehicle,
        map=place.vector_map,
        lights=stage.lights(),
        route=place.route,
        cameras=nuplan_rig(*CAMERA_SIZE_PX),
        tags=tags,
    )


def _roster(stage: Stage, draft: Scenario) -> Roster:
    actors = stage.actors
    role = np.array([Role.REPLAY if actor.path is None else Role.DRIVE for actor in actors], np.int64)
    drivers = np.flatnonzero(role == Role.DRIVE)
    paths = [actors[i].path for i in drivers]
    path_row = np.full(len(actors), -1, np.int64)
    path_row[drivers] = np.arange(len(drivers))
    signals = find_signals(paths, np.arange(len(paths)), draft.lights, draft.map)
    return Roster(role, tuple(paths), path_row, signals, np.zeros((len(actors), len(actors) + 1), bool))


def _first_state(draft: Scenario) -> SimState:
    ego = np.zeros(STATE_SIZE)
    ego[:3], ego[3:5] = draft.ego.pose[0], draft.ego.velocity[0]
    agents = AgentFrame(draft.agents.pose[:, 0], draft.agents.velocity[:, 0], draft.agents.valid[:, 0])
    return SimState(0, int(draft.timestamps_us[0]), ego, agents, ego[None])


def _finish(draft: Scenario, ego: np.ndarray, agents: list[AgentFrame]) -> Scenario:
    tracks = replace(
        draft.agents,
        pose=np.stack([frame.pose for frame in agents], axis=1),
        velocity=np.stack([frame.velocity for frame in agents], axis=1),
        valid=np.stack([frame.present for frame in agents], axis=1),
    )
    track = EgoTrack(
        ego[:, :3].copy(),
        ego[:, StateIndex.VELOCITY_X : StateIndex.VELOCITY_Y + 1].copy(),
        ego[:, StateIndex.ACCELERATION_X : StateIndex.ACCELERATION_Y + 1].copy(),
    )
    return replace(draft, agents=tracks, ego=track)
