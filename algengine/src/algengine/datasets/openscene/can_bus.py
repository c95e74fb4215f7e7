"""The published can-bus vectors of a clip: how the ego moved since the frame before, in the axes of the map.

Their slots are listed in `models/bev/can_bus.py`. Only planners with `compat` look at them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from algengine.datasets.openscene.frame import Frame


def can_bus_clip(
    queue: Sequence[Frame], fix_can_bus_rotation: bool = True, fix_yaw_jump: bool = True
) -> np.ndarray:
    """Return vectors (Q, 18) float32 of the frames of a clip, oldest first; the first one has not moved.

    Args:
        queue: Q frames.
        fix_can_bus_rotation: give the rotation since the frame before; otherwise it is the absolute one, as in the
            original without its fix. All published configs set it.
        fix_yaw_jump: turns stay within half a turn; otherwise they jump by 360 degrees where the heading passes
            east, as published weights have seen.
    """
    return np.stack(
        [
            _vector(queue[max(q - 1, 0)], queue[q], fix_can_bus_rotation, fix_yaw_jump)
            for q in range(len(queue))
        ]
    ).astype(np.float32)


def _vector(previous: Frame, frame: Frame, fix_rotation: bool, fix_jump: bool) -> np.ndarray:
    vector = frame.can_bus.copy()
    vector[0:3] -= previous.can_bus[0:3]
    if fix_rotation:
        vector[3:7] = quaternion_between(previous.can_bus[3:7], frame.can_bus[3:7])
    before, now = _yaw_deg(previous.can_bus[3:7]), _yaw_deg(frame.can_bus[3:7])
    turn = now - before
    if fix_jump:
        turn = (turn + 180.0) % 360.0 - 180.0
    vector[16], vector[17] = math.radians(turn), turn
    return vector


def quaternion_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return b * a^-1 for unit quaternions (4,) wxyz."""
    w, x, y, z = a[0], -a[1], -a[2], -a[3]
    v, i, j, k = b
    return np.array(
        [
            v * w - i * x - j * y - k * z,
            v * x + i * w + j * z - k * y,
            v * y - i * z + j * w + k * x,
            v * z + i * y - j * x + k * w,
        ]
    )


def _yaw_deg(quaternion: np.ndarray) -> float:
    """Heading in [0, 360)."""
    w, x, y, z = quaternion
    return math.degrees(math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))) % 360.0
