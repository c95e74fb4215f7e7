"""The simulator's half: frames out, plans in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np

from simengine.bridge.files.folder import RunFolder
from simengine.bridge.files.frame_dict import frame_dict
from simengine.bridge.files.past import PAST
from simengine.bridge.files.plans import wait_for_plan
from simengine.bridge.files.scene import Moment, SceneLabels
from simengine.datatypes.plan import Plan
from simengine.errors import ConfigError
from simengine.files.atomic import write_atomically
from simengine.files.plain_pickle import plain_pickle

_LOG = logging.getLogger(__name__)


class FilesClient:
    """Drives one scene at a time with a planner that watches the same folder.

    The protocol knows no errors and no end of a scene but its last frame. A planner that is left in the middle of a
    scene waits for minutes; a scene that ends early is therefore filled up with its last frame.
    """

    def __init__(
        self,
        folder: RunFolder,
        encode_image: Callable[[np.ndarray], bytes],
        frames_per_scene: int = 12,
        start_timeout: float = 120.0,
        plan_timeout: float = 60.0,
        clean: bool = True,
    ) -> None:
        """Make the folder ready: a flag and frames of an earlier run would mislead the planner.

        Args:
            folder: the run.
            encode_image: RGB (H, W, 3) uint8 -> JPEG file.
            frames_per_scene: history and decisions of a scene and the state after them; the original's planner
                knows 12 only.
            start_timeout: additional wait for the first plan, while the planner may still be loading [s].
            plan_timeout: longest wait for a plan [s].
            clean: delete frames once the planner has gone on to the next scene.

        Raises:
            ConfigError: a number makes no sense.
        """
        if min(plan_timeout, start_timeout) <= 0 or frames_per_scene < 2:
            raise ConfigError(
                f"bridge timeouts are {start_timeout} and {plan_timeout} s with {frames_per_scene} frames per scene, "
                "expected seconds > 0 and at least 2 frames"
            )
        self._folder = folder
        self._encode = encode_image
        self._frames_per_scene = frames_per_scene
        self._start_timeout = start_timeout
        self._plan_timeout = plan_timeout
        self._clean = clean
        self._scene: SceneLabels | None = None
        self._written: list[dict] = []
        self._planner_was_there = False
        self._closed = False
        folder.flag.unlink(missing_ok=True)
        folder.remove_frames()
        for place in (folder.frames, folder.plans, folder.flag.parent):
            place.mkdir(parents=True, exist_ok=True)

    def begin(self, scene: SceneLabels) -> None:
        """Start a scene; what an earlier attempt at it left is deleted."""
        self.finish()
        self._scene, self._written = scene, []
        self._folder.remove_plans(scene.scene_token)

    def put(self, moment: Moment, images: Mapping[str, np.ndarray]) -> None:
        """Write the images of a frame, then the frame; readers see whole files only."""
        scene = self._scene
        assert scene is not None, "begin comes first"
        for name, image in images.items():
            path = self._folder.images / scene.image_path(name, moment.step)
            write_atomically(path, self._encode(image))
        self._write(frame_dict(scene, moment, self._written[-PAST:]))

    def plan(self) -> Plan:
        """Return the planner's answer to the frame that was put last.

        Raises:
            PlannerTimeoutError: there is none in time.
            BridgeError: it cannot be read.
            PlanError: it is malformed.
        """
        scene = self._scene
        assert scene is not None and self._written, "put comes first"
        timeout = self._plan_timeout + (0.0 if self._planner_was_there else self._start_timeout)
        plan = wait_for_plan(self._folder.plan(scene.scene_token, len(self._written)), timeout)
        self._planner_was_there = True
        if self._clean:
            self._folder.remove_frames(keep=scene.scene_token)
        return plan

    def finish(self) -> None:
        """End the scene, so that the planner goes on to the next."""
        scene, written = self._scene, self._written
        self._scene = None
        if scene is None or len(written) == self._frames_per_scene:
            return
        if len(written) <= PAST:  # the planner has not begun
            for step in range(len(written)):
                self._folder.frame(scene.scene_token, step).unlink(missing_ok=True)
            return
        _LOG.info("scene %s ended after %d frames, filling it up", scene.scene_token, len(written))
        while len(written) < self._frames_per_scene:
            step = len(written)
            self._write(written[-1] | {"frame_idx": step, "token": scene.frame_token(step)})

    def close(self) -> None:
        """Tell the planner that the run is over; closing twice is no error."""
        if self._closed:
            return
        self._closed = True
        self.finish()
        write_atomically(self._folder.flag, b"")

    def _write(self, frame: dict) -> None:
        path = self._folder.frame(frame["scene_token"], frame["frame_idx"])
        write_atomically(path, plain_pickle(frame))
        self._written.append(frame)
