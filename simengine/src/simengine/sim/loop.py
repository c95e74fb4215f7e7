"""The simulation: `reset`, `observe` and `step`, the only place where state advances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol as Interface

import numpy as np

from simengine.agents.traffic import TrafficModel, logged_frame
from simengine.datatypes.agents import AgentStates
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.lidar import LidarCloud
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import AgentFrame, SimState
from simengine.dynamics.tracking import Tracker
from simengine.errors import ScenarioFormatError
from simengine.scenario.resample import resample
from simengine.scenario.scenario import Scenario
from simengine.sim.cast import simulated_scenario
from simengine.sim.observe import command_line, ego_observation
from simengine.sim.protocol import Protocol

_MOTION = [StateIndex.VELOCITY_X, StateIndex.VELOCITY_Y, StateIndex.ANGULAR_VELOCITY]


class Renderer(Interface):
    """Draws what the cameras of the ego see."""

    def load(self, scenario: Scenario) -> None:
        """Get ready to draw `scenario`."""
        ...

    def prefetch(self, scenario: Scenario) -> None:
        """Begin to get ready for a later `load`; images never depend on it."""
        ...

    def render(
        self,
        ego_pose: np.ndarray,
        agents: AgentStates,
        cameras: tuple[CameraCalibration, ...],
        frame_time: int,
        ego_motion: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Return an image (H, W, 3) uint8 RGB for each camera; `ego_motion` (3,) is velocity and yaw rate."""
        ...


class Lidar(Interface):
    """Scans what is around the ego in the scenario that the renderer has loaded."""

    def scan(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> LidarCloud:
        """Return the merged cloud."""
        ...


@dataclass(frozen=True)
class Episode:
    """What stays constant while one scenario runs.

    Attributes:
        scenario: at the simulation rate; agents that the protocol leaves out are valid nowhere.
        logged: the same with all agents.
        traffic: how the others move.
        line: (N, 2) line that driving commands follow.
        past: frame -> agents at frames before the first decision in which traffic moved by its model.
    """

    scenario: Scenario
    logged: Scenario
    traffic: TrafficModel
    line: np.ndarray
    past: dict[int, AgentFrame]


class Simulation:
    """Runs one scenario at a time; the state of a run is the `SimState` it hands out.

    Args:
        protocol: rates and lengths.
        tracker: how the ego follows plans.
        make_traffic: scenario at the simulation rate -> traffic model.
        renderer: draws camera images; None for observations without images.
        cameras: the rig to render, or None to use the scenario's own.
        lidar: scans the scene of the renderer; None for observations without a cloud.
    """

    def __init__(
        self,
        protocol: Protocol,
        tracker: Tracker,
        make_traffic: Callable[[Scenario], TrafficModel],
        renderer: Renderer | None = None,
        cameras: tuple[CameraCalibration, ...] | None = None,
        lidar: Lidar | None = None,
    ) -> None:
        self.protocol = protocol
        self._tracker = tracker
        self._make_traffic = make_traffic
        self._renderer = renderer
        self._cameras = cameras
        self._lidar = lidar
        self._episode: Episode | None = None

    @property
    def episode(self) -> Episode:
        """The constants of the scenario that was last reset to."""
        assert self._episode is not None, "reset comes first"
        return self._episode

    @property
    def cameras(self) -> tuple[CameraCalibration, ...]:
        """The rig whose images observations carry; empty without a renderer."""
        if self._renderer is None:
            return ()
        return self.episode.scenario.cameras if self._cameras is None else self._cameras

    def reset(self, scenario: Scenario) -> SimState:
        """Return the state at the first decision of `scenario`, its log played up to there.

        Raises:
            ScenarioFormatError: the log ends before the horizon of the protocol.
        """
        logged = resample(scenario, self.protocol.dt)
        start = logged.initial_frame
        if start + self.protocol.num_steps >= logged.num_frames:
            left = (logged.num_frames - 1 - start) * logged.dt
            raise ScenarioFormatError(
                f"scenario {logged.token} has {left:.1f} s after its first decision, expected at least the "
                f"horizon of {self.protocol.horizon} s: shorten protocol.horizon or leave it out"
            )
        scenario = simulated_scenario(logged, self.protocol.rules.absent)
        traffic = self._make_traffic(scenario)
        state, past = self._warm_up(scenario, traffic)
        self._episode = Episode(scenario, logged, traffic, command_line(scenario), past)
        if self._renderer is not None:
            self._renderer.load(scenario)
        return state

    def prefetch(self, scenario: Scenario) -> None:
        """Begin to open the scene of a scenario that will be reset to later; results never depend on it."""
        if self._renderer is not None:
            resampled = resample(scenario, self.protocol.dt)
            self._renderer.prefetch(simulated_scenario(resampled, self.protocol.rules.absent))

    def _warm_up(self, scenario: Scenario, traffic: TrafficModel) -> tuple[SimState, dict[int, AgentFrame]]:
        """Return the state at the first decision, and the agents of the frames in which traffic led up to it."""
        start = scenario.initial_frame
        trail = self.protocol.rules.logged_states(scenario, start + 1)
        first = max(start - self.protocol.warm_up_steps, 0)
        agents, past = logged_frame(scenario.agents, first), {}
        for frame in range(first, start):
            past[frame] = agents
            time = int(scenario.timestamps_us[frame])
            agents = traffic.step(SimState(frame, time, trail[frame], agents, trail[: frame + 1], (agents,)))
        time = int(scenario.timestamps_us[start])
        return SimState(start, time, trail[-1], agents, trail, (agents,)), past

    def observe(self, state: SimState, with_images: bool = True) -> Observation:
        """Return what the ego policy is told at `state`; images and a cloud only if there is a renderer."""
        scenario = self.episode.scenario
        images, cloud = {}, None
        if with_images and self._renderer is not None:
            agents = self.present_agents(state)
            motion = state.ego[_MOTION]
            images = self._renderer.render(state.ego[:3], agents, self.cameras, state.frame, motion)
            cloud = None if self._lidar is None else self._lidar.scan(state.ego[:3], agents, state.frame)
        return ego_observation(
            state, scenario, self.protocol, self.episode.line, self.cameras if images else (), images, cloud
        )

    def step(self, state: SimState, plan: Plan) -> SimState:
        """Return the state one decision interval after `state` while the ego follows `plan`."""
        return self._advance(state, plan, self.protocol.steps_per_decision)

    def finish(self, state: SimState, plan: Plan) -> SimState:
        """Return the state after the last decision interval and the look-ahead, the ego staying on `plan`.

        Traffic has to go on past the last scored state for time to collision; a plan shorter than that
        shortens the look-ahead.
        """
        protocol = self.protocol
        steps = protocol.steps_per_decision
        reach = int(plan.horizon / protocol.dt + 1e-9)
        return self._advance(state, plan, max(steps, min(steps + protocol.lookahead_steps, reach)))

    def present_agents(self, state: SimState) -> AgentStates:
        """Return the agents that exist at `state`."""
        tracks, index = self.episode.scenario.agents, np.flatnonzero(state.agents.present)
        return AgentStates(
            tuple(tracks.ids[i] for i in index),
            tracks.types[index],
            state.agents.pose[index],
            state.agents.velocity[index],
            tracks.size[index],
        )

    def past_agents(self, frame: int) -> AgentFrame:
        """Return the agents at a frame before the first decision: as they moved, or as logged before they did."""
        episode = self.episode
        past = episode.past.get(frame)
        return logged_frame(episode.scenario.agents, frame) if past is None else past

    def _advance(self, state: SimState, plan: Plan, steps: int) -> SimState:
        """Ego and agents move from the same state: the agents never see where the ego goes next."""
        protocol, episode = self.protocol, self.episode
        future = self._tracker.follow(state.ego, plan, episode.scenario.vehicle, protocol.dt, steps)
        trail = np.concatenate([state.ego_trail, future])
        for ego in future:
            agents = episode.traffic.step(state)
            frame = state.frame + 1
            state = SimState(
                frame=frame,
                timestamp_us=state.timestamp_us + round(protocol.dt * 1e6),
                ego=ego,
                agents=agents,
                ego_trail=trail[: frame + 1],
                agent_trail=(*state.agent_trail, agents),
            )
        return state
