"""How a scenario stands in a scene: where the ego is, who is drawn, and as what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.geometry.se3 import transform_from_pose
from simengine.render.gaussians import FlatGaussians
from simengine.render.lift_agents import lift_agent
from simengine.render.scene import SplatNode, SplatScene, agent_node, compose_posed, light_node
from simengine.scenario.scenario import Scenario

AgentMaker = Callable[[str, int, np.ndarray], SplatNode]
"""Agent id, `AgentType`, size (3,) [m] -> the node of an agent that has no Gaussians of its own."""


class Stage(Protocol):
    """A scene with one scenario in it."""

    @property
    def scene(self) -> SplatScene:
        """The nodes; the static ones are always drawn."""
        ...

    @property
    def static(self) -> FlatGaussians:
        """The Gaussians of all static nodes in the frame of the scene, the same object every time."""
        ...

    def world_from_ego(self, ego_pose: np.ndarray) -> np.ndarray:
        """Return the transform (4, 4) of the ego frame, which lies on the ground, at a planar pose (3,)."""
        ...

    def moving(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> FlatGaussians:
        """Return everything that is drawn besides the static nodes, in the frame of the scene.

        Args:
            ego_pose: (3,) rear axle in the world frame.
            agents: everyone who exists now.
            frame_time: frame of the scenario; after its last one time goes on at its rate.
        """
        ...


class ExtraAgents:
    """Nodes of agents that a scene has no Gaussians of, each made once."""

    def __init__(self, make_agent: AgentMaker = lift_agent) -> None:
        self._make, self._made = make_agent, {}

    def node(self, agents: AgentStates, row: int) -> SplatNode:
        """Return the node of one agent: what can be hit must be visible."""
        agent_id = agents.ids[row]
        if agent_id not in self._made:
            self._made[agent_id] = self._make(agent_id, int(agents.types[row]), agents.size[row])
        return self._made[agent_id]


class FlatStage:
    """A lifted scene: the ground is flat, all agents who exist are drawn, lights show their state.

    Args:
        scenario: whose lights are shown.
        scene: its nodes.
        make_agent: of agents that the scene does not know.
    """

    def __init__(self, scenario: Scenario, scene: SplatScene, make_agent: AgentMaker = lift_agent) -> None:
        self.scene = scene
        self.static = scene.static()
        self._lights = scenario.lights
        self._extra = ExtraAgents(make_agent)

    def world_from_ego(self, ego_pose: np.ndarray) -> np.ndarray:
        """See `Stage.world_from_ego`."""
        return transform_from_pose(np.asarray(ego_pose, np.float64))

    def moving(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> FlatGaussians:
        """See `Stage.moving`."""
        nodes, poses = dict(self.scene.nodes), {}
        for row, agent_id in enumerate(agents.ids):
            name = agent_node(agent_id)
            if name not in nodes:
                nodes[name] = self._extra.node(agents, row)
            poses[name] = transform_from_pose(agents.pose[row])
        poses |= self._lit_lamps(frame_time)
        return compose_posed(SplatScene(nodes, self.scene.origin), poses)

    def _lit_lamps(self, frame_time: int) -> dict[str, np.ndarray]:
        """Return the poses of the lamps that are on; after the last frame the last states hold."""
        lights, poses = self._lights, {}
        if not lights.lane_ids:
            return poses
        frame = min(max(frame_time, 0), lights.state.shape[1] - 1)
        place = np.eye(4)
        place[:3, 3] = self.scene.origin
        for lane_id, state in zip(lights.lane_ids, lights.state[:, frame], strict=True):
            name = light_node(lane_id, int(state))
            if name in self.scene.nodes:
                poses[name] = place
        return poses
