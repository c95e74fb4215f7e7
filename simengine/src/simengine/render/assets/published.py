"""A reconstructed scene with a scenario in it, as the published simulator draws it, known faults included.

Whoever the asset has is drawn: where the simulation has it, else where the log had it at that time. Whom the asset
lacks is invisible. Parked objects stay where they were. Height, pitch and roll are those of the nearest pose in the
object's own log. Colours stay in axes of the scene, changing colours are read at the time in microseconds.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.geometry.angles import wrap
from simengine.geometry.se3 import make_transform, quaternion_from_yaw, rotation_from_quaternion
from simengine.render.assets.asset import Asset, LogPoses
from simengine.render.assets.corrected import CorrectedStage
from simengine.render.assets.ego_log import ego_log, ground_below_axle
from simengine.render.assets.objects import in_scene_axes, still_nodes, track_of
from simengine.render.assets.scene_frame import in_scene, in_world, rows_of, time_of, world_origin
from simengine.render.gaussians import FlatGaussians
from simengine.render.lift_agents import lift_agent
from simengine.render.scene import SplatNode, SplatScene, compose_posed
from simengine.render.stage import AgentMaker
from simengine.scenario.scenario import Scenario

_LINEAR_ABOVE = 0.9995


class PublishedStage:
    """See the module.

    Where the scenario does not tell the ego's log in the asset, the ego stands as in `CorrectedStage`.

    Args:
        scenario: its tracks and the objects of the asset belong together by token.
        asset: what was reconstructed.
        make_agent: not used, agents without Gaussians are not drawn.
    """

    def __init__(self, scenario: Scenario, asset: Asset, make_agent: AgentMaker = lift_agent) -> None:
        self._scenario = scenario
        self.static = asset.still
        tracks = set(scenario.agents.ids)
        self._objects = {node.name: (track_of(node, tracks), in_scene_axes(node)) for node in asset.objects}
        nodes = still_nodes(asset)
        nodes |= {name: SplatNode(name, whole.gaussians) for name, (_, whole) in self._objects.items()}
        self._ego_log = ego_log(scenario)
        self._corrected = CorrectedStage(scenario, asset, make_agent) if self._ego_log is None else None
        flat = world_origin(asset, scenario, 0.0)
        start = self._ego_in_scene(scenario.ego.pose[scenario.initial_frame], flat)
        self.scene = SplatScene(nodes, world_origin(asset, scenario, start[2, 3]))

    def world_from_ego(self, ego_pose: np.ndarray) -> np.ndarray:
        """See `Stage.world_from_ego`."""
        return in_world(self._ego_in_scene(ego_pose, self.scene.origin), self.scene.origin)

    def moving(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> FlatGaussians:
        """See `Stage.moving`."""
        now, rows, origin = time_of(self._scenario, frame_time), rows_of(agents), self.scene.origin
        nodes, poses = {}, {}
        for name, (token, whole) in self._objects.items():
            if whole.log is None:
                continue
            row = rows.get(token)
            if whole.log.is_static:
                body = make_transform(whole.log.rotations[0], whole.log.trans[0])
            elif row is not None and len(whole.log.present):
                body = on_log(in_scene(agents.pose[row], origin), whole.log)
            else:
                body = replayed(whole.log, now)
            argument: float | np.float32 = np.float32(now)
            if whole.fourier is not None and whole.fourier.in_space:
                away = np.asarray(ego_pose[:2], np.float64) - origin[:2] - body[:2, 3]
                argument = float(wrap(np.arctan2(away[1], away[0]) - np.arctan2(body[1, 0], body[0, 0])))
            nodes[name] = SplatNode(name, whole.at(argument))
            poses[name] = in_world(body, origin)
        return compose_posed(SplatScene(nodes, origin), poses, turn_colors=False)

    def _ego_in_scene(self, ego_pose: np.ndarray, origin: np.ndarray) -> np.ndarray:
        if self._corrected is not None:
            stand = self._corrected
            return in_world(stand.world_from_ego(ego_pose), -stand.scene.origin)
        assert self._ego_log is not None
        return ground_below_axle(on_log(in_scene(ego_pose, origin), self._ego_log))


def on_log(pose: np.ndarray, log: LogPoses) -> np.ndarray:
    """Return the transform (4, 4) at a planar pose (3,) with height, pitch and roll of the nearest logged pose."""
    index = log.nearest(pose[:2])
    turn = rotation_from_quaternion(quaternion_from_yaw(pose[2] - log.yaws[index]))
    return make_transform(turn @ log.rotations[index], np.array([pose[0], pose[1], log.trans[index, 2]]))


def replayed(log: LogPoses, time_us: int) -> np.ndarray:
    """Return where the log has an object at a time (4, 4), between frames interpolated.

    Before the first frame it stands there. After the last frame the published code takes the first for the next one
    and so goes on in the direction from first to last; beside frames in which the object is absent it flies.
    """
    assert log.timestamps_us is not None
    times = log.timestamps_us
    if time_us <= times[0]:
        return make_transform(log.rotations[0], log.trans[0])
    before = int(np.searchsorted(times, time_us, side="right")) - 1
    after = (before + 1) % len(times)
    if times[before] == time_us or after == before:
        return make_transform(log.rotations[before], log.trans[before])
    share = float(time_us - times[before]) / float(times[after] - times[before])
    quat = _between(log.quats[before], log.quats[after], share)
    trans = log.trans[before] + share * (log.trans[after] - log.trans[before])
    return make_transform(rotation_from_quaternion(quat), trans)


def _between(left: np.ndarray, right: np.ndarray, share: float) -> np.ndarray:
    """Return the rotation (4,) between two wxyz quaternions, along the shorter way."""
    dot = float(left @ right)
    if dot < 0.0:
        right, dot = -right, -dot
    if dot > _LINEAR_ABOVE:
        return left + share * (right - left)
    angle = np.arccos(dot)
    return (np.sin((1.0 - share) * angle) * left + np.sin(share * angle) * right) / np.sin(angle)
