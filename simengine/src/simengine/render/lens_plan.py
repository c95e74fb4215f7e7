"""Which way the image of each camera of a rig is drawn: as a pinhole, natively through its lens, or by a warp."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import ConfigError
from simengine.render.distortion import Warp, make_warp
from simengine.render.lens import Lens

LENS_MODES = ("auto", "native", "warp", "ignore")
"""`auto` is native for distorted cameras and rolling shutters; `ignore` draws every camera as a pinhole."""
_MAX_WARPS = 32


@dataclass(frozen=True)
class DrawnCamera:
    """One camera and how to draw it.

    Attributes:
        camera: what is rasterised: the real camera, or the larger pinhole of the warp.
        native: whether lens distortion and rolling shutter are part of the projection.
        warp: what turns the pinhole image into the real one; None if the image is drawn as it is.
    """

    camera: CameraCalibration
    native: bool = False
    warp: Warp | None = None


class LensPlanner:
    """Decides how cameras are drawn, and remembers their warps."""

    def __init__(self) -> None:
        self._warps: OrderedDict[bytes, Warp] = OrderedDict()

    def plan(self, cameras: Sequence[CameraCalibration], lens: str, rolling: bool) -> tuple[DrawnCamera, ...]:
        """Return how each of `cameras` is drawn.

        Args:
            cameras: rig.
            lens: one of `LENS_MODES`.
            rolling: whether the rows are read one after another.

        Raises:
            ConfigError: the mode is unknown or cannot show a rolling shutter.
        """
        check_lens(lens, rolling)
        return tuple(self._plan(camera, lens, rolling) for camera in cameras)

    def _plan(self, camera: CameraCalibration, lens: str, rolling: bool) -> DrawnCamera:
        if lens == "ignore" or (Lens.of(camera).is_pinhole and not rolling):
            return DrawnCamera(camera)
        if lens == "warp":
            warp = self._warp(camera)
            return DrawnCamera(warp.pinhole, warp=warp)
        return DrawnCamera(camera, native=True)

    def _warp(self, camera: CameraCalibration) -> Warp:
        # Frame and mount of the camera do not matter to its warp, but the pinhole carries them.
        parts = (camera.intrinsic, camera.distortion, camera.ego_from_cam)
        key = b"".join(np.asarray(part, np.float64).tobytes() for part in parts)
        key += f"{camera.name} {camera.width_px} {camera.height_px}".encode()
        if key not in self._warps:
            if len(self._warps) >= _MAX_WARPS:
                self._warps.popitem(last=False)
            self._warps[key] = make_warp(camera)
        self._warps.move_to_end(key)
        return self._warps[key]


def check_lens(lens: str, rolling: bool) -> None:
    """Raise `ConfigError` unless images can be drawn with this lens mode and shutter."""
    if lens not in LENS_MODES:
        raise ConfigError(f"the lens mode is {lens!r}, expected one of {', '.join(LENS_MODES)}")
    if rolling and lens in ("warp", "ignore"):
        raise ConfigError(
            f"a rolling shutter needs native lenses but the lens mode is {lens}, expected auto or native"
        )
