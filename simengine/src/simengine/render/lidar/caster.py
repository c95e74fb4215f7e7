"""What a caster of rays is asked for and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simengine.render.gaussians import FlatGaussians

HIT_OPACITY = 0.5
"""Accumulated opacity at which a ray returns: half of the light is back by then, as for a median."""


@dataclass(frozen=True)
class Returns:
    """What came back along each of the R rays of a pattern.

    Attributes:
        ranges: (R,) distance from the sensor [m], NaN without a return.
        light: (R,) share of the light in [0, 1], 0 without a return.
    """

    ranges: np.ndarray
    light: np.ndarray


class RayCaster(Protocol):
    """Follows the rays of one pattern through Gaussians."""

    def cast(self, gaussians: Sequence[FlatGaussians], scene_from_ego: np.ndarray) -> Returns:
        """Return how far the rays go.

        Args:
            gaussians: sets that together are the scene; what is derived from a set is remembered while the caller
                keeps it, so pass the same object for what does not change.
            scene_from_ego: (4, 4) pose of the vehicle in the frame of the Gaussians.
        """
        ...
