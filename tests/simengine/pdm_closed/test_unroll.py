"""The compiled unrolling against its twin of plain loops, and its slips one by one."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from oracles import pdm_closed as oracle
from simengine.datatypes.agents import AgentStates, AgentType
from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry import boxes
from simengine.pdm_closed.forecast import forecast
from simengine.pdm_closed.leads import candidates_on, obstacles_of, occupancy
from simengine.pdm_closed.parameters import FRESH_PDM_CLOSED, NAVSIM_PDM_CLOSED, WORLDENGINE_PDM_CLOSED
from simengine.pdm_closed.path import drive_path
from simengine.pdm_closed.ring_distance import ring_distance
from simengine.pdm_closed.unroll import rules_of, start_unrolling, unroll

CAR = VehicleParams()
FRAMES = 51
STRAIGHT = drive_path(np.column_stack([np.linspace(0, 300, 61), np.zeros((61, 2))]))


def state(x=10.0, y=0.0, speed=8.0):
    return np.array([x, y, 0.0, speed, *np.zeros(7)])


def run(path, ego, agents, lights, parameters, limit=10.0):
    """Return the unrolled proposals and those of the twin."""
    targets = limit * np.array(parameters.speed_fractions)
    box = np.array([ego[0] + CAR.rear_axle_to_center, ego[1], 0.0, CAR.length, CAR.width])
    expected = forecast(agents, lights, box)
    trees = occupancy(expected, np.arange(0, FRAMES, parameters.refresh_every) * parameters.dt)
    made = start_unrolling(path, ego, len(targets), FRAMES)
    corridor = path.corridor(made.idm[0, 0, 0], made.idm[0, 0, 0] + 5.0 * targets.max(), CAR.width / 2)
    candidates = candidates_on(path, corridor, trees, expected.ignored)
    unroll(made, targets, path, obstacles_of(expected), candidates, rules_of(parameters, CAR), 1, FRAMES - 1)
    speed = np.where(agents.types[[agents.ids.index(i) for i in expected.agents.ids]] >= 3, 0.0, 1.0)
    speed = [*(speed * np.hypot(*expected.agents.velocity.T)), *[None] * len(lights)]
    heading = [*expected.agents.pose[:, 2], *[0.0] * len(lights)]
    plain = [
        [
            (tree.geometries[k], heading[k], speed[k])
            for k in tree.query(corridor, predicate="intersects")
            if not expected.ignored[k]
        ]
        for tree in trees
    ]
    return made, oracle.unroll(path, targets, ego, plain, parameters, CAR, FRAMES)


def nobody():
    return crowd(np.random.default_rng(0), 0)


def crowd(rng, count):
    kinds = rng.choice([AgentType.VEHICLE, AgentType.PEDESTRIAN, AgentType.CYCLIST, AgentType.BARRIER], count)
    pose = np.column_stack(
        [rng.uniform(5, 90, count), rng.normal(0, 4, count), rng.normal(0, 1.2, count)]
    ).reshape(count, 3)
    size = rng.uniform(0.5, 5.0, (count, 3))
    velocity = rng.normal(0, 5, (count, 2)) * (rng.random((count, 1)) < 0.7)
    return AgentStates(tuple(f"a{i}" for i in range(count)), np.array(kinds, np.int8), pose, velocity, size)


def ahead(distance, speed=0.0):
    """Return one car whose rear is `distance` in front of the bumper of `state()`."""
    x = 10.0 + CAR.rear_axle_to_center + CAR.length / 2 + distance + 2.0
    return AgentStates(
        ("car",),
        np.zeros(1, np.int8),
        np.array([[x, 0.0, 0.0]]),
        np.array([[speed, 0.0]]),
        np.array([[4.0, 2.0, 1.5]]),
    )


@pytest.mark.parametrize("parameters", [NAVSIM_PDM_CLOSED, FRESH_PDM_CLOSED, WORLDENGINE_PDM_CLOSED])
def test_the_twin_agrees_on_random_roads(parameters):
    rng = np.random.default_rng(11)
    followed = 0
    for trial in range(25):
        yaw = np.cumsum(rng.normal(0, 0.06, 70))
        step = np.stack([np.cos(yaw), np.sin(yaw)], axis=1) * rng.uniform(0.8, 2.5, (70, 1))
        path = drive_path(np.column_stack([np.cumsum(step, axis=0), yaw]), rng.choice([-1.0, 0.0, 1.0]))
        light = shapely.Polygon(
            np.array([[40, -3], [60, -4], [62, 2], [50, 4], [39, 3]]) + rng.normal(0, 2, 2)
        )
        ego = state(*rng.normal([8, 0], 1), rng.uniform(0, 14))
        made, plain = run(path, ego, crowd(rng, rng.integers(0, 25)), (light,) * (trial % 2), parameters)
        for got, wanted in zip(made, plain, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-9)
        followed += (made.lead[:, -1, 0] < path.length).sum()
    assert followed > 40, "leading objects come up"


def test_the_published_first_step_brakes_for_nothing():
    made, _ = run(STRAIGHT, state(), nobody(), (), NAVSIM_PDM_CLOSED)
    np.testing.assert_array_equal(made.lead[:, 1], 0.0)
    np.testing.assert_allclose(made.idm[:, 1, 1], 8.0 - 0.3)
    fresh, _ = run(STRAIGHT, state(), nobody(), (), FRESH_PDM_CLOSED)
    np.testing.assert_allclose(fresh.lead[:, 1], [[300.0, 0.0, CAR.length / 2]] * 5)
    assert (fresh.idm[-1, 1:, 1] > 8.0).all(), "the target of 10 m/s is above the speed"


@pytest.mark.parametrize("fractions", [(0.2, 1.0), (1.0, 0.2)])
def test_published_records_keep_fields_of_the_proposal_before(fractions):
    """A reversing car passes the fast proposal first: for a moment one has a free road and the other does not.

    Its speed has the sign of its heading, not of its motion, in both variants.
    """
    published = replace(NAVSIM_PDM_CLOSED, speed_fractions=fractions)
    stale, _ = run(STRAIGHT, state(), ahead(30.0, -9.0), (), published, limit=15.0)
    fresh, _ = run(STRAIGHT, state(), ahead(30.0, -9.0), (), replace(published, fresh_leads=True), limit=15.0)
    for made, free_speed, rear in ((stale, 9.0, CAR.length / 2), (fresh, 0.0, 0.0)):
        free = made.lead[..., 0] == 300.0
        (moment,) = np.nonzero(free[0] & ~free[1] if fractions[0] > fractions[1] else free[1] & ~free[0])
        assert len(moment) > 0
        free_row = int(np.argmax(free[:, moment[0]]))
        record, other = made.lead[free_row, moment[0]], made.lead[1 - free_row, moment[0]]
        if free_row == 1:  # its record was written after that of the slow proposal
            np.testing.assert_allclose(record, [300.0, free_speed, CAR.length / 2])
            np.testing.assert_allclose(other[1:], [9.0, 0.0])
        else:
            np.testing.assert_allclose(record, [300.0, 0.0, CAR.length / 2])
            np.testing.assert_allclose(other[1:], [9.0, rear])


def test_a_red_light_stands_at_its_border():
    light = shapely.box(60, -3, 80, 3)
    published, _ = run(STRAIGHT, state(), nobody(), (light,), NAVSIM_PDM_CLOSED)
    front = 10.0 + CAR.rear_axle_to_center + CAR.length / 2
    gap = published.lead[0, 2, 0] - published.idm[0, 1, 0]
    assert gap == pytest.approx(60.0 - (front + published.idm[0, 1, 0] - 10.0))
    np.testing.assert_array_equal(published.lead[:, :, 1], 0.0)


def test_leads_are_looked_up_at_even_steps():
    made, _ = run(STRAIGHT, state(), ahead(20.0, 3.0), (), NAVSIM_PDM_CLOSED)
    np.testing.assert_array_equal(made.lead[:, 3::2], made.lead[:, 2:-1:2])
    assert (made.lead[:, 4::2] != made.lead[:, 2:-2:2]).any()


def test_weak_accelerations_vanish_only_where_asked_for():
    def weak(parameters):
        made, _ = run(STRAIGHT, state(speed=9.9), nobody(), (), parameters)
        acceleration = np.abs(np.diff(made.idm[..., 1], axis=1)) / 0.1
        return ((acceleration > 1e-9) & (acceleration < 0.0199)).sum()

    assert weak(WORLDENGINE_PDM_CLOSED) == 0
    assert weak(replace(WORLDENGINE_PDM_CLOSED, acceleration_deadband=0.0)) > 0


def test_nobody_drives_beyond_the_end_of_the_path():
    short = drive_path(np.column_stack([np.linspace(0, 40, 9), np.zeros((9, 2))]))
    made, _ = run(short, state(), nobody(), (), FRESH_PDM_CLOSED)
    assert (made.poses[..., 0] <= 40.0).all()
    assert (np.diff(made.idm[..., 1], axis=1)[:, 20:] <= 0).all()


def test_distances_between_boxes_and_polygons_are_shapelys():
    rng = np.random.default_rng(2)
    apart = 0
    for _ in range(500):
        box = boxes.corners(rng.normal(0, 3, 3), *rng.uniform(0.5, 5, 2))
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
        # A star around a point is a simple polygon, not always a convex one.
        ring = rng.uniform(0.5, 5, (len(angle), 1)) * np.stack([np.cos(angle), np.sin(angle)], 1)
        shift = rng.normal(0, 4, 2)
        if not shapely.is_valid(shapely.Polygon(ring)):
            continue
        expected = shapely.distance(shapely.Polygon(box), shapely.Polygon(ring + shift))
        assert ring_distance(box, ring, *shift) == pytest.approx(expected, abs=1e-12)
        apart += expected > 0
    assert 100 < apart < 400
