"""Scenes that are kept for another time, within a bound of memory, and the next one opened in the background."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.render.gaussians import FlatGaussians
from simengine.render.scene import SplatScene
from simengine.render.stage import FlatStage, Stage
from simengine.scenario.scenario import ASSET_EGO_POSES, Scenario


@dataclass
class LoadedScene:
    """A scene in use, with what follows from it.

    Attributes:
        stage: the scene with a scenario in it.
        static: its static Gaussians, the same object in every frame.
        apart: the same without the sky, and the sky; None until somebody asks.
        last: what moved at the last instant, and a key of that instant.
    """

    stage: Stage
    static: FlatGaussians
    apart: tuple[FlatGaussians, FlatGaussians] | None = None
    last: tuple[bytes, FlatGaussians] | None = None

    def moving(self, ego_pose: np.ndarray, agents: AgentStates, frame_time: int) -> FlatGaussians:
        """Return what `Stage.moving` does: cameras, lidars and trust of one instant are given the same object."""
        parts = [np.asarray(ego_pose, np.float64), agents.pose, agents.size, agents.types]
        names = "\0".join(map(str, agents.ids)).encode()
        key = b"\1".join(
            [str(frame_time).encode(), names, *(np.ascontiguousarray(part).tobytes() for part in parts)]
        )
        if self.last is None or self.last[0] != key:
            self.last = (key, self.stage.moving(ego_pose, agents, frame_time))
        return self.last[1]

    @property
    def nbytes(self) -> int:
        """Memory of nodes and static Gaussians [bytes]; what they share counts twice."""
        return self.stage.scene.nbytes + self.static.nbytes


class SceneCache:
    """The scenes of the last scenarios.

    What it keeps or has opened early changes how long `get` takes, never what it returns.

    Args:
        open_scene: makes the scene of a scenario, or its stage.
        max_scenes: how many to keep, at least 1.
        max_bytes: memory after which the scenes used longest ago go, but never the one in use; None for no bound.
    """

    def __init__(
        self,
        open_scene: Callable[[Scenario], SplatScene | Stage],
        max_scenes: int = 2,
        max_bytes: int | None = None,
    ) -> None:
        self._open_scene = open_scene
        self._max_scenes, self._max_bytes = max(max_scenes, 1), max_bytes
        self._kept: OrderedDict[str, LoadedScene] = OrderedDict()
        self._early: tuple[str, Future[LoadedScene]] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def get(self, scenario: Scenario) -> LoadedScene:
        """Return the scene of `scenario`: kept, opened early, or opened now.

        Raises:
            AssetError: its asset is missing or cannot be read.
        """
        key = fingerprint(scenario)
        if key not in self._kept:
            # Old scenes go before the new one is made, so that both need not fit at once.
            self._shrink(self._max_scenes - 1)
            self._kept[key] = self._opened_early(key) or self._open(scenario)
        self._kept.move_to_end(key)
        self._shrink(self._max_scenes)
        return self._kept[key]

    def prefetch(self, scenario: Scenario) -> None:
        """Begin to open the scene of `scenario` in the background, unless another one is being opened so."""
        key = fingerprint(scenario)
        if key in self._kept or (self._early is not None and not self._early[1].done()):
            return
        self._pool = self._pool or ThreadPoolExecutor(1, "prefetch")
        self._early = (key, self._pool.submit(self._open, scenario))

    def _opened_early(self, key: str) -> LoadedScene | None:
        if self._early is None or self._early[0] != key:
            return None
        future, self._early = self._early[1], None
        return future.result()

    def _open(self, scenario: Scenario) -> LoadedScene:
        opened = self._open_scene(scenario)
        stage = FlatStage(scenario, opened) if isinstance(opened, SplatScene) else opened
        return LoadedScene(stage, stage.static)

    def _shrink(self, count: int) -> None:
        """Let go of scenes used longest ago until `count` are left, and the last ones fit."""
        while len(self._kept) > count or (len(self._kept) > 1 and self._too_large()):
            self._kept.popitem(last=False)

    def _too_large(self) -> bool:
        return self._max_bytes is not None and sum(s.nbytes for s in self._kept.values()) > self._max_bytes


def fingerprint(scenario: Scenario) -> str:
    """Return a key of everything a scene is made from; scenarios on one asset differ in tracks or lights."""
    digest = hashlib.sha256()
    for text in (
        scenario.token,
        scenario.asset_id,
        scenario.map_name,
        *scenario.agents.ids,
        *scenario.lights.lane_ids,
        repr(scenario.tags.get(ASSET_EGO_POSES)),
    ):
        digest.update(text.encode() + b"\0")
    for array in (
        scenario.ego.pose,
        scenario.agents.types,
        scenario.agents.size,
        scenario.agents.pose,
        scenario.lights.state,
        scenario.lights.stop_point,
        scenario.timestamps_us,
        scenario.global_from_world,
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(f"{len(scenario.map.lanes)} {len(scenario.map.areas)} {len(scenario.map.lines)}".encode())
    return digest.hexdigest()
