"""Road users and obstacles around the ego: those labelled in a clip, and those found in it.

Q frames of a clip, M labelled objects, D findings per frame. A box is x, y, z of its centre, length, width, height [m],
yaw [rad] and velocity x, y [m/s] over the ground, all along the axes of the ego frame of its frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

OBJECT_CLASSES = (
    "vehicle",
    "bicycle",
    "pedestrian",
    "traffic_cone",
    "barrier",
    "czone_sign",
    "generic_object",
)
"""Names of the classes in the published order; their index is the label."""

BOX_SIZE = 9
PAST_STEPS, FUTURE_STEPS = 3, 4
TRACK_STEPS = PAST_STEPS + FUTURE_STEPS
"""Places of an object beside its present one, every 0.5 s: latest past first, then the future."""


class _Tensors:
    """A frozen dataclass of tensors that moves between devices as one.

    Between processes it travels by value: many small tensors in shared memory would each keep a file open.
    """

    def __reduce__(self) -> tuple:
        arrays = tuple(getattr(self, field.name).cpu().numpy() for field in fields(self))
        return _from_arrays, (type(self), arrays)

    def to(self, *args: object, **kwargs: object) -> Self:
        """Return the same on another device; arguments as those of `Tensor.to`."""
        return type(self)(*(getattr(self, field.name).to(*args, **kwargs) for field in fields(self)))


@dataclass(frozen=True)
class ClipObjects(_Tensors):
    """Labelled objects of a clip; an object has the same row in all frames.

    Attributes:
        boxes: (Q, M, 9).
        present: (Q, M) whether the object is there and near enough to be learned.
        labels: (M,) int64, index into `OBJECT_CLASSES`.
        ids: (M,) int64, unique within a recording.
        tracks: (Q, M, TRACK_STEPS, 2) where it was and will be, from where it is [m].
        tracks_valid: (Q, M, TRACK_STEPS) which of these are known.
    """

    boxes: Tensor
    present: Tensor
    labels: Tensor
    ids: Tensor
    tracks: Tensor
    tracks_valid: Tensor


@dataclass(frozen=True)
class FoundObjects(_Tensors):
    """What a model found in a clip, best first in each frame.

    Attributes:
        boxes: (Q, D, 9).
        scores: (Q, D) in [0, 1]; 0 where there is nothing.
        labels: (Q, D) int64, index into `OBJECT_CLASSES`.
        ids: (Q, D) int64, the same for what is held to be the same object in several frames; -1 for a finding that is
            not followed.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    ids: Tensor


def _from_arrays(kind: type, arrays: Sequence[np.ndarray]) -> _Tensors:
    return kind(*(torch.from_numpy(array) for array in arrays))


def padded(clips: list[ClipObjects]) -> ClipObjects:
    """Return the objects of B clips along a new first axis, rows filled up with objects that are never present."""
    rows = max(1, *(len(clip.labels) for clip in clips))
    return ClipObjects(*(_stacked([getattr(c, f.name) for c in clips], rows) for f in fields(ClipObjects)))


def _stacked(parts: list[Tensor], rows: int) -> Tensor:
    """Return tensors (Q, M, ...) or (M,) stacked, M filled up to `rows` with zeros."""
    axis = min(parts[0].dim() - 1, 1)
    filled = []
    for part in parts:
        shape = list(part.shape)
        shape[axis] = rows - shape[axis]
        filled.append(torch.cat([part, part.new_zeros(shape)], dim=axis))
    return torch.stack(filled)
