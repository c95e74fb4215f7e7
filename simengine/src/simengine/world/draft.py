"""A stage as a scenario in which nobody has driven yet, and the scenario once they have."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import STATE_SIZE, EgoTrack, StateIndex
from simengine.datatypes.state import AgentFrame, SimState
from simengine.geometry.angles import wrap
from simengine.render.rig import nuplan_rig
from simengine.scenario.scenario import Scenario
from simengine.world.clock import DT, HISTORY_FRAMES, NUM_FRAMES
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import TIMES

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


def make_draft(
    stage: Stage, token: str = "draft", tags: dict | None = None, perturbation: Perturbation | None = None
) -> Scenario:
    """Return the scenario before anyone drives: scripts complete, everyone else at frame 0 only."""
    perturbation = perturbation or Perturbation()
    place = stage.place
    start = stage.beside(stage.ego_start, perturbation.lateral, perturbation.heading)
    speed = stage.ego_speed * perturbation.speed
    return Scenario(
        token=token,
        log_name=f"builtin_{token}",
        map_name=f"builtin_{place.family}",
        dt=DT,
        timestamps_us=EPOCH_US + np.arange(NUM_FRAMES, dtype=np.int64) * round(DT * 1e6),
        initial_frame=HISTORY_FRAMES,
        agents=_tracks(stage.actors),
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
        tags=tags or {},
    )


def _tracks(actors: list[Actor]) -> AgentTracks:
    pose = np.zeros((len(actors), NUM_FRAMES, 3))
    velocity = np.zeros((len(actors), NUM_FRAMES, 2))
    valid = np.zeros((len(actors), NUM_FRAMES), bool)
    for i, actor in enumerate(actors):
        if actor.track is not None:
            there = actor.appears - 1e-9 <= TIMES
            pose[i, there], valid[i] = actor.track[there], there
            velocity[i, there] = np.gradient(actor.track[:, :2], DT, axis=0)[there]
        else:
            first = actor.first_pose
            pose[i, 0], valid[i, 0] = first, True
            velocity[i, 0] = actor.speed * np.array([np.cos(first[2]), np.sin(first[2])])
    pose[..., 2] = wrap(pose[..., 2])
    return AgentTracks(
        tuple(actor_id(actors, i) for i in range(len(actors))),
        np.array([int(actor.kind) for actor in actors], np.int8),
        pose,
        velocity,
        np.array([actor.size for actor in actors], np.float64).reshape(-1, 3),
        valid,
    )


def actor_id(actors: list[Actor], index: int) -> str:
    """Return the track id of an actor."""
    return f"{actors[index].kind.name.lower()}_{index}"


def first_state(draft: Scenario) -> SimState:
    """Return the state at frame 0."""
    ego = np.zeros(STATE_SIZE)
    ego[:3], ego[3:5] = draft.ego.pose[0], draft.ego.velocity[0]
    agents = AgentFrame(draft.agents.pose[:, 0], draft.agents.velocity[:, 0], draft.agents.valid[:, 0])
    return SimState(0, int(draft.timestamps_us[0]), ego, agents, ego[None])


def finish(draft: Scenario, ego: np.ndarray, agents: list[AgentFrame]) -> Scenario:
    """Return `draft` with ego states (T, 11) and the agents of T frames as its log."""
    present = np.stack([frame.present for frame in agents], axis=1)
    pose = np.stack([frame.pose for frame in agents], axis=1)
    velocity = np.stack([frame.velocity for frame in agents], axis=1)
    tracks = replace(
        draft.agents,
        pose=np.where(present[..., None], pose, 0.0),
        velocity=np.where(present[..., None], velocity, 0.0),
        valid=present,
    )
    track = EgoTrack(
        ego[:, :3].copy(),
        ego[:, StateIndex.VELOCITY_X : StateIndex.VELOCITY_Y + 1].copy(),
        ego[:, StateIndex.ACCELERATION_X : StateIndex.ACCELERATION_Y + 1].copy(),
    )
    return replace(draft, agents=tracks, ego=track)
