"""Objects around the ego in one of OpenScene's frames; M of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from algengine.structures.objects import OBJECT_CLASSES
from simengine.datatypes.vehicle import AXLE_HEIGHT

_OTHER_NAMES = {"cyclist": "bicycle"}


@dataclass(frozen=True, slots=True)
class SeenObjects:
    """Objects of one frame.

    Attributes:
        boxes: (M, 9) float32 in our ego frame, which lies on the road, see `structures.objects`.
        labels: (M,) int64, index into `OBJECT_CLASSES`.
        ids: (M,) int64, unique within a log.
    """

    boxes: np.ndarray
    labels: np.ndarray
    ids: np.ndarray


def parse_objects(info: Mapping) -> SeenObjects:
    """Return the objects of an info dictionary; those of other classes, and those not valid, are left out.

    Files give boxes from the rear axle, at its height.

    Raises:
        KeyError: a key is missing.
        ValueError: arrays do not fit.
    """
    names = [_OTHER_NAMES.get(str(name), str(name)) for name in info["gt_names"]]
    given = np.asarray(info["gt_boxes"], np.float32).reshape(len(names), 7)
    velocity = np.nan_to_num(np.asarray(info["gt_velocity"], np.float32).reshape(len(names), 2))
    boxes = np.concatenate([given, velocity], axis=1)
    boxes[:, 2] += AXLE_HEIGHT
    ids = np.asarray(info["gt_inds"], np.int64).reshape(len(names))
    valid = np.asarray(info.get("valid_flag", np.ones(len(names))), bool).reshape(len(names))
    kept = np.flatnonzero(valid & np.isin(names, OBJECT_CLASSES))
    labels = np.array([OBJECT_CLASSES.index(names[i]) for i in kept], np.int64)
    return SeenObjects(boxes[kept], labels, ids[kept])
