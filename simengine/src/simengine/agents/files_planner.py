"""The ego is driven by a planner that shares a folder with the simulator, such as that of the original."""

from __future__ import annotations

import numpy as np

from simengine.agents.scene_moments import SceneMoments, Stage, scene_labels
from simengine.bridge.files.client import FilesClient
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.render import jpeg
from simengine.scenario.scenario import Scenario

JPEG_QUALITY = 95  # OpenCV's default, with which the original writes


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
        self._client, self._stage = client, stage
        self._history, self._decisions = history, decisions
        self._labels = scene_labels(scenario, history, stride)
        self._moments = SceneMoments(scenario, stage, history, stride)

    def plan(self, observation: Observation, state: SimState) -> Plan:
        """Return the planner's plan."""
        if observation.step == 0:
            self._client.begin(self._labels)
            for step, past in enumerate(self._moments.past(state)):
                self._put(step, past, self._stage.observe(past))
        step = self._history - 1 + observation.step
        self._put(step, state, observation)
        plan = self._client.plan()
        if observation.step == self._decisions - 1:
            final = self._stage.step(state, plan)
            self._put(step + 1, final, self._stage.observe(final))
        return plan

    def _put(self, step: int, state: SimState, observation: Observation) -> None:
        self._client.put(self._moments.moment(step, state, observation), observation.images)


def encode_jpeg(image: np.ndarray) -> bytes:
    """Return an RGB image (H, W, 3) uint8 as a JPEG file."""
    return jpeg.encode_jpeg(image, JPEG_QUALITY)
