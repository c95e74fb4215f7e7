"""From a stage to a log: the expert drives the ego, the driver model and scripts move the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simengine.agents.expert import ExpertPolicy
from simengine.agents.roster import Role, Roster
from simengine.agents.signals import find_signals
from simengine.agents.traffic import IdmTraffic, TrafficModel
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.state import AgentFrame, SimState
from simengine.dynamics.tracking import LqrTracking
from simengine.geometry import polyline
from simengine.scenario.scenario import Scenario
from simengine.world.clock import DT, HISTORY_FRAMES, INITIAL_TIME, NUM_FRAMES
from simengine.world.draft import Perturbation, finish, first_state, make_draft
from simengine.world.stage import Stage
from simengine.world.surprise import Surprise

DECISION_FRAMES = 5
# Who wants to keep his speed goes on braking or accelerating for so long [s].
PEDAL_LAG = 0.2


@dataclass(frozen=True)
class Foresight:
    """Where the ego will be if it drives alone up to the first decision and then keeps its speed.

    Attributes:
        center: arc length of its box centre on its line at the first decision [m].
        speed: speed from then on [m/s].
    """

    center: float
    speed: float

    def reached(self, time: float) -> float:
        """Return the arc length of the box centre at `time` [s] [m]."""
        return self.center + self.speed * (time - INITIAL_TIME)

    def time_at(self, s: float) -> float:
        """Return when the box centre is at arc length `s` [m] [s]."""
        return INITIAL_TIME + (s - self.center) / max(self.speed, 0.5)


def foresee(stage: Stage) -> Foresight:
    """Return how the ego gets on until the first decision if it is alone."""
    alone = replace(stage, actors=[])
    draft = make_draft(alone)
    _, egos = _roll(draft, IdmTraffic(draft, roster=_roster(alone, draft)), stage.line, HISTORY_FRAMES + 1)
    along, _ = polyline.project(stage.line, egos[-1][:2])
    speed = egos[-1][StateIndex.VELOCITY_X] + PEDAL_LAG * egos[-1][StateIndex.ACCELERATION_X]
    return Foresight(float(along) + stage.vehicle.rear_axle_to_center, max(float(speed), 0.0))


def drive(stage: Stage, token: str, tags: dict, perturbation: Perturbation) -> Scenario:
    """Return the scenario that `stage` develops into."""
    draft = make_draft(stage, token, tags, perturbation)
    traffic = Surprise(IdmTraffic(draft, roster=_roster(stage, draft)), stage.actors)
    agents, egos = _roll(draft, traffic, stage.line, NUM_FRAMES)
    return finish(draft, np.array(egos), agents)


def _roll(
    draft: Scenario, traffic: TrafficModel, line: np.ndarray, frames: int
) -> tuple[list[AgentFrame], list[np.ndarray]]:
    """Agents and ego states of the first `frames` frames with the expert at the wheel."""
    tracker = LqrTracking()
    expert = ExpertPolicy(draft, traffic, line=line)
    state = first_state(draft)
    agents, egos = [state.agents], [state.ego]
    while state.frame + 1 < frames:
        plan = expert.plan(None, state)
        for ego in tracker.follow(state.ego, plan, draft.vehicle, DT, DECISION_FRAMES):
            frame = traffic.step(state)
            agents.append(frame)
            egos.append(ego)
            state = SimState(
                state.frame + 1, state.timestamp_us + round(DT * 1e6), ego, frame, np.array(egos)
            )
    return agents[:frames], egos[:frames]


def _roster(stage: Stage, draft: Scenario) -> Roster:
    actors = stage.actors
    role = np.array([Role.REPLAY if actor.path is None else Role.DRIVE for actor in actors], np.int64)
    drivers = np.flatnonzero(role == Role.DRIVE)
    paths = [actors[i].path for i in drivers]
    path_row = np.full(len(actors), -1, np.int64)
    path_row[drivers] = np.arange(len(drivers))
    signals = find_signals(paths, np.arange(len(paths)), draft.lights, draft.map)
    return Roster(role, tuple(paths), path_row, signals, np.zeros((len(actors), len(actors) + 1), bool))
