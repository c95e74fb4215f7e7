"""The frozen part of a planner on many scenes at once: one map per scene and decision, each made from the one before.

S scenes, N cameras, H history steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from algengine.datasets.frames import STATUS, camera_inputs, ego_status, motion_between, resize
from algengine.errors import RecordingError
from algengine.planners.vadv2 import VADv2
from simengine.datatypes.observation import Observation


class Eyes:
    """Encodes the observations of scenes that began together.

    Args:
        planner: frozen, in evaluation mode, on `device`.
        cameras: channels in the planner's order; empty for those of the first scene.
        device: where to compute.
    """

    def __init__(
        self, planner: VADv2, cameras: Sequence[str] = (), device: torch.device | str = "cpu"
    ) -> None:
        self._planner, self._cameras, self._device = planner, tuple(cameras), torch.device(device)
        self._maps: Tensor | None = None
        self._poses: list[np.ndarray] = []

    def forget(self) -> None:
        """Begin anew, with no map of the past."""
        self._maps, self._poses = None, []

    @torch.no_grad()
    def look(self, observations: Sequence[Observation]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return maps (S, C, rows, cols) and ego status (S, H, ...) by name, as the head takes them.

        Raises:
            RecordingError: a camera is missing.
        """
        planner = self._planner
        images = self._tensor(np.stack([self._images(o) for o in observations]))
        pixels = planner.data_preprocessor.normalize(images)
        rows = [self._rig(observation) | ego_status(observation) for observation in observations]
        inputs = {name: self._tensor(np.stack([row[name] for row in rows])) for name in rows[0]}
        views = planner.view(inputs, (pixels.shape[-1], pixels.shape[-2]))
        status = {name: inputs[name] for name in STATUS}
        motion = None
        if self._maps is not None:
            pairs = zip(self._poses, observations, strict=True)
            motion = self._tensor(np.stack([motion_between(pose, now.ego_pose) for pose, now in pairs]))
        self._maps = planner.encode_frame(planner.extract_feat(pixels), views, self._maps, motion, status)
        self._poses = [np.array(observation.ego_pose) for observation in observations]
        return self._maps.float(), status

    def _names(self, observation: Observation) -> tuple[str, ...]:
        names = self._cameras or tuple(camera.name for camera in observation.cameras)
        missing = [name for name in names if name not in observation.images]
        if missing or not names:
            raise RecordingError(
                f"scenario {observation.token} has images of {sorted(observation.images)}, the planner needs also "
                f"{missing or 'cameras'}: render that rig"
            )
        return names

    def _images(self, observation: Observation) -> np.ndarray:
        size = self._planner.image_size
        return np.stack([resize(observation.images[name], size) for name in self._names(observation)])

    def _rig(self, observation: Observation) -> dict[str, np.ndarray]:
        by_name = {camera.name: camera for camera in observation.cameras}
        cameras = [by_name[name] for name in self._names(observation)]
        return camera_inputs(cameras, self._planner.image_size)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
