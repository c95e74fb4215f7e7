"""The ego is driven by a planner that shares a folder with the simulator, such as that of the original."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Protocol as Interface

import numpy as np
from PIL import Image

from simengine.bridge.files.client import FilesClient
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

JPEG_QUALITY = 95  # OpenCV's default, with which the original writes


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


class FilesPlannerPolicy:
    """Writes the frames of one scene and follows the plans that come back.

    The planner wants to see the history before the first decision, and the state after the last one.

    Args:
        client: the folder.
        scenario: the scenario at the simulation rate.
        stage: the simulation.
        history: frames up to the first decision, it included.
        decisions: how many plans are asked for.
        stride: simulation frames between two frames of the protocol.
    """

    def __init__(
        self, client: FilesClient, scenario: Scenario, stage: Stage, history: int, decisions: int, stride: int
    ) -> None:
        self._client, self._scenario, self._stage = client, scenario, stage
        self._history, self._decisions, self._stride = history, decisions, stride

    def plan(self, observation: Observation, state: SimState) -> Plan:
        """Return the planner's plan."""
        if observation.step == 0:
            self._client.begin(scene_labels(self._scenario, self._history, self._stride))
            for step in range(self._history - 1):
                past = self._logged_state(state, step)
                self._put(step, past, self._stage.observe(past))
        step = self._history - 1 + observation.step
        self._put(step, state, observation)
        plan = self._client.plan()
        if observation.step == self._decisions - 1:
            final = self._stage.step(state, plan)
            self._put(step + 1, final, self._stage.observe(final))
        return plan

    def _logged_state(self, state: SimState, step: int) -> SimState:
        frame = max(state.frame - (self._history - 1 - step) * self._stride, 0)
        trail = state.ego_trail[: frame + 1]
        agents = self._stage.past_agents(frame)
        time = int(self._scenario.timestamps_us[frame])
        return replace(state, frame=frame, timestamp_us=time, ego=trail[-1], agents=agents, ego_trail=trail)

    def _put(self, step: int, state: SimState, observation: Observation) -> None:
        velocity, acceleration, yaw_rate = self._motion(state, step)
        moment = Moment(
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
        self._client.put(moment, observation.images)

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
            turn = wrap(self._scenario.ego.pose[following, 2] - yaw)
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


def encode_jpeg(image: np.ndarray) -> bytes:
    """Return an RGB image (H, W, 3) uint8 as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
