"""Driving direction compliance (DDC): 1, 0.5 or 0 by the metres driven off the route lanes at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.metrics.pdm.ego_areas import EgoAreas
from simengine.metrics.pdm.ego_geometry import EgoGeometry
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.rows import for_rows


def wrong_way_metres(
    ego: EgoGeometry, oncoming: np.ndarray, dt: float, parameters: PdmParameters, threads: int | None = None
) -> np.ndarray:
    """Return the most metres (P,) driven the wrong way within a window or stretch, by the rule of the mode.

    Args:
        ego: geometry of P sequences of S states.
        oncoming: (P, S) whether a step counts.
        dt: time between states [s].
        parameters: window and rule.
        threads: see `for_rows`.
    """
    most = np.zeros(ego.count)
    window = round(parameters.direction_window / dt) + 1
    if parameters.direction_rule == "stretch":
        window = ego.num_states
    x, y = ego.center_x, ego.center_y
    for_rows(lambda a, b: _sum(x[a:b], y[a:b], oncoming[a:b], window, most[a:b]), ego.count, threads)
    return most


def driving_direction_compliance(
    ego: EgoGeometry, areas: EgoAreas, dt: float, parameters: PdmParameters, threads: int | None = None
) -> np.ndarray:
    """Return DDC (P,); see `wrong_way_metres`."""
    most = wrong_way_metres(ego, areas.oncoming, dt, parameters, threads)
    return direction_score(most, parameters)


def direction_score(most: np.ndarray, parameters: PdmParameters) -> np.ndarray:
    """Return DDC (P,) of the most metres driven the wrong way."""
    half = np.where(most < parameters.direction_violation, 0.5, 0.0)
    return np.where(most < parameters.direction_compliant, 1.0, half)


@njit(cache=True, nogil=True, error_model="numpy")
def _sum(x, y, oncoming, window, most):  # type: ignore[no-untyped-def]
    stretch = window == x.shape[1]
    steps = np.zeros(x.shape[1])
    for p in range(x.shape[0]):
        run = 0.0
        for s in range(x.shape[1]):
            steps[s] = 0.0
            if s > 0 and oncoming[p, s]:
                steps[s] = np.sqrt((x[p, s] - x[p, s - 1]) ** 2 + (y[p, s] - y[p, s - 1]) ** 2)
            if stretch:
                run = run + steps[s] if oncoming[p, s] else 0.0
            else:
                run = 0.0
                for i in range(max(s - window + 1, 0), s + 1):
                    run += steps[i]
            most[p] = max(most[p], run)
