"""Scenes of the extended score on the straight factory road, and random drives along it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from factories import make_straight_map
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import STATE_SIZE
from simengine.datatypes.map import AreaKind, MapArea, VectorMap
from simengine.datatypes.vehicle import VehicleParams
from simengine.metrics.epdms.lights import RedLights
from simengine.metrics.epdms.parameters import EPDMS, EpdmsParameters
from simengine.metrics.epdms.scene import EpdmsScene
from simengine.metrics.pdm.map_areas import drivable_map
from simengine.metrics.pdm.observation import observation_from_tracks
from simengine.metrics.pdm.scene import PdmScene

STATES = 41


def box_ring(x0: float, x1: float, y0: float = -1.75, y1: float = 1.75) -> np.ndarray:
    """Return the ring (4, 2) of an axis-aligned box."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def road_map(crossing: tuple[float, float] | None = None) -> VectorMap:
    """Return the straight road, with an intersection over it between two x if asked for."""
    road = make_straight_map()
    if crossing is None:
        return road
    area = MapArea("crossing", AreaKind.INTERSECTION, box_ring(*crossing, -20.0, 20.0))
    return replace(road, areas=(area,))


def extended_scene(
    vector_map: VectorMap | None = None,
    parameters: EpdmsParameters = EPDMS,
    tracks: AgentTracks | None = None,
    **changes: object,
) -> EpdmsScene:
    """Return a scene whose centre line is y = 0 from x = -50 to 195, by default with nothing on the road."""
    vector_map = road_map() if vector_map is None else vector_map
    pdm = PdmScene(
        VehicleParams(),
        observation_from_tracks(AgentTracks.empty(STATES) if tracks is None else tracks),
        drivable_map(vector_map, np.array([13.461, 0.0]), 100.0),
        frozenset(vector_map.lanes),
        vector_map.lanes["lane_0"].centerline,
        0.1,
        parameters.pdm,
    )
    return EpdmsScene(pdm, **({"lights": RedLights.none(STATES), "parameters": parameters} | changes))


def random_drives(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return (count, 41, 11) states along the road from one place, swerving and braking at random."""
    times = np.arange(STATES) * 0.1
    states = np.zeros((count, STATES, STATE_SIZE))
    speed = rng.uniform(1.0, 14.0, (count, 1))
    swing, pace = rng.uniform(-0.15, 0.15, (count, 1)), rng.uniform(0.5, 2.0, (count, 1))
    heading = swing * np.sin(times * pace)
    states[..., 0] = 12.0 + np.cumsum(speed * np.cos(heading) * 0.1, axis=1)
    states[..., 1] = rng.uniform(-0.8, 2.0, (count, 1)) + np.cumsum(speed * np.sin(heading) * 0.1, axis=1)
    states[..., 2] = heading
    states[..., 3] = speed
    states[..., 5] = rng.uniform(-3.0, 2.0, (count, 1)) * np.sin(times * rng.uniform(0.2, 3.0, (count, 1)))
    states[..., 9] = swing * pace * np.cos(times * pace)
    states[..., 10] = -swing * pace**2 * np.sin(times * pace)
    return states
