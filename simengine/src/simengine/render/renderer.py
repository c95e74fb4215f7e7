"""Camera images of a scenario at any ego pose and traffic: lifts or finds the scene, poses it, draws it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.render.backend import RenderBackend, RenderedRig
from simengine.render.distortion import Warp, make_warp
from simengine.render.lift import lift
from simengine.render.posed import PosedScene, split_sky
from simengine.render.scene import SplatScene
from simengine.render.scene_cache import LoadedScene, SceneCache
from simengine.render.stage import Stage
from simengine.scenario.scenario import Scenario

_MAX_WARPS = 32


class SceneRenderer:
    """Renders one scenario at a time; `load` switches and remembers the last few.

    Args:
        backend: what draws.
        cache_size: how many scenes to keep, at least 1.
        open_scene: makes the scene of a scenario, or its stage; the default lifts one from its map and tracks.
        cache_bytes: memory after which scenes used longest ago go, but never the one in use; None for no bound.
    """

    def __init__(
        self,
        backend: RenderBackend,
        cache_size: int = 2,
        open_scene: Callable[[Scenario], SplatScene | Stage] = lift,
        cache_bytes: int | None = None,
    ) -> None:
        self._backend = backend
        self._scenes = SceneCache(open_scene, cache_size, cache_bytes)
        self._warps: OrderedDict[bytes, Warp] = OrderedDict()
        self._current: LoadedScene | None = None

    @property
    def backend(self) -> RenderBackend:
        """What draws."""
        return self._backend

    def load(self, scenario: Scenario) -> SplatScene:
        """Make `scenario` the one to render and return its scene."""
        self._current = None
        self._current = self._scenes.get(scenario)
        return self._current.stage.scene

    def prefetch(self, scenario: Scenario) -> None:
        """Begin to open the scene of `scenario` in the background for a later `load`; images never depend on it."""
        self._scenes.prefetch(scenario)

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
        loaded = self._loaded("render()")
        moving = loaded.stage.moving(ego_pose, agents, frame_time)
        scene_from_ego = _scene_from_ego(loaded.stage, ego_pose)
        poses = np.array([scene_from_ego @ camera.ego_from_cam for camera in cameras]).reshape(-1, 4, 4)
        return self._backend.render((loaded.static, moving), cameras, poses, want_depth)

    def posed(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> PosedScene:
        """Return what is around the ego in the loaded scenario, the sky apart; arguments as in `draw`."""
        loaded = self._loaded("posed()")
        if loaded.apart is None:
            loaded.apart = split_sky(loaded.stage.scene)
        moving = loaded.stage.moving(ego_pose, agents, frame_time)
        return PosedScene(*loaded.apart, moving, _scene_from_ego(loaded.stage, ego_pose))

    def _loaded(self, what: str) -> LoadedScene:
        if self._current is None:
            raise RenderBackendError(f"the renderer has no scenario, expected one: call load() before {what}")
        return self._current

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


def _scene_from_ego(stage: Stage, ego_pose: np.ndarray) -> np.ndarray:
    transform = stage.world_from_ego(ego_pose).copy()
    transform[:3, 3] -= stage.scene.origin
    return transform
