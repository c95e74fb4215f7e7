"""Camera images of a scenario at any ego pose and traffic: lifts or finds the scene, poses it, draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.render.backend import RenderBackend, RenderedRig, RigRequest
from simengine.render.lens_plan import check_lens
from simengine.render.lift import lift
from simengine.render.posed import PosedScene, split_sky
from simengine.render.scene import SplatScene
from simengine.render.scene_cache import LoadedScene, SceneCache
from simengine.render.shutter import shutter_ends
from simengine.render.stage import Stage
from simengine.scenario.scenario import Scenario


class SceneRenderer:
    """Renders one scenario at a time; `load` switches and remembers the last few.

    Args:
        backend: what draws.
        cache_size: how many scenes to keep, at least 1.
        open_scene: makes the scene of a scenario, or its stage; the default lifts one from its map and tracks.
        cache_bytes: memory after which scenes used longest ago go, but never the one in use; None for no bound.
        lens: how lens distortion is drawn, see `lens_plan.LENS_MODES`.
        rolling_shutter: time from the first to the last row of an image [s]; 0 for a global shutter.
        device_images: whether images stay where the backend makes them, for a planner on the same device.
    """

    def __init__(
        self,
        backend: RenderBackend,
        cache_size: int = 2,
        open_scene: Callable[[Scenario], SplatScene | Stage] = lift,
        cache_bytes: int | None = None,
        *,
        lens: str = "auto",
        rolling_shutter: float = 0.0,
        device_images: bool = False,
    ) -> None:
        check_lens(lens, rolling_shutter > 0.0)
        self._backend = backend
        self._lens, self._rolling_shutter, self._device_images = lens, rolling_shutter, device_images
        self._scenes = SceneCache(open_scene, cache_size, cache_bytes)
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
        ego_motion: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Return channel -> (H, W, 3) uint8 RGB of the loaded scenario, tensors if they stay on the device.

        Args:
            ego_pose: (3,) rear axle in the world frame.
            agents: everyone who exists now; nobody else is drawn.
            cameras: rig on the ego; lens distortion is honoured.
            frame_time: frame of the scenario whose light states are shown; the last one holds on.
            ego_motion: (3,) velocity in vehicle axes [m/s] and yaw rate [rad/s], with which the cameras go on while a
                rolling shutter reads; None for none.
        """
        loaded = self._loaded("render()")
        start = end = ego_pose
        if self._rolling_shutter and ego_motion is not None:
            start, end = shutter_ends(ego_pose, ego_motion[:2], ego_motion[2], self._rolling_shutter)
        request = RigRequest(
            (loaded.static, loaded.moving(ego_pose, agents, frame_time)),
            cameras,
            _camera_poses(loaded.stage, start, cameras),
            None if start is end else _camera_poses(loaded.stage, end, cameras),
            lens=self._lens,
            on_device=self._device_images,
        )
        (drawn,) = self._backend.render_many([request])
        return {camera.name: image for camera, image in zip(cameras, drawn.rgb, strict=True)}

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
        moving = loaded.moving(ego_pose, agents, frame_time)
        poses = _camera_poses(loaded.stage, ego_pose, cameras)
        return self._backend.render((loaded.static, moving), cameras, poses, want_depth)

    def posed(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> PosedScene:
        """Return what is around the ego in the loaded scenario, the sky apart; arguments as in `draw`."""
        loaded = self._loaded("posed()")
        if loaded.apart is None:
            loaded.apart = split_sky(loaded.stage.scene)
        moving = loaded.moving(ego_pose, agents, frame_time)
        return PosedScene(*loaded.apart, moving, _scene_from_ego(loaded.stage, ego_pose))

    def _loaded(self, what: str) -> LoadedScene:
        if self._current is None:
            raise RenderBackendError(f"the renderer has no scenario, expected one: call load() before {what}")
        return self._current


def _camera_poses(stage: Stage, ego_pose: np.ndarray, cameras: Sequence[CameraCalibration]) -> np.ndarray:
    """Return the poses (C, 4, 4) of cameras in the frame of the scene."""
    mounts = np.array([camera.ego_from_cam for camera in cameras]).reshape(-1, 4, 4)
    return _scene_from_ego(stage, ego_pose) @ mounts


def _scene_from_ego(stage: Stage, ego_pose: np.ndarray) -> np.ndarray:
    transform = stage.world_from_ego(ego_pose).copy()
    transform[:3, 3] -= stage.scene.origin
    return transform
