"""What a batch of ego state sequences is scored against."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simengine.datatypes.vehicle import VehicleParams
from simengine.metrics.pdm.map_areas import DrivableMap
from simengine.metrics.pdm.observation import TrackObservation
from simengine.metrics.pdm.parameters import PdmParameters


@dataclass(frozen=True)
class PdmScene:
    """What a batch is scored against.

    Attributes:
        vehicle: dimensions of the ego.
        observation: the tracks; frame s is met by state s.
        drivable: polygons around the ego.
        route_lanes: ids of the lanes of the route.
        centerline: (N, 2 or more columns) line along which progress counts.
        dt: time between states [s].
        parameters: thresholds and weights.
    """

    vehicle: VehicleParams
    observation: TrackObservation
    drivable: DrivableMap
    route_lanes: frozenset[str]
    centerline: np.ndarray
    dt: float = 0.1
    parameters: PdmParameters = field(default_factory=PdmParameters)
