"""Traffic-light states over time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from simengine.datatypes.check import require_shape


class LightState(IntEnum):
    """What a light shows."""

    UNKNOWN = 0
    GREEN = 1
    YELLOW = 2
    RED = 3


@dataclass(frozen=True)
class TrafficLights:
    """States of L controlled lanes over T frames.

    Attributes:
        lane_ids: L ids of the controlled lanes or connectors.
        state: (L, T) int8 of `LightState`.
        stop_point: (L, 2) where to stop in the world frame [m]; NaN where unknown.
    """

    lane_ids: tuple[str, ...]
    state: np.ndarray
    stop_point: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.lane_ids)
        require_shape("lights.state", self.state, (count, self.state.shape[-1]))
        require_shape("lights.stop_point", self.stop_point, (count, 2))

    @classmethod
    def empty(cls, num_frames: int) -> TrafficLights:
        """Return no lights over `num_frames` frames."""
        return cls((), np.zeros((0, num_frames), np.int8), np.zeros((0, 2)))

    def red_lanes(self, frame: int) -> list[str]:
        """Return the ids of lanes that show red at `frame`."""
        return [i for i, s in zip(self.lane_ids, self.state[:, frame], strict=True) if s == LightState.RED]
