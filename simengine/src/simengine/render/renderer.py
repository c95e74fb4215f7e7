"""Camera images of a scenario at any ego pose and traffic: lifts or finds the scene, poses it, draws it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import transform_from_pose
from simengine.render.backend import RenderBackend, RenderedRig
from simengine.render.distortion import Warp, make_warp
from simengine.render.gaussians import FlatGaussians
from simengine.render.lift import lift
from simengine.render.lift_agents import lift_agent
from simengine.render.posed import PosedScene, split_sky
from simengine.render.scene import SplatNode, SplatScene, agent_node, compose_posed, light_node
from simengine.scenario.scenario import Scenario

_MAX_WARPS = 32


@dataclass
class _Loaded:
    """A scene in use, with what follows from it."""

    scenario: Scenario
    scene: SplatScene
    static: FlatGaussians
    extra_agents: dict[str, SplatNode] = field(default_factory=dict)
    apart: tuple[FlatGaussians, FlatGaussians] | None = None


class SceneRenderer:
    """Renders one scenario at a time; `load` switches and remembers the last few.

    Args:
        backend: what draws.
        cache_size: how many scenes to keep, at least 1.
        open_scene: makes the scene of a scenario; the default lifts one from its map and tracks.
    """

    def __init__(
        self, backend: RenderBackend, cache_size: int = 2, open_scene: Callable[[Scenario], SplatScene] = lift
    ) -> None:
        self._backend = backend
        self._cache_size = max(cache_size, 1)
        self._open_scene = open_scene
        self._scenes: OrderedDict[str, _Loaded] = OrderedDict()
        self._warps: OrderedDict[bytes, Warp] = OrderedDict()
        self._current: _Loaded | None = None

    @property
    def backend(self) -> RenderBackend:
        """What draws."""
        return self._backend

    def load(self, scenario: Scenario) -> SplatScene:
        """Make `scenario` the one to render and return its scene."""
        key = _fingerprint(scenario)
        if key in self._scenes:
            self._scenes.move_to_end(key)
        else:
            # Old scenes go before the new one is made, so that both need not fit at once.
            while len(self._scenes) >= self._cache_size:
                self._scenes.popitem(last=False)
            self._current = None
            scene = self._open_scene(scenario)
            self._scenes[key] = _Loaded(scenario, scene, scene.static())
        self._current = self._scenes[key]
        return self._current.scene

    def render(
        self,
        ego_pose: np.ndarray,
        agents: AgentStates,
        cameras: Sequence[CameraCalibration],
        frame_time: int,
    ) -> dict[str, np.ndarray]:
        """Return channel -> (H, W, 3) uint8 RGB of the loaded scenario.

        Args:
            ego_pose: (3,) rear axle in the world frame.
            agents: everyone who exists now; nobody else is drawn.
            cameras: rig on the ego; lens distortion is honoured.
            frame_time: frame of the scenario whose light states are shown; the last one holds on.
        """
        warps = [self._warp(camera) if camera.distortion.any() else None for camera in cameras]
        pinholes = [warp.pinhole if warp else camera for warp, camera in zip(warps, cameras, strict=True)]
        drawn = self.draw(ego_pose, agents, pinholes, frame_time)
        images = list(drawn.rgb)
        bent = [k for k, warp in enumerate(warps) if warp]
        if bent:
            with ThreadPoolExecutor(len(bent)) as pool:
                for k, image in zip(
                    bent, pool.map(lambda k: warps[k].apply(drawn.rgb[k]), bent), strict=True
                ):
                    images[k] = image
        return {camera.name: image for camera, image in zip(cameras, images, strict=True)}

    def draw(
        self,
        ego_pose: np.ndarray,
        agents: AgentStates,
        cameras: Sequence[CameraCalibration],
        frame_time: int,
        want_depth: bool = False,
    ) -> RenderedRig:
        """Return images, and depth if wanted, of the loaded scenario for pinhole cameras."""
        loaded = self._current
        if loaded is None:
            raise RenderBackendError(
                "the renderer has no scenario, expected one: call load() before render()"
            )
        moving = compose_posed(*_posed(loaded, agents, frame_time))
        world_from_ego = transform_from_pose(np.asarray(ego_pose, dtype=np.float64))
        poses = np.array([world_from_ego @ camera.ego_from_cam for camera in cameras]).reshape(-1, 4, 4)
        poses[:, :3, 3] -= loaded.scene.origin
        return self._backend.render((loaded.static, moving), cameras, poses, want_depth)

    def posed(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> PosedScene:
        """Return what is around the ego in the loaded scenario, the sky apart; arguments as in `draw`."""
        loaded = self._current
        if loaded is None:
            raise RenderBackendError("the renderer has no scenario, expected one: call load() before posed()")
        if loaded.apart is None:
            loaded.apart = split_sky(loaded.scene)
        moving = compose_posed(*_posed(loaded, agents, frame_time))
        scene_from_ego = transform_from_pose(np.asarray(ego_pose, dtype=np.float64))
        scene_from_ego[:3, 3] -= loaded.scene.origin
        return PosedScene(*loaded.apart, moving, scene_from_ego)

    def _warp(self, camera: CameraCalibration) -> Warp:
        key = b"".join(
            [
                np.array([camera.width_px, camera.height_px]).tobytes(),
                np.asarray(camera.intrinsic, dtype=np.float64).tobytes(),
                np.asarray(camera.distortion, dtype=np.float64).tobytes(),
                np.asarray(camera.ego_from_cam, dtype=np.float64).tobytes(),
            ]
        )
        if key not in self._warps:
            if len(self._warps) >= _MAX_WARPS:
                self._warps.popitem(last=False)
            self._warps[key] = make_warp(camera)
        self._warps.move_to_end(key)
        return self._warps[key]


def _posed(loaded: _Loaded, agents: AgentStates, frame_time: int) -> tuple[SplatScene, dict[str, np.ndarray]]:
    """Return the scene with every present agent in it, and the poses of agents and lit lights."""
    poses: dict[str, np.ndarray] = {}
    missing: dict[str, SplatNode] = {}
    for row, agent_id in enumerate(agents.ids):
        name = agent_node(agent_id)
        if name not in loaded.scene.nodes:
            # Traffic may hold agents that the scenario did not: they can be hit, so they must be seen.
            if name not in loaded.extra_agents:
                loaded.extra_agents[name] = lift_agent(agent_id, int(agents.types[row]), agents.size[row])
            missing[name] = loaded.extra_agents[name]
        poses[name] = transform_from_pose(agents.pose[row])
    lights = loaded.scenario.lights
    if lights.lane_ids:
        frame = min(max(frame_time, 0), lights.state.shape[1] - 1)
        origin = np.eye(4)
        origin[:3, 3] = loaded.scene.origin
        for lane_id, state in zip(lights.lane_ids, lights.state[:, frame], strict=True):
            name = light_node(lane_id, int(state))
            if name in loaded.scene.nodes:
                poses[name] = origin
    scene = loaded.scene
    if missing:
        scene = SplatScene({**scene.nodes, **missing}, scene.origin)
    return scene, poses


def _fingerprint(scenario: Scenario) -> str:
    """Return a key of everything a scene is made from; scenarios on one asset differ in tracks or lights."""
    digest = hashlib.sha256()
    for text in (
        scenario.token,
        scenario.asset_id,
        scenario.map_name,
        *scenario.agents.ids,
        *scenario.lights.lane_ids,
    ):
        digest.update(text.encode() + b"\0")
    for array in (
        scenario.ego.pose,
        scenario.agents.types,
        scenario.agents.size,
        scenario.agents.pose,
        scenario.lights.state,
        scenario.lights.stop_point,
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(f"{len(scenario.map.lanes)} {len(scenario.map.areas)} {len(scenario.map.lines)}".encode())
    return digest.hexdigest()
