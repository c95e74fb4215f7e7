"""Moments of a simulation as the frames of the original's protocol describe them.

Both the `files` transport and the export of rollouts are made of these.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol as Interface

import numpy as np

from simengine.bridge.files.scene import NO_VARIANT, Moment, SceneLabels
from simengine.datatypes.agents import AgentStates
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.lights import LightState
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import AgentFrame, SimState
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import rotate
from simengine.scenario.scenario import Scenario


class Stage(Interface):
    """What of the simulation is needed to show frames that no decision is asked for."""

    def observe(self, state: SimState) -> Observation:
        """Return what is seen at `state`."""
        ...

    def step(self, state: SimState, plan: Plan) -> SimState:
        """Return the state one decision after `state`."""
        ...

    def present_agents(self, state: SimState) -> AgentStates:
        """Return the agents that exist at `state`."""
        ...

    def past_agents(self, frame: int) -> AgentFrame:
        """Return the agents at a frame before the first decision."""
        ...


class SceneMoments:
    """Describes states of one scene, steps counted from the start of the history.

    Args:
        scenario: the scenario at the simulation rate.
        stage: the simulation.
        history: frames up to the first decision, it included.
        stride: simulation frames between two steps.
    """

    def __init__(self, scenario: Scenario, stage: Stage, history: int, stride: int) -> None:
        self._scenario, self._stage, self._history, self._stride = scenario, stage, history, stride

    def past(self, state: SimState) -> list[SimState]:
        """Return the states of the history before the first decision at `state`, oldest first."""
        return [self._past_state(state, step) for step in range(self._history - 1)]

    def at_step(self, final: SimState, step: int) -> SimState:
        """Return the state at a step after the history, out of the trails of a later one."""
        start = self._scenario.initial_frame
        frame = start + (step - self._history + 1) * self._stride
        back = final.frame - frame
        return SimState(
            frame,
            final.timestamp_us - back * round(self._scenario.dt * 1e6),
            final.ego_trail[frame],
            final.agent_trail[frame - start],
            final.ego_trail[: frame + 1],
            final.agent_trail[: frame - start + 1],
        )

    def moment(self, step: int, state: SimState, observation: Observation) -> Moment:
        """Return the moment `state`, which is step `step` and looks like `observation`."""
        velocity, acceleration, yaw_rate = self._motion(state, step)
        return Moment(
            step=step,
            timestamp_us=state.timestamp_us,
            ego_pose=state.ego[:3],
            velocity=velocity,
            acceleration=acceleration,
            yaw_rate=yaw_rate,
            command=int(observation.command_history[-1]),
            agents=self._stage.present_agents(state),
            cameras=observation.cameras,
            red_lights=self._red_lights(state.frame),
        )

    def _past_state(self, state: SimState, step: int) -> SimState:
        frame = max(state.frame - (self._history - 1 - step) * self._stride, 0)
        trail = state.ego_trail[: frame + 1]
        agents = self._stage.past_agents(frame)
        time = int(self._scenario.timestamps_us[frame])
        return replace(state, frame=frame, timestamp_us=time, ego=trail[-1], agents=agents, ego_trail=trail)

    def _motion(self, state: SimState, step: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Return velocity, acceleration and yaw rate as the original derives them.

        Acceleration is the change of velocity since the frame before, 0 in the first. Logged yaw rates are
        differences to the next logged frame; logged velocities are those of the axle.
        """
        yaw = state.ego[StateIndex.HEADING]
        now = self._center_velocity(state.ego)
        acceleration = np.zeros(2)
        if step > 0 and state.frame >= self._stride:
            before = self._center_velocity(state.ego_trail[state.frame - self._stride])
            acceleration = rotate(now - before, -yaw) / (self._stride * self._scenario.dt)
        yaw_rate = float(state.ego[StateIndex.ANGULAR_VELOCITY])
        following = state.frame + self._stride
        if state.frame <= self._scenario.initial_frame and following < self._scenario.num_frames:
            logged = self._scenario.ego.pose[:, 2]
            turn = wrap(logged[following] - logged[state.frame])
            yaw_rate = float(turn) / (self._stride * self._scenario.dt)
        return rotate(now, -yaw), acceleration, yaw_rate

    def _center_velocity(self, ego: np.ndarray) -> np.ndarray:
        """Return the velocity (2,) of the box centre in world axes."""
        lever = self._scenario.vehicle.rear_axle_to_center
        lateral = ego[StateIndex.VELOCITY_Y] + ego[StateIndex.ANGULAR_VELOCITY] * lever
        return rotate(np.array([ego[StateIndex.VELOCITY_X], lateral]), ego[StateIndex.HEADING])

    def _red_lights(self, frame: int) -> tuple[tuple[str, bool], ...]:
        lights = self._scenario.lights
        shown = lights.state[:, min(frame, lights.state.shape[1] - 1)]
        return tuple(
            (lane, bool(s == LightState.RED)) for lane, s in zip(lights.lane_ids, shown, strict=True)
        )


def scene_labels(scenario: Scenario, history: int, stride: int) -> SceneLabels:
    """Return the names of a scenario in the protocol.

    Underscores separate token and step in file names, so tokens get dashes instead. Frame tokens of a converted
    scenario are those of its logged frames.

    Args:
        scenario: at the simulation rate.
        history: frames up to the first decision, it included.
        stride: simulation frames between two frames of the protocol.
    """
    token = scenario.token.replace("_", "-")
    # Tokens count logged frames, the protocol counts from the start of the history.
    skipped = round((scenario.initial_frame - (history - 1) * stride) / stride)
    return SceneLabels(
        scene_token=token,
        scenario_id=str(scenario.tags.get("legacy_id", f"{scenario.log_name}-{token}")),
        variant=str(scenario.tags.get("variant", NO_VARIANT)),
        frame_tokens=tuple(scenario.tags.get("frame_tokens", ()))[max(skipped, 0) :],
        map_location=scenario.map_name,
        roadblock_ids=scenario.route,
        global_from_world=scenario.global_from_world,
        vehicle=scenario.vehicle,
    )
