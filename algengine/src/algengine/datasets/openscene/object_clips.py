"""Objects of a clip of OpenScene's frames, as the perception stage learns them.

D frames in order, A objects of all of them, Q frames of the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from algengine.datasets.object_labels import ObjectLabels, ObjectRange
from algengine.datasets.openscene.frame import Frame
from algengine.datasets.openscene.sequences import FrameSequences
from algengine.structures.objects import BOX_SIZE, FUTURE_STEPS, PAST_STEPS, TRACK_STEPS, ClipObjects
from simengine.geometry.se2 import points_to_parent, rotate

_STEPS = np.concatenate([-np.arange(1, PAST_STEPS + 1), np.arange(1, FUTURE_STEPS + 1)])


def clip_objects(queue: Sequence[Frame], sequences: FrameSequences, area: ObjectRange) -> ClipObjects:
    """Return the objects of a clip, with places before and after from the frames around it.

    Args:
        queue: Q frames; the first may be repeated.
        sequences: all frames.
        area: where objects are learned.
    """
    past = sequences.until(queue[0], PAST_STEPS + 1)[:-1]
    # Repetitions of the first frame stand in for frames that do not exist, so they are one moment.
    distinct = [frame for i, frame in enumerate(queue) if i == 0 or frame is not queue[i - 1]]
    moments = [*past, *distinct, *sequences.after(queue[-1], FUTURE_STEPS)]
    first = len(past) - (len(queue) - len(distinct))
    rows = [max(first + q, len(past)) for q in range(len(queue))]
    return _timeline(moments).clip(rows, area)


def _timeline(moments: Sequence[Frame]) -> ObjectLabels:
    """Return all objects of consecutive frames, one row each."""
    seen = [frame.objects for frame in moments]
    ids, first = np.unique(np.concatenate([one.ids for one in seen]), return_index=True)
    classes = np.concatenate([one.labels for one in seen])[first]
    boxes = np.zeros((len(moments), len(ids), BOX_SIZE), np.float32)
    present = np.zeros((len(moments), len(ids)), bool)
    for d, one in enumerate(seen):
        rows = np.searchsorted(ids, one.ids)
        boxes[d, rows], present[d, rows] = one.boxes, True
    blank = np.zeros((*present.shape, TRACK_STEPS))
    whole = ObjectLabels(boxes, present, classes, ids, np.stack([blank, blank], axis=-1), blank.astype(bool))
    return _with_tracks(whole, np.stack([frame.pose for frame in moments]))


def _with_tracks(labels: ObjectLabels, poses: np.ndarray) -> ObjectLabels:
    """Return the labels with places before and after, given the ego poses (D, 3) of their moments."""
    places = np.stack([points_to_parent(p, b[:, :2]) for p, b in zip(poses, labels.boxes, strict=True)])
    rows = np.arange(len(poses))[:, None] + _STEPS  # D, steps
    inside = (rows >= 0) & (rows < len(poses))
    rows = rows.clip(0, len(poses) - 1)
    valid = labels.present[rows].transpose(0, 2, 1) & inside[:, None] & labels.present[..., None]
    gone = places[rows].transpose(0, 2, 1, 3) - places[:, :, None]
    local = rotate(gone, -poses[:, 2, None, None])
    tracks = np.where(valid[..., None], local, 0.0).astype(np.float32)
    return replace(labels, tracks=tracks, tracks_valid=valid)
