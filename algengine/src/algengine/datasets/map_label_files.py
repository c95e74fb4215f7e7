"""Files of map labels beside recordings, and how a sample gets its map."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from algengine.datasets.bev_labels import LabelGrid, require_grid
from algengine.datasets.label_files import read_labels
from algengine.datasets.map_labels import MapFrame
from algengine.errors import RecordingError
from algengine.structures.map_truth import MAP_CLASSES, MapTruth
from simengine.files.atomic import write_atomically


def map_labels_path(recording: Path) -> Path:
    """Return where the map labels of an observation log are kept."""
    return recording.parent.parent / "map_labels" / recording.name


@dataclass(frozen=True)
class MapLabels:
    """Map elements of the D decisions of a recording, n of them in all, masks packed along their last axis.

    Attributes:
        first: (D + 1,) first element of each decision, and n.
        labels: (n,) int64.
        masks: (n, bytes) uint8.
        drivable: (D, bytes) uint8.
        shape: rows and columns of a mask.
    """

    first: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    drivable: np.ndarray
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.first) - 1

    def frame(self, decision: int) -> MapFrame:
        """Return the elements of one decision."""
        rows = slice(self.first[decision], self.first[decision + 1])
        return MapFrame(
            self.labels[rows],
            self._unpacked(self.masks[rows]),
            self._unpacked(self.drivable[decision][None])[0],
        )

    def _unpacked(self, packed: np.ndarray) -> np.ndarray:
        count = self.shape[0] * self.shape[1]
        return np.unpackbits(packed, axis=1, count=count).astype(bool).reshape(-1, *self.shape)


def save_map_labels(frames: Sequence[MapFrame], grid: LabelGrid, path: Path) -> None:
    """Write the elements of all decisions of a recording atomically."""
    masks = np.concatenate([frame.masks for frame in frames])
    drivable = np.stack([frame.drivable for frame in frames])
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        grid=grid.layout,
        classes=np.array(MAP_CLASSES),
        first=np.cumsum([0, *(len(frame.labels) for frame in frames)]),
        labels=np.concatenate([frame.labels for frame in frames]),
        masks=np.packbits(masks.reshape(len(masks), math.prod(grid.shape)), axis=1),
        drivable=np.packbits(drivable.reshape(len(drivable), -1), axis=1),
    )
    write_atomically(path, buffer.getvalue())


def load_map_labels(recording: Path, grid: LabelGrid) -> MapLabels:
    """Return the map labels of an observation log.

    Raises:
        RecordingError: there are none, they are broken, or they were drawn on another grid or for other classes.
    """
    path = map_labels_path(recording)
    layout, names, *parts = read_labels(path, ("grid", "classes", "first", "labels", "masks", "drivable"))
    require_grid(path, layout, grid)
    if tuple(names.tolist()) != MAP_CLASSES:
        raise RecordingError(
            f"the labels {path} are of {', '.join(names.tolist())}, expected {', '.join(MAP_CLASSES)}: make them "
            "again with `algengine labels`"
        )
    return MapLabels(*parts, shape=grid.shape)


def add_map_truth(sample: MapTruth, frame: MapFrame) -> None:
    """Give a sample the map elements of its last frame."""
    sample.gt_map_labels = torch.from_numpy(frame.labels)
    sample.gt_map_boxes = torch.from_numpy(frame.boxes)
    sample.gt_map_masks = torch.from_numpy(frame.masks)
    sample.gt_map_drivable = torch.from_numpy(frame.drivable)
