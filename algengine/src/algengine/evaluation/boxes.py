"""Labelled and found boxes of many frames, as detection and tracking metrics read them; numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from algengine.structures.objects import BOX_SIZE, OBJECT_CLASSES

CLASS_RANGE = {
    "vehicle": 50.0,
    "bicycle": 40.0,
    "pedestrian": 40.0,
    "traffic_cone": 30.0,
    "barrier": 30.0,
    "czone_sign": 30.0,
    "generic_object": 40.0,
}
"""How far from the ego each class is evaluated [m]."""


@dataclass(frozen=True)
class BoxTable:
    """N boxes of all frames of all drives.

    Attributes:
        frame: (N,) int64 number of the frame; frames of a drive follow one another.
        drive: (N,) int64 number of the drive.
        boxes: (N, 9), see `structures.objects`.
        labels: (N,) int64.
        ids: (N,) int64, unique within a drive; -1 for a finding that is not followed.
        scores: (N,) in [0, 1]; 1 for labelled boxes.
    """

    frame: np.ndarray
    drive: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, rows: np.ndarray) -> Self:
        """Return some rows, by mask or index."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def of_class(self, name: str) -> Self:
        """Return the boxes of a class near enough to be evaluated."""
        near = np.linalg.norm(self.boxes[:, :2], axis=-1) < CLASS_RANGE[name]
        return self.select((self.labels == OBJECT_CLASSES.index(name)) & near)

    def rows_by_frame(self) -> dict[int, np.ndarray]:
        """Return the rows of each frame that has any, in order of time."""
        order = np.argsort(self.frame, kind="stable")
        frames, first = np.unique(self.frame[order], return_index=True)
        return dict(zip(frames.tolist(), np.split(order, first[1:]), strict=True)) if len(order) else {}

    @classmethod
    def join(cls, tables: Sequence[Self]) -> Self:
        """Return all rows of several tables."""
        return cls(*(np.concatenate([getattr(table, f.name) for table in tables]) for f in fields(cls)))

    @classmethod
    def empty(cls) -> Self:
        """Return a table without rows."""
        whole = np.zeros(0, np.int64)
        return cls(whole, whole, np.zeros((0, BOX_SIZE)), whole, whole, np.zeros(0))


def center_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return how far the centres of boxes (N, 9) and (M, 9) are apart, seen from above (N, M) [m]."""
    return np.linalg.norm(a[:, None, :2] - b[None, :, :2], axis=-1)
