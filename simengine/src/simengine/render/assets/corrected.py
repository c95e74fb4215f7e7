"""A reconstructed scene with a scenario in it, as it should look.

Exactly the agents that exist are drawn, each where the simulation has it, standing on the road; whom the asset
lacks gets a stand-in. Colours turn with their object, changing colours follow the time of the log.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.geometry.angles import wrap
from simengine.render.assets.asset import Asset, LogPoses
from simengine.render.assets.ego_log import ego_log, ground_below_axle
from simengine.render.assets.ground import Contacts, Ground
from simengine.render.assets.objects import (
    PosableObject,
    contacts_of,
    height_below,
    in_node_axes,
    still_nodes,
    track_of,
)
from simengine.render.assets.scene_frame import in_scene, in_world, time_of, world_origin
from simengine.render.gaussians import FlatGaussians
from simengine.render.lift_agents import lift_agent
from simengine.render.scene import SplatNode, SplatScene, agent_node, compose_posed
from simengine.render.stage import AgentMaker, ExtraAgents
from simengine.scenario.scenario import Scenario


class CorrectedStage:
    """See the module.

    Args:
        scenario: its tracks and the objects of the asset belong together by token.
        asset: what was reconstructed.
        make_agent: of agents that the asset does not know.
    """

    def __init__(self, scenario: Scenario, asset: Asset, make_agent: AgentMaker = lift_agent) -> None:
        self._scenario = scenario
        self.static = asset.still
        self._extra = ExtraAgents(make_agent)
        heights = {
            str(agent_id): float(size[2])
            for agent_id, size in zip(scenario.agents.ids, scenario.agents.size, strict=True)
        }
        self._objects: dict[str, list[tuple[str, PosableObject]]] = {}
        self._own: dict[str, Contacts] = {}
        nodes = still_nodes(asset)
        for node in asset.objects:
            token = track_of(node, heights)
            height = heights.get(token)
            whole = in_node_axes(node, height)
            same = self._objects.setdefault(token, [])
            name = agent_node(token) if not same else f"{agent_node(token)}/{node.name}"
            nodes[name] = SplatNode(name, whole.gaussians)
            same.append((name, whole))
            if node.log is not None and token not in self._own:
                self._own[token] = contacts_of(node.log, height_below(node, height))
        ego = ego_log(scenario)
        self._ego_own = _ego_contacts(ego) if ego is not None else None
        everyone = [*self._own.values(), *([self._ego_own] if self._ego_own is not None else [])]
        self._ground = Ground(Contacts.join(everyone), asset.height_map)
        self._clearance = {token: self._ground.clearance(own) for token, own in self._own.items()}
        self._ego_clearance = self._ground.clearance(self._ego_own) if self._ego_own is not None else 0.0
        # The world's z is 0 on the road below the ego at the first decision, as it is in flat scenes.
        flat = world_origin(asset, scenario, 0.0)
        start = self._ego_in_scene(scenario.ego.pose[scenario.initial_frame], flat)
        self.scene = SplatScene(nodes, world_origin(asset, scenario, start[2, 3]))

    def world_from_ego(self, ego_pose: np.ndarray) -> np.ndarray:
        """See `Stage.world_from_ego`."""
        origin = self.scene.origin
        return in_world(self._ego_in_scene(ego_pose, origin), origin)

    def moving(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> FlatGaussians:
        """See `Stage.moving`."""
        now, origin = time_of(self._scenario, frame_time), self.scene.origin
        nodes, poses = {}, {}
        for row, agent_id in enumerate(agents.ids):
            token, pose = str(agent_id), agents.pose[row]
            body = self._ground.stand(
                in_scene(pose, origin),
                agents.size[row],
                self._own.get(token),
                self._clearance.get(token, 0.0),
            )
            known = self._objects.get(token)
            if known is None:
                stand_in = self._extra.node(agents, row)
                nodes[stand_in.name], poses[stand_in.name] = stand_in, in_world(body, origin)
                continue
            for name, whole in known:
                nodes[name] = SplatNode(name, whole.at(_argument(whole, now, pose, ego_pose)))
                poses[name] = in_world(body, origin)
        return compose_posed(SplatScene(nodes, origin), poses)

    def _ego_in_scene(self, ego_pose: np.ndarray, origin: np.ndarray) -> np.ndarray:
        vehicle = self._scenario.vehicle
        return self._ground.stand(
            in_scene(ego_pose, origin),
            np.array([vehicle.length, vehicle.width]),
            self._ego_own,
            self._ego_clearance,
        )


def _ego_contacts(log: LogPoses) -> Contacts:
    grounds = np.stack(
        [
            ground_below_axle(np.block([[turn, place[:, None]], [np.zeros(3), 1.0]]))
            for turn, place in zip(log.rotations, log.trans, strict=True)
        ]
    )
    return Contacts(grounds[:, :3, 3], grounds[:, :3, 2])


def _argument(whole: PosableObject, now: int, pose: np.ndarray, ego_pose: np.ndarray) -> float:
    """Return where the series of a changing colour is evaluated: share of the log that is over, or where the ego is."""
    if whole.fourier is None:
        return 0.0
    if whole.fourier.in_space:
        return float(wrap(np.arctan2(ego_pose[1] - pose[1], ego_pose[0] - pose[0]) - pose[2]))
    times = whole.log.timestamps_us if whole.log is not None else None
    if times is None or len(times) < 2:
        return 0.0
    return float(np.clip((now - times[0]) / (times[-1] - times[0]), 0.0, 1.0))
