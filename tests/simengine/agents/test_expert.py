"""The expert: yields to who crosses, halts at signs, and allows for the car behind the tracker."""

from dataclasses import replace

import numpy as np
import pytest

from simengine.agents.expert import EXPERT_IDM, ExpertPolicy
from simengine.agents.paths import table
from simengine.agents.rollouts import CLEARANCE, Surroundings, crossed_at, try_candidate
from simengine.agents.settle import settle_curve, turned_in_early
from simengine.agents.stops import Stops
from simengine.datatypes.map import AreaKind
from simengine.geometry import boxes, polyline
from simengine.world import places
from simengine.world.draft import Perturbation, first_state, make_draft
from simengine.world.drive import drive
from simengine.world.events.staging import before_line, stop_line

STEP = 0.5
HALF = np.array([2.588, 1.1485])
FRAMES = 61


def straight_points(length=120.0):
    """Rows of a path along the x axis."""
    x = np.arange(0.0, length, STEP)
    return table(np.column_stack([x, np.zeros_like(x), np.zeros_like(x)]), np.full(len(x), 12.0))


def surroundings(*agents):
    """Agents as (x, y, yaw, speed, half length, half width), all at constant velocity."""
    time = 0.1 * np.arange(FRAMES)
    pose, velocity, half = [], [], []
    for x, y, yaw, speed, length, width in agents:
        v = speed * np.array([np.cos(yaw), np.sin(yaw)])
        pose.append(
            np.column_stack([x + time * v[0], y + time * v[1], np.full(FRAMES, yaw)]),
        )
        velocity.append(np.tile(v, (FRAMES, 1)))
        half.append((length, width))
    return Surroundings(
        np.array(pose), np.array(velocity), np.ones((len(agents), FRAMES), bool), np.array(half)
    )


def crossed_at_slow(points, around):
    """Every pose of the path against every pose of everybody who neither goes nor comes along it."""
    for k in range(len(points)):
        own = boxes.corners(points[k, :3], 2 * (HALF[0] + CLEARANCE), 2 * (HALF[1] + CLEARANCE))
        for pose, velocity, half in zip(around.pose, around.velocity, around.half, strict=True):
            speed = np.hypot(*velocity[0])
            along = velocity[0] @ [np.cos(points[k, 2]), np.sin(points[k, 2])] / max(speed, 1e-9)
            if speed < 0.3 or along > 0.9 or along < -0.85:
                continue
            if boxes.overlap(own[None], boxes.corners(pose, 2 * half[0], 2 * half[1])).any():
                return k * STEP
    return np.inf


@pytest.mark.parametrize("seed", range(12))
def test_crossed_at_agrees_with_its_slow_twin(seed):
    rng = np.random.default_rng(seed)
    agents = [
        (
            *rng.uniform((10.0, -40.0), (90.0, 40.0)),
            rng.uniform(-np.pi, np.pi),
            rng.uniform(0.0, 9.0),
            2.3,
            0.9,
        )
        for _ in range(5)
    ]
    points, around = straight_points(), surroundings(*agents)
    fast, slow = crossed_at(points, STEP, around, HALF), crossed_at_slow(points, around)
    # The fast one looks at every second pose and steps back to the last that was free.
    assert fast == slow or slow - 3 * STEP <= fast <= slow + STEP


def test_nobody_crosses_who_goes_or_comes_along():
    around = surroundings((20.0, 0.0, 0.0, 5.0, 2.3, 0.9), (60.0, 0.0, np.pi, 8.0, 2.3, 0.9))
    assert crossed_at(straight_points(), STEP, around, HALF) == np.inf


@pytest.mark.parametrize("offset", [0.0, 0.8, 1.6, 2.2])
def test_standing_obstacles_are_met_where_moving_ones_would_be(offset):
    """What stands is looked up once; a hardly moving twin takes the way of everything else."""
    points = straight_points()
    standing = surroundings((45.0, offset, 0.3, 0.0, 2.3, 0.9))
    moving = replace(standing, velocity=standing.velocity + 1e-9)
    a, b = (
        try_candidate(points, STEP, 9.0, (1.0, 0.0), np.inf, around, HALF, EXPERT_IDM, 0.1)
        for around in (standing, moving)
    )
    np.testing.assert_allclose(a.s, b.s, atol=0.05)
    assert (a.hit, a.close, a.first_trouble) == (b.hit, b.close, b.first_trouble)


def test_a_path_turned_in_early_keeps_start_length_and_final_heading():
    yaw = np.clip((STEP * np.arange(130) - 30.0) / 12.0, 0.0, 1.2)
    middle = 0.5 * (yaw[1:] + yaw[:-1])
    xy = STEP * np.cumsum(np.column_stack([np.cos(middle), np.sin(middle)]), axis=0)
    poses = np.column_stack([np.concatenate([[[0.0, 0.0]], xy]), yaw])
    np.testing.assert_allclose(turned_in_early(poses, 0.0), poses, atol=1e-9)
    early = turned_in_early(poses, 2.0)
    np.testing.assert_array_equal(early[0], poses[0])
    assert polyline.arc_length(early)[-1] == pytest.approx(polyline.arc_length(poses)[-1])
    assert early[-1, 2] == pytest.approx(poses[-1, 2], abs=1e-6)
    turning = slice(60, 85)
    assert (early[turning, 2] >= poses[turning, 2] - 1e-9).all()
    assert early[70, 2] > poses[70, 2] + 0.1


def test_a_settled_curve_starts_and_ends_as_asked():
    ahead = np.linspace(0.0, 30.0, 301)
    offset = settle_curve(1.5, 0.1, 0.01, -0.6, 20.0, ahead)
    assert offset[0] == 1.5
    assert (offset[1] - offset[0]) / 0.1 == pytest.approx(0.1, abs=0.01)
    np.testing.assert_allclose(offset[ahead >= 20.0], -0.6)


def stop_sign_stage(turn="straight", speed=9.0):
    place = places.stop_crossing(np.random.default_rng(8), turn)
    return before_line(place, np.random.default_rng(8), speed, 4.0)


@pytest.mark.parametrize("turn", ["left", "straight", "right"])
def test_halts_before_a_stop_sign_and_then_goes_on(turn):
    stage = stop_sign_stage(turn)
    scenario = drive(stage, "sign", {}, Perturbation())
    along, _ = polyline.project(stage.line, scenario.ego.pose[:, :2])
    front = along + stage.vehicle.rear_axle_to_center + 0.5 * stage.vehicle.length
    before = stop_line(stage.place) - front
    halted = np.flatnonzero(scenario.ego.velocity[:, 0] < 0.5)
    assert len(halted)
    assert 0.0 < before[halted[0]] < 4.0
    assert before[-1] < -5.0


def test_a_sign_counts_until_the_ego_has_stood_before_it():
    stage = stop_sign_stage()
    draft = make_draft(stage)
    place = stage.place
    assert any(area.id.startswith("stop_sign") for area in place.vector_map.areas_of(AreaKind.STOP_LINE))
    policy = ExpertPolicy(draft, line=stage.line)
    stops = Stops(draft, policy._reference)
    state = first_state(draft)
    s, _ = polyline.project(policy.line, state.ego[:2])
    gap = stops.gap(state, float(s))
    assert gap == pytest.approx(9.0 * 4.0 - 1.0, abs=0.6)
    stood = state.ego.copy()
    stood[:3] = stage.beside(stage.ego_start + 34.0, 0.0)
    stood[3] = 0.1
    assert stops.gap(replace(state, ego_trail=np.stack([state.ego, stood])), float(s)) == np.inf
    fast = stood.copy()
    fast[3] = 3.0
    assert np.isfinite(stops.gap(replace(state, ego_trail=np.stack([state.ego, fast])), float(s)))
