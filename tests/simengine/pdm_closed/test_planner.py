"""The whole planner: properties that hold whatever the scene."""

from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.map import AreaKind, Lane, MapArea, Roadblock, VectorMap
from simengine.geometry import se2
from simengine.metrics.pdm.parameters import CORRECTED, NAVSIM_V1, WORLDENGINE_V1, WORLDENGINE_V1_DENSE
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.parameters import (
    FRESH_PDM_CLOSED,
    NAVSIM_PDM_CLOSED,
    WORLDENGINE_PDM_CLOSED,
    reference_parameters,
)
from simengine.pdm_closed.planner import plan_pdm_closed
from simengine.pdm_closed.roads import road_network

SETS = [NAVSIM_PDM_CLOSED, FRESH_PDM_CLOSED, WORLDENGINE_PDM_CLOSED, reference_parameters(CORRECTED)]


def cars(*starts, frames=66):
    """Return cars at (x, y) with speed along +x."""
    poses = np.zeros((len(starts), frames, 3))
    for row, (x, y, speed) in enumerate(starts):
        poses[row, :, 0] = x + speed * 0.1 * np.arange(frames)
        poses[row, :, 1] = y
    return make_tracks(poses)


def given_on(scenario):
    return PdmClosedInput.from_scenario(scenario)


@pytest.mark.parametrize("parameters", SETS)
def test_shapes_and_finiteness(parameters):
    result = plan_pdm_closed(given_on(make_scenario(agents=cars((40, 0, 3), (30, 3.5, 8)))), parameters)
    assert result.poses.shape == (51, 3)
    assert result.states.shape == (41, 11)
    assert result.idm.shape == (15, 41, 2)
    assert result.lead.shape == (15, 41, 3)
    assert result.simulated.shape == (15, 41, 11)
    for array in (result.poses, result.states, result.idm, result.batch.score):
        assert np.isfinite(array).all()
    np.testing.assert_array_equal(result.poses[:41], result.proposals[result.best])
    np.testing.assert_array_equal(result.states, result.simulated[result.best])
    assert result.batch.score[result.best] == result.batch.score.max()
    assert (result.batch.score[: result.best] < result.batch.score.max()).all(), "the first maximum wins"


@pytest.mark.parametrize("scoring", [NAVSIM_V1, CORRECTED, WORLDENGINE_V1, WORLDENGINE_V1_DENSE])
def test_every_mode_prefers_progress_on_a_free_road(scoring):
    """Also those that divide by the progress of row 0: the first row is no reference among proposals."""
    parameters = reference_parameters(scoring)
    best = plan_pdm_closed(given_on(make_scenario()), parameters).best
    # The published 4.5 m/s^2 make the fastest one uncomfortable.
    assert best % 5 >= 3, parameters.speed_fractions[best % 5]


def test_drives_up_to_the_limit_on_a_free_road():
    result = plan_pdm_closed(given_on(make_scenario()), FRESH_PDM_CLOSED)
    assert result.best == 4, "the centre line at the full speed limit"
    speed = np.diff(result.poses[:, 0]) / 0.1
    assert (np.diff(speed) > -1e-9).all()
    assert 8.0 < speed[-1] <= 15.0


def test_stops_behind_a_standing_car():
    result = plan_pdm_closed(given_on(make_scenario(agents=cars((40, 0, 0)))), FRESH_PDM_CLOSED)
    bumper = result.poses[:, 0] + 1.461 + 5.176 / 2
    assert (bumper < 40 - 4.6 / 2).all()
    assert result.batch.no_at_fault_collisions[result.best] == 1.0


def red_crossing():
    """Return the straight road with a red connector from x = 40 to 60 and the road going on behind it."""
    scenario = make_scenario()
    x = {
        "before": np.linspace(-50, 40, 19),
        "light": np.linspace(40, 60, 5),
        "after": np.linspace(60, 200, 29),
    }
    following = {"before": ("light",), "light": ("after",), "after": ()}
    lanes, blocks = {}, {}
    for name, xs in x.items():
        ring = np.array([[xs[0], -1.75], [xs[-1], -1.75], [xs[-1], 1.75], [xs[0], 1.75]])
        line = np.stack([xs, 0 * xs], axis=1)
        lanes[name] = Lane(name, line, ring, "b_" + name, name == "light", following[name], speed_limit=12.0)
        blocks["b_" + name] = Roadblock("b_" + name, ring, (name,), name == "light")
    junction = MapArea("junction", AreaKind.INTERSECTION, lanes["light"].polygon)
    red = np.full((1, scenario.num_frames), LightState.RED, np.int8)
    return replace(
        scenario,
        map=VectorMap(lanes, blocks, (junction,)),
        route=tuple(blocks),
        lights=TrafficLights(("light",), red, np.full((1, 2), np.nan)),
    )


def test_stops_at_a_red_light_and_not_at_a_green_one():
    scenario = red_crossing()
    red = plan_pdm_closed(given_on(scenario), FRESH_PDM_CLOSED)
    green = plan_pdm_closed(replace(given_on(scenario), red_lanes=()), FRESH_PDM_CLOSED)
    assert red.poses[-1, 0] + 1.461 + 5.176 / 2 < 40.0
    assert green.poses[-1, 0] > 50.0
    elsewhere = plan_pdm_closed(replace(given_on(scenario), red_lanes=("unknown",)), FRESH_PDM_CLOSED)
    np.testing.assert_array_equal(elsewhere.poses, green.poses)


def test_the_future_is_not_looked_at():
    here = make_scenario(agents=cars((40, 0, 3), (60, 0, 5)))
    known = np.arange(66) <= here.initial_frame
    blank = lambda array: np.where(known.reshape(1, -1, *[1] * (array.ndim - 2)), array, 0)  # noqa: E731
    tracks = here.agents
    forgotten = AgentTracks(
        tracks.ids,
        tracks.types,
        blank(tracks.pose),
        blank(tracks.velocity),
        tracks.size,
        tracks.valid & known,
    )
    ego = replace(here.ego, pose=np.where(known[:, None], here.ego.pose, 7.0))
    blind = replace(here, agents=forgotten, ego=ego)
    np.testing.assert_array_equal(
        plan_pdm_closed(given_on(here)).poses, plan_pdm_closed(given_on(blind)).poses
    )


def moved(given, by):
    """Return the same instant in a world that is moved by a pose (3,)."""
    shift = lambda points: se2.points_to_parent(by, points) if len(points) else points  # noqa: E731
    vector_map = given.roads.vector_map
    lanes = {
        k: replace(lane, centerline=shift(lane.centerline), polygon=shift(lane.polygon))
        for k, lane in vector_map.lanes.items()
    }
    blocks = {k: replace(b, polygon=shift(b.polygon)) for k, b in vector_map.roadblocks.items()}
    ego = given.ego.copy()
    ego[:3] = se2.to_parent(by, given.ego[None, :3])[0]
    agents = replace(
        given.agents,
        pose=se2.to_parent(by, given.agents.pose),
        velocity=se2.rotate(given.agents.velocity, by[2]),
    )
    return replace(given, roads=road_network(VectorMap(lanes, blocks)), ego=ego, agents=agents)


@pytest.mark.parametrize("parameters", SETS)
@pytest.mark.parametrize("by", [(100.0, -40.0, 0.0), (-20.0, 30.0, 2.5)])
def test_plans_move_with_the_world(parameters, by):
    by = np.array(by)
    given = given_on(make_scenario(agents=cars((45, 0.3, 3), (70, 0, 5), (20, 3.5, 9))))
    here, there = plan_pdm_closed(given, parameters), plan_pdm_closed(moved(given, by), parameters)
    np.testing.assert_allclose(there.idm, here.idm, rtol=0, atol=1e-7)
    assert there.best == here.best
    expected = se2.to_parent(by, here.poses)
    np.testing.assert_allclose(there.poses[:, :2], expected[:, :2], rtol=0, atol=1e-7)


def test_a_call_leaves_no_trace():
    touching, free = (given_on(make_scenario(agents=cars((x, 0, 0)))) for x in (14, 40))
    assert touching.agents.ids == free.agents.ids
    before = plan_pdm_closed(free)
    plan_pdm_closed(touching)
    np.testing.assert_array_equal(plan_pdm_closed(free).lead, before.lead)


def test_each_mode_has_its_own_planner():
    assert reference_parameters(NAVSIM_PDM_CLOSED.scoring) == NAVSIM_PDM_CLOSED
    assert reference_parameters(WORLDENGINE_PDM_CLOSED.scoring) == WORLDENGINE_PDM_CLOSED
    assert reference_parameters(CORRECTED).fresh_leads
