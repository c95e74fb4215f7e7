"""Labels of road users and obstacles around the ego: boxes, classes, identities, past and future.

One file per recording, drawn from its executed tracks. D decisions, A agents, one row each in all frames.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from algengine.datasets.label_files import read_labels
from algengine.errors import RecordingError
from algengine.structures.objects import (
    BOX_SIZE,
    FUTURE_STEPS,
    OBJECT_CLASSES,
    PAST_STEPS,
    TRACK_STEPS,
    ClipObjects,
)
from simengine.datatypes.agents import AgentType
from simengine.datatypes.record import RolloutRecord
from simengine.files.atomic import write_atomically
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import points_to_local, rotate, to_local

STEP = 0.5
"""Time between places of a track [s]."""

_CLASS_OF_TYPE = {
    AgentType.VEHICLE: "vehicle",
    AgentType.CYCLIST: "bicycle",
    AgentType.PEDESTRIAN: "pedestrian",
    AgentType.TRAFFIC_CONE: "traffic_cone",
    AgentType.BARRIER: "barrier",
    AgentType.CZONE_SIGN: "czone_sign",
    AgentType.GENERIC_OBJECT: "generic_object",
}
_ARRAYS = ("boxes", "present", "labels", "ids", "tracks", "tracks_valid")


@dataclass(frozen=True)
class ObjectRange:
    """Where in the ego frame objects are learned: centres inside, borders included.

    Attributes:
        x_range: low and high end along x [m].
        y_range: low and high end along y [m].
    """

    x_range: tuple[float, float] = (-51.2, 51.2)
    y_range: tuple[float, float] = (-51.2, 51.2)

    def holds(self, boxes: np.ndarray) -> np.ndarray:
        """Return whether each of boxes (..., 9) has its centre inside."""
        x, y = boxes[..., 0], boxes[..., 1]
        return (
            (x >= self.x_range[0]) & (x <= self.x_range[1]) & (y >= self.y_range[0]) & (y <= self.y_range[1])
        )


@dataclass(frozen=True)
class ObjectLabels:
    """Objects around the ego at D moments, see `ClipObjects`.

    Attributes:
        boxes: (D, A, 9) float32 in the ego frame of each moment, which lies on the road.
        present: (D, A) bool.
        labels: (A,) int64, index into `OBJECT_CLASSES`.
        ids: (A,) int64.
        tracks: (D, A, TRACK_STEPS, 2) float32.
        tracks_valid: (D, A, TRACK_STEPS) bool.
    """

    boxes: np.ndarray
    present: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    tracks: np.ndarray
    tracks_valid: np.ndarray

    def clip(self, frames: Sequence[int], area: ObjectRange, shift: np.ndarray | None = None) -> ClipObjects:
        """Return the objects of some moments that are inside `area` in at least one of them.

        Args:
            frames: Q moments.
            area: where objects are learned.
            shift: (3,) pose of a pretended ego frame in the real one, see `perturb`.
        """
        boxes, tracks = self.boxes[list(frames)], self.tracks[list(frames)]
        if shift is not None:
            boxes, tracks = shifted_boxes(boxes, shift), rotate(tracks, -shift[2]).astype(np.float32)
        present = self.present[list(frames)] & area.holds(boxes)
        rows = np.flatnonzero(present.any(0))
        arrays = (
            boxes[:, rows],
            present[:, rows],
            self.labels[rows],
            self.ids[rows],
            tracks[:, rows],
            self.tracks_valid[list(frames)][:, rows],
        )
        return ClipObjects(*(torch.from_numpy(np.ascontiguousarray(a)) for a in arrays))


def shifted_boxes(boxes: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return boxes (..., 9) float32 as seen from an ego frame `shift` (3,) inside the real one."""
    moved = boxes.copy()
    flat = boxes.reshape(-1, BOX_SIZE)
    moved[..., :2] = points_to_local(shift, flat[:, :2]).reshape(*boxes.shape[:-1], 2)
    moved[..., 6] = wrap(boxes[..., 6] - shift[2])
    moved[..., 7:] = rotate(boxes[..., 7:], -shift[2])
    return moved


def draw_objects(record: RolloutRecord) -> ObjectLabels:
    """Return the objects at the decisions of a rollout; boxes stand on the road."""
    agents, stride = record.agents, round(STEP / record.dt)
    steps = np.concatenate([-np.arange(1, PAST_STEPS + 1), np.arange(1, FUTURE_STEPS + 1)]) * stride
    boxes, present, tracks, known = [], [], [], []
    for frame in record.decision_frames.astype(int):
        ego, there = record.ego_states[frame, :3], agents.valid[:, frame]
        box = np.zeros((agents.num_agents, BOX_SIZE), np.float32)
        pose = to_local(ego, agents.pose[:, frame])
        box[:, :2], box[:, 6] = pose[:, :2], pose[:, 2]
        box[:, 2] = agents.size[:, 2] / 2
        box[:, 3:6] = agents.size
        box[:, 7:] = rotate(agents.velocity[:, frame], -ego[2])
        rows = frame + steps
        inside = (rows >= 0) & (rows < agents.num_frames)
        rows = rows.clip(0, agents.num_frames - 1)
        valid = agents.valid[:, rows] & inside & there[:, None]
        gone = agents.pose[:, rows, :2] - agents.pose[:, frame, None, :2]
        boxes.append(np.where(there[:, None], box, 0))
        present.append(there)
        tracks.append(np.where(valid[..., None], rotate(gone, -ego[2]), 0))
        known.append(valid)
    names = [_CLASS_OF_TYPE[AgentType(kind)] for kind in agents.types]
    return ObjectLabels(
        boxes=np.stack(boxes).astype(np.float32),
        present=np.stack(present),
        labels=np.array([OBJECT_CLASSES.index(name) for name in names], np.int64),
        ids=np.arange(agents.num_agents, dtype=np.int64),
        tracks=np.stack(tracks).astype(np.float32).reshape(len(boxes), -1, TRACK_STEPS, 2),
        tracks_valid=np.stack(known),
    )


def objects_path(recording: Path) -> Path:
    """Return where the objects of an observation log are kept."""
    return recording.parent.parent / "objects" / recording.name


def save_objects(labels: ObjectLabels, path: Path) -> None:
    """Write the objects of a recording atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, classes=np.array(OBJECT_CLASSES), **{k: getattr(labels, k) for k in _ARRAYS})
    write_atomically(path, buffer.getvalue())


def load_objects(recording: Path) -> ObjectLabels:
    """Return the objects of an observation log.

    Raises:
        RecordingError: there are none, they are broken, or they were drawn for other classes.
    """
    path = objects_path(recording)
    names, *arrays = read_labels(path, ("classes", *_ARRAYS))
    if tuple(names.tolist()) != OBJECT_CLASSES:
        raise RecordingError(
            f"the labels {path} are of {', '.join(names.tolist())}, expected {', '.join(OBJECT_CLASSES)}: make them "
            "again with `algengine labels`"
        )
    return ObjectLabels(**dict(zip(_ARRAYS, arrays, strict=True)))
