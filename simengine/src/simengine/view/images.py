"""Camera images of a drive at any frame: rendered now, or those that the run kept."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from simengine.datatypes.camera import CameraCalibration
from simengine.render.backend import RenderBackend
from simengine.render.renderer import SceneRenderer
from simengine.render.stage import Stage
from simengine.view.drive import Drive


class CameraImages:
    """Gives images of one drive.

    Args:
        drive: what is seen.
        backend: draws any frame and camera; None shows the images that the run kept, and only those.
        stage: of the drive's scenario, if it is open already.
    """

    def __init__(self, drive: Drive, backend: RenderBackend | None, stage: Stage | None = None) -> None:
        self._drive, self._backend, self._stage = drive, backend, stage
        self._renderer: SceneRenderer | None = None

    @property
    def stage(self) -> Stage:
        """The scene of the drive, opened when it is first asked for."""
        if self._stage is None:
            self._stage = self._drive.open_scene(self._drive.scenario)
        return self._stage

    def at(self, frame: int, cameras: tuple[CameraCalibration, ...]) -> dict[str, np.ndarray]:
        """Return channel -> (H, W, 3) uint8 RGB of a frame; channels that cannot be shown are left out."""
        if self._backend is None:
            return _recorded(self._drive, frame, {camera.name for camera in cameras})
        if not cameras:
            return {}
        drive = self._drive
        if self._renderer is None:
            self._renderer = SceneRenderer(self._backend, open_scene=lambda _: self.stage)
            self._renderer.load(drive.scenario)
        return self._renderer.render(
            drive.ego[frame], drive.agents_at(frame), cameras, drive.first_frame + frame
        )


def _recorded(drive: Drive, frame: int, channels: set[str]) -> dict[str, np.ndarray]:
    """Return the images of the last decision up to `frame`."""
    decisions = [decision for decision in drive.recorded if decision <= frame]
    if not decisions:
        return {}
    kept = drive.recorded[max(decisions)]
    return {
        name: np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
        for name, jpeg in kept.items()
        if name in channels
    }
