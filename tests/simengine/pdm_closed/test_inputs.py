"""Which scenarios PDM-Closed can plan in."""

import numpy as np
import pytest

from factories import make_scenario, make_straight_map, make_tracks, shared_data
from simengine.datatypes.map import VectorMap
from simengine.errors import MapQueryError
from simengine.pdm_closed.inputs import PdmClosedInput, usable_route
from simengine.pdm_closed.planner import plan_pdm_closed
from simengine.pdm_closed.roads import line_network, road_network
from simengine.scenario.convert import convert
from simengine.scenario.splits import open_split


@pytest.mark.parametrize(
    "changes",
    [{"map": VectorMap()}, {"route": ()}, {"route": ("elsewhere",)}],
    ids=["no map", "no route", "unknown"],
)
def test_nothing_to_follow_is_said_in_a_sentence(changes):
    with pytest.raises(
        MapQueryError, match=r"scenario straight: none of the \d route ids .* use the logged ego"
    ):
        PdmClosedInput.from_scenario(make_scenario(**changes))


def test_unknown_names_are_skipped_and_lanes_name_their_blocks():
    _, route = usable_route(make_scenario(route=("elsewhere", "lane_1", "road")))
    assert route == ("road",)


def test_only_the_present_agents_of_the_frame():
    tracks = make_tracks(np.full((3, 66, 3), 50.0))
    tracks.valid[1, :20] = False
    scenario = make_scenario(agents=tracks)
    assert PdmClosedInput.from_scenario(scenario, 10).agents.ids == ("agent_0", "agent_2")
    assert PdmClosedInput.from_scenario(scenario, 30).agents.ids == ("agent_0", "agent_1", "agent_2")


def test_a_line_is_a_network_of_its_own():
    roads = line_network(np.array([[0.0, 0.0], [100.0, 0.0]]), make_straight_map())
    assert list(roads.lanes) == list(roads.blocks) == ["path"]
    assert roads.vector_map.lanes, "the map still says where one may drive"


def test_lines_that_zigzag_get_the_heading_of_their_course():
    x = np.arange(0.0, 30.0, 0.5)
    zigzag = np.stack([x, 0.1 * (np.arange(60) % 3 == 0)], axis=1)
    zigzag[::3, 0] += 0.45  # the jag goes almost straight sideways
    lane = make_straight_map().lanes["lane_0"].__class__("z", zigzag, np.zeros((0, 2)))
    heading = road_network(VectorMap(lanes={"z": lane})).lanes["z"].line[:, 2]
    assert np.abs(heading).max() < 0.3


@pytest.mark.slow
def test_every_real_log_with_a_map_can_be_planned(tmp_path):
    convert(shared_data("data"), tmp_path / "real")
    planned = 0
    for handle in open_split(tmp_path, "real"):
        scenario = handle.load()
        if scenario.map.lanes and scenario.route:
            result = plan_pdm_closed(PdmClosedInput.from_scenario(scenario))
            assert np.isfinite(result.poses).all()
            assert np.isfinite(result.states).all()
            planned += 1
    assert planned > 10
