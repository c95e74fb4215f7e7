"""The planner's half: watches the frames, answers with plans."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simengine.bridge.batch import PlannerFault, forget_safely, plan_each
from simengine.bridge.deadline import Deadline
from simengine.bridge.files.folder import RunFolder
from simengine.bridge.files.frame_reader import FrameReader
from simengine.bridge.files.plan_index import PlanIndex
from simengine.bridge.files.plans import PLAN_DT, write_plan
from simengine.bridge.files.scene_queue import SceneQueue, birth
from simengine.bridge.planner import Planner
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.errors import BridgeError, PlannerTimeoutError, RemotePlannerError

_LOG = logging.getLogger(__name__)
_SAME_DT = 1e-6


@dataclass(frozen=True)
class FilesServerSettings:
    """Lengths and waits of the planner's half.

    Attributes:
        history: frames that a planner sees, the present one included; the first decision follows the last of them.
        frames_per_scene: frames of a scene; the original's simulator writes 12.
        poll: pause between two looks at the folder [s].
        scene_timeout: silence after which a scene is given up [s].
        idle_timeout: silence after which the service ends with an error [s].
        clean: delete frames and plans at the end, as the original does; the table of indices stays.
    """

    history: int = 4
    frames_per_scene: int = 12
    poll: float = 0.01
    scene_timeout: float = 300.0
    idle_timeout: float = 1800.0
    clean: bool = False


class FilesServer:
    """Answers the simulators that write into one folder with the plans of one planner.

    A scene that cannot be answered is given up and the service goes on; the protocol has no way to tell the
    simulator, so `serve` reports it at the end.

    Args:
        planner: answers.
        folder: the run.
        load: reads a pickle of plain data, such as `simengine.scenario.restricted_pickle.load_pickle`.
        decode_image: JPEG file -> RGB (H, W, 3) uint8.
        settings: lengths and waits.
    """

    def __init__(
        self,
        planner: Planner,
        folder: RunFolder,
        load: Callable[[Path], object],
        decode_image: Callable[[bytes], np.ndarray],
        settings: FilesServerSettings | None = None,
    ) -> None:
        self._planner = planner
        self._folder = folder
        self._load = load
        self._settings = settings or FilesServerSettings()
        self._reader = FrameReader(folder.images, decode_image)
        self._scenes: dict[str, SceneQueue] = {}
        self._done: dict[str, tuple[int, int]] = {}
        self._failures: list[str] = []
        folder.plans.mkdir(parents=True, exist_ok=True)
        self._index = PlanIndex(folder.plan_index)

    def serve(self, stop: threading.Event | None = None) -> None:
        """Answer until the simulator has ended, or `stop` is set.

        Raises:
            PlannerTimeoutError: nothing came for too long.
            RemotePlannerError: some scenes could not be answered.
        """
        stop = stop or threading.Event()
        silence = Deadline(self._settings.idle_timeout)
        while not stop.is_set():
            ended = self._folder.flag.exists()  # looked at first: frames before the flag are still answered
            if self._serve_once():
                silence = Deadline(self._settings.idle_timeout)
            elif ended:
                break
            elif silence.passed:
                raise PlannerTimeoutError(
                    f"no new frame in {self._folder.frames} for {self._settings.idle_timeout:g} s and no "
                    f"{self._folder.flag.name}, expected a simulator to write there: check that it runs and has the "
                    "same folder"
                )
            else:
                time.sleep(self._settings.poll)
        if self._settings.clean:
            self._clean()
        if self._failures:
            raise RemotePlannerError(
                f"{len(self._failures)} scenes could not be answered, the first: {self._failures[0]}"
            )

    def _serve_once(self) -> bool:
        """Answer what is waiting, at most one frame of each scene, and return whether anything was."""
        self._admit()
        ready: list[tuple[SceneQueue, Observation]] = []
        for scene in list(self._scenes.values()):
            try:
                if scene.read(self._folder, self._load):
                    step = scene.next_step - self._settings.history
                    ready.append(
                        (
                            scene,
                            self._reader.observation(scene.prefix, list(scene.frames), step, scene.origin),
                        )
                    )
                elif scene.silence.passed:
                    _LOG.warning("scene %s went silent after %d frames", scene.prefix, scene.next_step)
                    self._leave(scene)
            except BridgeError as error:
                self._give_up(scene, str(error))
        if not ready:
            return False
        answers = plan_each(self._planner, [observation for _, observation in ready])
        for (scene, _), answer in zip(ready, answers, strict=True):
            self._answer(scene, answer)
        return True

    def _admit(self) -> None:
        """Take on scenes whose first frame is new."""
        for prefix, step in self._folder.waiting_frames():
            if step != 0:
                continue
            born = birth(self._folder.frame(prefix, 0))
            known = self._scenes.get(prefix)
            if born is None or born == (known.born if known else self._done.get(prefix)):
                continue
            settings = self._settings
            self._scenes[prefix] = SceneQueue(prefix, born, settings.history, settings.scene_timeout)

    def _answer(self, scene: SceneQueue, answer: Plan | PlannerFault) -> None:
        if isinstance(answer, PlannerFault):
            self._give_up(scene, f"planner {self._planner.name} failed: {answer.text}")
            return
        if abs(answer.dt - PLAN_DT) > _SAME_DT:
            self._give_up(scene, f"the plan has poses {answer.dt} s apart, expected {PLAN_DT} s")
            return
        write_plan(self._folder.plan(scene.prefix, scene.next_step), answer.poses)
        self._index.add(scene.prefix, scene.next_step, answer.vocabulary_index)
        if scene.next_step == self._settings.frames_per_scene:
            self._leave(scene)

    def _give_up(self, scene: SceneQueue, reason: str) -> None:
        text = f"{scene.prefix} frame {scene.next_step - 1}: {reason}"
        _LOG.error("scene given up: %s", text)
        self._failures.append(text)
        self._leave(scene)

    def _leave(self, scene: SceneQueue) -> None:
        self._done[scene.prefix] = scene.born
        del self._scenes[scene.prefix]
        forget_safely(self._planner, scene.prefix)

    def _clean(self) -> None:
        self._folder.remove_frames()
        for prefix in self._done.keys() | self._scenes.keys():
            self._folder.remove_plans(prefix)
