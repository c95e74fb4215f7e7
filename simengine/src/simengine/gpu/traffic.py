"""The tracks of a scene on a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from simengine.gpu.grid import Grid, upload_grid
from simengine.gpu.ranges import Ranges, upload_ranges
from simengine.gpu.traffic_grid import traffic_grid
from simengine.metrics.pdm.contact import track_boxes
from simengine.metrics.pdm.scene import PdmScene

_NOWHERE = 1e12
"""Where a box touches nobody [m]."""


@dataclass(frozen=True)
class Traffic:
    """A tracks, at least one, over F frames; box `1 + frame * A + track`. Box 0 touches nobody; see `Ranges`.

    Attributes:
        grid: cells of one frame, C with the rim.
        num_frames: () number of frames F.
        num_cells: () number of cells C.
        near: boxes near each frame and cell, frames first, and F + 1 of them: in the last there is nobody.
        listed: (N,) boxes that `near` points into.
        boxes: (6, B) centre x, y [m], cosine and sine of the heading, half length, half width [m].
        track: (B,) the track of a box.
        standing: (B,) whether the track counts as standing.
        static: (A,) whether it is of a class that never moves.
        crowd: most boxes in one frame and cell.
    """

    grid: Grid
    num_frames: torch.Tensor
    num_cells: torch.Tensor
    near: Ranges
    listed: torch.Tensor
    boxes: torch.Tensor
    track: torch.Tensor
    standing: torch.Tensor
    static: torch.Tensor
    crowd: int

    @property
    def num_tracks(self) -> int:
        """Number of tracks A."""
        return len(self.static)


def upload_traffic(scene: PdmScene, device: torch.device) -> Traffic:
    """Return the tracks of a scene on `device`, with what its mode says about them."""
    tracks = track_boxes(scene.observation, scene.parameters)
    grid = traffic_grid(tracks, 0.5 * float(np.hypot(scene.vehicle.length, scene.vehicle.width)))
    frames, count = tracks.present.shape
    half = np.broadcast_to(tracks.half, (frames, count, 2))
    boxes = np.concatenate([tracks.pose, half], axis=-1).reshape(frames * count, 6)
    nobody = [_NOWHERE, _NOWHERE, 1.0, 0.0, 0.0, 0.0]
    numbers = torch.tensor([frames, grid.cells_per_frame], device=device)

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(array, order="C")).to(device)

    return Traffic(
        upload_grid(tuple(grid.corner.tolist()), grid.cell, grid.rows, grid.columns, device),
        *numbers.unbind(),
        upload_ranges(grid.start, device),
        put(np.append(0, grid.box + 1)),
        put(np.vstack([nobody, boxes]).T),
        put(np.append(0, np.tile(np.arange(count), frames))),
        put(np.append(False, tracks.standing)),
        put(tracks.static if count else np.zeros(1, bool)),
        int(np.diff(grid.start).max()),
    )
