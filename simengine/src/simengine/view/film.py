"""The frames of a film of a drive: cameras in a grid, and the view from above."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import ConfigError
from simengine.view.birdseye import draw_birdseye
from simengine.view.drive import Drive
from simengine.view.images import CameraImages
from simengine.view.montage import beside, caption, even, tile

# Three columns with the front in the upper middle and the rear in the lower one, as one looks around in the car.
_AROUND = ("CAM_L0", "CAM_F0", "CAM_R0", "CAM_L1", "CAM_R1", "CAM_L2", "CAM_B0", "CAM_R2")
_ALONE_PX = 720


def pick_cameras(drive: Drive, wanted: str) -> tuple[CameraCalibration, ...]:
    """Return the cameras that `wanted` names: channels with commas, `all` or `none`.

    Raises:
        ConfigError: the rig has no such camera.
    """
    rig = {camera.name: camera for camera in drive.cameras}
    if wanted == "none":
        return ()
    names = sorted(rig, key=_place) if wanted == "all" else [name.strip() for name in wanted.split(",")]
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in rig:
            raise ConfigError(f"--cameras names {name!r}, expected all, none or some of {','.join(rig)}")
    return tuple(rig[name] for name in names)


def film(
    drive: Drive,
    images: CameraImages,
    cameras: Sequence[CameraCalibration],
    birdseye: bool,
    captions: bool = True,
) -> Iterator[np.ndarray]:
    """Yield one picture (H, W, 3) uint8 with even sides for each frame of a drive.

    Args:
        drive: what to show.
        images: its camera images.
        cameras: in the order of the grid, all of one size; may be empty where there is a view from above.
        birdseye: whether to add the view from above, as high as the grid.
        captions: whether to write what is what into the pictures.

    Raises:
        ConfigError: there would be nothing to see, or a camera has no images.
    """
    if not cameras and not birdseye:
        raise ConfigError("the film would show nothing, expected cameras or --birdseye")
    for frame in range(drive.num_frames):
        grid = _grid(images.at(frame, tuple(cameras)), cameras, captions) if cameras else None
        above = None
        if birdseye:
            above = draw_birdseye(drive, frame, _ALONE_PX if grid is None else len(grid))
            if captions:
                above = caption(above, f"{frame * drive.dt:.1f} s  {drive.speed[frame]:.1f} m/s")
        yield even(above if grid is None else grid if above is None else beside(grid, above))


def _grid(seen: dict[str, np.ndarray], cameras: Sequence[CameraCalibration], captions: bool) -> np.ndarray:
    missing = [camera.name for camera in cameras if camera.name not in seen]
    if missing:
        raise ConfigError(
            f"the run kept no images of {missing[0]}, expected {', '.join(seen) or 'none at all'}: "
            "let them be drawn with --backend auto"
        )
    pictures = {c.name: caption(seen[c.name], c.name) if captions else seen[c.name] for c in cameras}
    if tuple(pictures) == _AROUND:
        # The car stands in the middle.
        return tile([*list(pictures.values())[:4], None, *list(pictures.values())[4:]], 3)
    return tile(list(pictures.values()), 3 if len(pictures) > 4 else math.ceil(math.sqrt(len(pictures))))


def _place(name: str) -> int:
    return _AROUND.index(name) if name in _AROUND else len(_AROUND)
