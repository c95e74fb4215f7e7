"""Camera images of a drive at any frame: rendered now, or those that the run kept."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from simengine.datatypes.camera import CameraCalibration
from simengine.render.renderer import SceneRenderer
from simengine.view.drive import Drive


class CameraImages:
    """Gives images of drives.

    Args:
        renderer: draws any frame and camera; None shows the images that the run kept, and only those.
    """

    def __init__(self, renderer: SceneRenderer | None) -> None:
        self._renderer = renderer

    def at(self, drive: Drive, frame: int, cameras: tuple[CameraCalibration, ...]) -> dict[str, np.ndarray]:
        """Return channel -> (H, W, 3) uint8 RGB of a frame; channels that cannot be shown are left out."""
        if self._renderer is None:
            return _recorded(drive, frame, {camera.name for camera in cameras})
        if not cameras:
            return {}
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
