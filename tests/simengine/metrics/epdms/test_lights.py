"""Running red lights."""

import numpy as np
import pytest
import shapely

from epdms_factories import STATES, box_ring
from metrics_factories import straight_states
from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry import boxes
from simengine.metrics.epdms.lights import RedLights, traffic_light_compliance
from simengine.metrics.pdm.ego_geometry import ego_centers, ego_geometry

VEHICLE = VehicleParams()
FRONT = 12.0 + 1.461 + 2.588  # x of the bumper at time 0


def run(states: np.ndarray, lights: RedLights) -> tuple[np.ndarray, np.ndarray]:
    return traffic_light_compliance(ego_geometry(states, VEHICLE), lights)


def light(x0: float, x1: float, red: np.ndarray | None = None) -> RedLights:
    shown = np.ones(STATES, bool) if red is None else red
    return RedLights(("c",), (box_ring(x0, x1),), shown[None])


def test_running_a_red_light() -> None:
    # At 8 m/s the bumper, 13.949 m before the connector, is there in frame 18 (14.4 m) and not in 17 (13.6 m).
    score, first = run(straight_states()[None], light(30.0, 40.0))
    assert score[0] == 0.0
    assert first[0] == 18


def test_a_red_light_that_turns_green_in_time() -> None:
    red = np.arange(STATES) < 18
    assert run(straight_states()[None], light(30.0, 40.0, red))[0][0] == 1.0
    red[18] = True
    assert run(straight_states()[None], light(30.0, 40.0, red))[0][0] == 0.0


def test_a_light_that_turns_red_behind_the_ego() -> None:
    # The tail, at x = 10.873 in the beginning, leaves a connector that ends at x = 20 between frames 11 and 12.
    assert run(straight_states()[None], light(15.0, 20.0, np.arange(STATES) >= 12))[0][0] == 1.0
    score, first = run(straight_states()[None], light(15.0, 20.0, np.arange(STATES) >= 11))
    assert (score[0], first[0]) == (0.0, 11)


@pytest.mark.parametrize(("gap", "expected"), [(0.0, 0.0), (1e-6, 1.0)])
def test_stopping_at_the_line(gap: float, expected: float) -> None:
    standing = straight_states(speed=0.0)[None]
    assert run(standing, light(FRONT + gap, 40.0))[0][0] == expected


def test_an_ego_whole_inside_and_a_connector_whole_inside() -> None:
    standing = straight_states(speed=0.0)[None]
    around = RedLights(("c",), (box_ring(0.0, 40.0, -9.0, 9.0),), np.ones((1, STATES), bool))
    within = RedLights(("c",), (box_ring(13.0, 13.5, -0.2, 0.2),), np.ones((1, STATES), bool))
    assert run(standing, around)[0][0] == 0.0
    assert run(standing, within)[0][0] == 0.0


def test_no_lights() -> None:
    score, first = run(straight_states()[None], RedLights.none(STATES))
    assert (score[0], first[0]) == (1.0, np.inf)


def plain(states: np.ndarray, lights: RedLights) -> np.ndarray:
    """Return the first frame on red of each sequence, by shapely."""
    corners = boxes.corners(ego_centers(states, VEHICLE), VEHICLE.length, VEHICLE.width)
    first = np.full(len(states), np.inf)
    for p, s in np.ndindex(states.shape[:2]):
        ego = shapely.Polygon(corners[p, s])
        shown = [shapely.Polygon(r) for r, on in zip(lights.outlines, lights.red[:, s], strict=True) if on]
        if np.isinf(first[p]) and any(ego.intersects(polygon) for polygon in shown):
            first[p] = s
    return first


@pytest.mark.parametrize("seed", range(8))
def test_against_shapely(seed: int) -> None:
    rng = np.random.default_rng(seed)
    states = np.zeros((40, 12, 11))
    states[..., :2], states[..., 2] = rng.uniform(-25, 25, (40, 12, 2)), rng.uniform(-7, 7, (40, 12))
    outlines = []
    for _ in range(4):  # star shapes, most of them not convex
        angle = np.sort(rng.uniform(0, 2 * np.pi, 9))
        spoke = rng.uniform(0.5, 12.0, 9)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        outlines.append(rng.uniform(-20, 20, 2) + spoke)
    lights = RedLights(tuple("abcd"), tuple(outlines), rng.random((4, 12)) < 0.3)
    expected = plain(states, lights)
    assert np.isfinite(expected).any()
    np.testing.assert_array_equal(run(states, lights)[1], expected)
