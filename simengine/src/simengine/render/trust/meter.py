"""Measures trust in the images of one episode after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.trust import MATRICES, RenderTrust
from simengine.geometry.se3 import transform_from_pose
from simengine.render.renderer import SceneRenderer
from simengine.render.trust.coverage import coverage
from simengine.render.trust.views import closeness, recorded_views
from simengine.scenario.scenario import Scenario


class TrustMeter:
    """Measures with the renderer that draws the images.

    Args:
        renderer: has the scenario loaded whose trust is measured.
    """

    def __init__(self, renderer: SceneRenderer) -> None:
        self._renderer = renderer

    def start(self, scenario: Scenario, cameras: Sequence[CameraCalibration]) -> EpisodeTrust:
        """Return the trust in images of an episode in `scenario`, nothing measured yet.

        Args:
            scenario: the loaded one; its logged ego poses are where views were recorded.
            cameras: the rig, which recorded them too.
        """
        return EpisodeTrust(self._renderer, scenario, cameras)


class EpisodeTrust:
    """Trust at the decisions of one episode, in order."""

    def __init__(
        self, renderer: SceneRenderer, scenario: Scenario, cameras: Sequence[CameraCalibration]
    ) -> None:
        self._renderer, self._cameras = renderer, tuple(cameras)
        self._views = recorded_views(scenario.ego.pose, cameras)
        self._rows: list[dict[str, np.ndarray]] = []

    def add(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> None:
        """Measure the images at one decision; arguments as in `SceneRenderer.render`."""
        world_from_ego = transform_from_pose(np.asarray(ego_pose, dtype=np.float64))
        nearest = np.array(
            [self._views.nearest(world_from_ego @ camera.ego_from_cam) for camera in self._cameras]
        ).reshape(-1, 2)
        posed = self._renderer.posed(ego_pose, agents, frame_time)
        covered, sky = coverage(self._renderer.backend, posed, self._cameras)
        score = covered * closeness(nearest[:, 0], nearest[:, 1])
        values = (nearest[:, 0], nearest[:, 1], covered, sky, score)
        self._rows.append(dict(zip(MATRICES, values, strict=True)))

    def finish(self) -> RenderTrust:
        """Return all decisions."""
        shape = (len(self._rows), len(self._cameras))
        return RenderTrust(
            tuple(camera.name for camera in self._cameras),
            *(np.array([row[n] for row in self._rows], np.float32).reshape(shape) for n in MATRICES),
        )
