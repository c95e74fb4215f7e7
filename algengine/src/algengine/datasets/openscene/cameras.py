"""Images and calibrations of a clip in the order of the network's cameras."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from algengine.datasets.frames import camera_inputs, camera_order
from algengine.datasets.openscene.frame import Frame
from algengine.datasets.openscene.images import ImageStore
from simengine.datatypes.camera import CameraCalibration, ground_from_axle


def order_in(frame: Frame, cameras: Sequence[str]) -> list[int]:
    """Return where each of `cameras` is in a frame, see `camera_order`."""
    return camera_order([camera.name for camera in frame.cameras], cameras, f"frame {frame.token}")


def calibration(frame: Frame, index: int, stored_size: tuple[int, int]) -> CameraCalibration:
    """Return the calibration of one camera for its stored images."""
    camera = frame.cameras[index]
    return CameraCalibration(
        camera.name,
        *stored_size,
        camera.intrinsic,
        ground_from_axle(camera.axle_from_cam),
        camera.distortion,
    )


def clip_cameras(
    queue: Sequence[Frame], cameras: Sequence[str], store_of: Callable[[Frame], ImageStore]
) -> dict[str, np.ndarray]:
    """Return `images` (Q, N, H, W, 3) uint8 RGB and the calibrations of the last frame, see `camera_inputs`.

    Args:
        queue: Q frames, oldest first; repeated frames share their images.
        cameras: N channels.
        store_of: where the images of a frame are read.
    """
    rows, calibrations = [], []
    for frame in queue:
        order, store = order_in(frame, cameras), store_of(frame)
        decoded = [store.read(frame.images[i], frame.token) for i in order]
        rows.append(np.stack([one.pixels for one in decoded]))
        calibrations = [calibration(frame, i, one.stored_size) for i, one in zip(order, decoded, strict=True)]
    return {"images": np.stack(rows), **camera_inputs(calibrations, store.size_px)}
