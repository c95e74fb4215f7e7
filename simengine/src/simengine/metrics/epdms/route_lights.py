"""Which lights of a scenario the ego has to obey: those of the lane connectors of its route."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.lights import LightState, TrafficLights
from simengine.map.route import route_lanes
from simengine.metrics.epdms.lights import RedLights
from simengine.scenario.scenario import Scenario


def red_lights(scenario: Scenario, lights: TrafficLights) -> tuple[RedLights, str]:
    """Return the red connectors of the route, and why they are not all of them ("" if they are).

    Args:
        scenario: map and route as given.
        lights: over the times of the scored states.
    """
    red = lights.state == LightState.RED
    route = route_lanes(scenario.map, scenario.route)
    if red.any() and not route:
        return RedLights.none(red.shape[1]), "lights are red, but the scenario has no usable route"
    ours = [
        row
        for row, name in enumerate(lights.lane_ids)
        if red[row].any() and name in route and route[name].is_connector
    ]
    rows = [row for row in ours if len(route[lights.lane_ids[row]].polygon) >= 3]
    ids = tuple(lights.lane_ids[row] for row in rows)
    missing = "" if len(rows) == len(ours) else "a red lane connector has no polygon"
    return RedLights(ids, tuple(route[name].polygon for name in ids), red[rows]), missing


def lights_at(scenario: Scenario, frame: int, times: np.ndarray) -> TrafficLights:
    """Return the logged lights at `times` (S,) [s] after `frame`; each state holds until the next."""
    known = (scenario.timestamps_us - scenario.timestamps_us[frame]) * 1e-6
    frames = np.clip(np.searchsorted(known, times + 1e-3, side="right") - 1, 0, len(known) - 1)
    logged = scenario.lights
    return TrafficLights(logged.lane_ids, logged.state[:, frames], logged.stop_point)
