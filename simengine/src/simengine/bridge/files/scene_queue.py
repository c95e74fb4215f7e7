"""The planner's view of one scene: which frames came, and which is to be answered next."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from simengine.bridge.deadline import Deadline
from simengine.bridge.files.folder import RunFolder
from simengine.bridge.files.frame_reader import ego_pose
from simengine.errors import BridgeError, ScenarioFormatError

_SETTLE_S = 2.0


class SceneQueue:
    """Reads each frame of a scene once, in order.

    Attributes:
        prefix: scene token.
        born: identity of its first frame; another one means that the scene was started again.
        frames: the last frames, at most the planner's history.
        next_step: the frame to read next.
        silence: runs out when the simulator seems to have left the scene.
    """

    def __init__(self, prefix: str, born: tuple[int, int], history: int, timeout: float) -> None:
        self.prefix = prefix
        self.born = born
        self.frames: deque[dict] = deque(maxlen=history)
        self.next_step = 0
        self.silence = Deadline(timeout)
        self._timeout = timeout
        self._settle: Deadline | None = None
        self._origin: np.ndarray | None = None

    @property
    def origin(self) -> np.ndarray:
        """Where the scene's own world frame lies in the map datum (2,): at the ego in its first frame."""
        assert self._origin is not None, "frames come first"
        return self._origin

    def read(self, folder: RunFolder, load: Callable[[Path], object]) -> bool:
        """Take the next frame if it is there, and return whether it is time to answer.

        Raises:
            BridgeError: the frame is no pickle of plain data, and stays so for two seconds.
        """
        maxlen = self.frames.maxlen or 1
        while True:
            path = folder.frame(self.prefix, self.next_step)
            if not path.exists():
                return False
            frame = self._load(path, load)
            if frame is None:
                return False
            if self._origin is None:
                self._origin = ego_pose(frame)[:2]
                # Written in place, it may have been found before it was whole.
                self.born = birth(path) or self.born
            self.frames.append(frame)
            self.next_step += 1
            self.silence = Deadline(self._timeout)
            if len(self.frames) == maxlen:
                return True

    def _load(self, path: Path, load: Callable[[Path], object]) -> dict | None:
        """Return the frame, or None while it may still be in the writing: the original writes in place."""
        try:
            frame = load(path)
            if not isinstance(frame, dict) or "ego2global" not in frame:
                raise ScenarioFormatError(
                    f"{path} holds no frame, expected a dict with ego2global: check the simulator"
                )
        except ScenarioFormatError as error:
            self._settle = self._settle or Deadline(_SETTLE_S)
            if self._settle.passed:
                raise BridgeError(str(error)) from error
            return None
        self._settle = None
        return frame


def birth(path: Path) -> tuple[int, int] | None:
    """Return the identity of a scene's first frame, None if it is gone."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
