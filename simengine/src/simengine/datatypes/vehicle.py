"""Size and wheel base of the ego vehicle."""

from __future__ import annotations

from dataclasses import dataclass

AXLE_HEIGHT = 0.38
"""Of the nuPlan car's rear axle above the road [m]: its annotated boxes stand that far below the axle.

Our ego frame lies on the ground; nuPlan, OpenScene and the original have theirs at the height of the axle.
"""


@dataclass(frozen=True)
class VehicleParams:
    """Dimensions of a car in metres; the default is the nuPlan "Pacifica"."""

    length: float = 5.176
    width: float = 2.297
    height: float = 1.777
    wheel_base: float = 3.089
    rear_axle_to_center: float = 1.461

    @classmethod
    def from_box(cls, length: float, width: float, height: float) -> VehicleParams:
        """Return parameters of a car known only by its box, in the Pacifica's proportions."""
        scale = length / cls.length
        return cls(length, width, height, cls.wheel_base * scale, cls.rear_axle_to_center * scale)
