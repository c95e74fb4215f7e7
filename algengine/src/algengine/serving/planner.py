"""A trained planner that answers observations: one new frame per request, the past kept as maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from algengine.datasets.frames import CALIBRATION, camera_inputs, ego_status, motion_between
from algengine.models.bev.projection import CameraViews
from algengine.planners.vadv2 import VADv2
from algengine.serving.memory import RememberedMap, RolloutMemory
from algengine.serving.network import FrameNetwork
from algengine.serving.staging import ImageStaging
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.errors import PlanError

POSE_DT = 0.1


class VadPlanner:
    """Implements the bridge's planner protocol.

    On the CPU every observation is computed alone with a fixed number of threads, so a plan never depends on which
    requests happened to arrive together. On a GPU requests are batched; plans may then differ by rounding.

    Args:
        model: the network, in evaluation mode.
        name: shown to simulators.
        cameras: channels in the order of training; empty takes them as they come.
        device: where to compute.
        threads: CPU threads.
        keep_scores: whether plans carry the scores of the whole vocabulary.
        weights_hash: identifies the weights; told to simulators, so that runs of two planners are never mixed.
        memory_gib: bound of the maps that are remembered, see `RolloutMemory`.
        accelerate: see `FrameNetwork`.
        compiler: backend of `accelerate="compile"`.
    """

    def __init__(
        self,
        model: VADv2,
        name: str = "vadv2",
        cameras: Sequence[str] = (),
        device: torch.device | str = "cpu",
        threads: int = 2,
        keep_scores: bool = False,
        weights_hash: str = "",
        memory_gib: float = 4.0,
        accelerate: str = "none",
        compiler: str = "inductor",
    ) -> None:
        self.name = name
        self.weights_hash = weights_hash
        self.device = torch.device(device)
        self._model = model
        self._network = FrameNetwork(model, self.device, accelerate, compiler)
        self._cameras = tuple(cameras)
        self._keep_scores = keep_scores
        self._memory = RolloutMemory(int(memory_gib * 2**30))
        self._images = ImageStaging(self.device, model.image_size)
        if self.device.type == "cpu":
            torch.set_num_threads(threads)

    @property
    def wants_device_images(self) -> bool:
        """Whether images drawn on a GPU should stay there; see the bridge's `Planner`."""
        return self.device.type == "cuda"

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        """Return one plan for each observation, in the same order; see the bridge's `Planner`."""
        for observation in observations:
            self._check(observation)
        size = 1 if self.device.type == "cpu" else len(observations)
        plans: list[Plan] = []
        with torch.inference_mode(), self._network.precision():
            for start in range(0, len(observations), size):
                plans += self._plan(observations[start : start + size])
        return plans

    def forget(self, token: str) -> None:
        """Drop what is remembered of a rollout that has ended."""
        self._memory.forget(token)

    def _plan(self, observations: Sequence[Observation]) -> list[Plan]:
        network = self._network
        arrays = [self._inputs(o) for o in observations]
        inputs = self._collect(arrays)
        rigs = [b"".join(one[key].tobytes() for key in CALIBRATION) for one in arrays]
        views = network.views(inputs, rigs, self._model.image_size)
        bev = self._encode(observations, network.features(inputs["images"]), views, inputs)
        scores, index, poses = network.predict(bev, inputs)
        for observation, one in zip(observations, bev, strict=True):
            remembered = RememberedMap(observation.step, np.array(observation.ego_pose), one[None].clone())
            self._memory.keep(observation.token, remembered)
        return [self._make_plan(*row) for row in zip(poses.cpu(), index.tolist(), scores.cpu(), strict=True)]

    def _encode(
        self,
        observations: Sequence[Observation],
        features: list[Tensor],
        views: CameraViews,
        inputs: dict[str, Tensor],
    ) -> Tensor:
        """Return maps (B, C, rows, cols), rows with and without memory computed apart."""
        past = [self._memory.previous(o.token, o.step) for o in observations]
        maps: dict[int, Tensor] = {}
        for remembered in (False, True):
            rows = [i for i, p in enumerate(past) if (p is not None) == remembered]
            if not rows:
                continue
            previous = motion = None
            if remembered:
                previous = torch.cat([past[i].bev for i in rows])
                moved = np.stack([motion_between(past[i].ego_pose, observations[i].ego_pose) for i in rows])
                motion = torch.from_numpy(moved).to(self.device, non_blocking=True)
            if len(rows) == len(observations):
                return self._network.encode(features, views, previous, motion, inputs)
            status = {key: value[rows] for key, value in inputs.items()}
            seen, shown = [f[rows] for f in features], views.select(rows)
            part = self._network.encode(seen, shown, previous, motion, status)
            maps |= dict(zip(rows, part, strict=True))
        return torch.stack([maps[i] for i in range(len(observations))])

    def _inputs(self, observation: Observation) -> dict[str, np.ndarray | list[np.ndarray | Tensor]]:
        names = self._cameras or tuple(c.name for c in observation.cameras)
        by_name = {camera.name: camera for camera in observation.cameras}
        size = self._model.image_size
        return {
            "images": [observation.images[name] for name in names],
            **camera_inputs([by_name[name] for name in names], size),
            **ego_status(observation),
            "heading": np.float32(observation.ego_pose[2]),
        }

    def _collect(self, inputs: list[dict[str, np.ndarray | list[np.ndarray | Tensor]]]) -> dict[str, Tensor]:
        collected = {"images": self._images.stack([one["images"] for one in inputs])}
        for key in inputs[0].keys() - collected.keys():
            rows = torch.from_numpy(np.stack([one[key] for one in inputs]))
            collected[key] = rows.to(self.device, non_blocking=True)
        return collected

    def _check(self, observation: Observation) -> None:
        have = set(observation.images) & {camera.name for camera in observation.cameras}
        missing = [name for name in self._cameras if name not in have]
        if missing or not have:
            raise PlanError(
                f"scenario {observation.token}: the observation has images of {sorted(have) or 'no cameras'}, the "
                f"planner needs {', '.join(self._cameras) or 'cameras'}: render that rig"
            )
        steps = self._model.head.status.steps
        if len(observation.ego_history) != steps:
            raise PlanError(
                f"scenario {observation.token}: the observation has {len(observation.ego_history)} history entries, "
                f"the planner was trained with {steps}: set the protocol's history to that"
            )

    def _make_plan(self, poses: Tensor, index: int, scores: Tensor) -> Plan:
        kept = scores.numpy().copy() if self._keep_scores else None
        return Plan(poses=poses.numpy().astype(np.float64), dt=POSE_DT, vocabulary_index=index, scores=kept)
