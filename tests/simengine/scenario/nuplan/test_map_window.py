"""The town of `nuplan_factories`, whole and broken; coordinates are metres from its crossing."""

import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon

from nuplan_factories import ORIGIN, PLACE, town, write_gpkg
from simengine.datatypes.map import AreaKind, LineKind, VectorMap
from simengine.errors import ScenarioFormatError
from simengine.metrics.pdm.map_areas import Layer, drivable_map
from simengine.scenario.mapfile import load_map, save_map
from simengine.scenario.nuplan.map_window import MapWindow, NuplanMap


def window(path, tables=None, reach: float = 300.0, center=(0.0, 0.0), **options) -> MapWindow:
    opened = NuplanMap(write_gpkg(path / "map.gpkg", town() if tables is None else tables, **options), PLACE)
    x, y = ORIGIN + center
    try:
        return opened.window((x - reach, y - reach, x + reach, y + reach), ORIGIN)
    finally:
        opened.close()


def row(tables, layer, fid) -> dict:
    return next(row for row in tables[layer] if row["fid"] == fid)


def same_maps(left: VectorMap, right: VectorMap) -> None:
    assert list(left.lanes) == list(right.lanes)
    for a, b in zip(left.lanes.values(), right.lanes.values(), strict=True):
        np.testing.assert_allclose(a.centerline, b.centerline, atol=1e-6)
        np.testing.assert_allclose(a.polygon, b.polygon, atol=1e-6)
    assert [area.id for area in left.areas] == [area.id for area in right.areas]
    assert [line.id for line in left.lines] == [line.id for line in right.lines]


def test_lanes_links_sides_limits_and_blocks(tmp_path):
    found = window(tmp_path)
    lanes = found.vector_map.lanes
    assert set(lanes) == {"101", "102", "201", "202", "301", "401", "501", "502", "503", "504"}
    assert {i: lane.successors for i, lane in lanes.items()} == {
        "101": ("501", "503"),
        "102": ("502",),
        "201": (),
        "202": (),
        "301": (),
        "401": ("504",),
        "501": ("201",),
        "502": ("202",),
        "503": ("301",),
        "504": ("301",),
    }
    assert lanes["301"].predecessors == ("503", "504")
    assert lanes["503"].predecessors == ("101",)
    # Lane 0 of a group is the leftmost.
    assert (lanes["101"].left, lanes["101"].right) == ((), ("102",))
    assert (lanes["102"].left, lanes["102"].right) == (("101",), ())
    assert lanes["101"].centerline[:, 1].mean() > lanes["102"].centerline[:, 1].mean()
    assert [lanes[i].speed_limit for i in ("101", "501")] == [15.0, 10.0]
    assert np.isnan(lanes["504"].speed_limit)
    assert {i for i, lane in lanes.items() if lane.is_connector} == {"501", "502", "503", "504"}
    np.testing.assert_allclose(lanes["101"].centerline[[0, -1]], [[-120, 1.75], [-20, 1.75]], atol=1e-6)
    assert Polygon(lanes["101"].polygon).area == pytest.approx(350.0, abs=1e-3)
    blocks = found.vector_map.roadblocks
    assert {i: (block.lane_ids, block.is_connector) for i, block in blocks.items()} == {
        "100": (("101", "102"), False),
        "200": (("201", "202"), False),
        "300": (("301",), False),
        "400": (("401",), False),
        "600": (("501", "502"), True),
        "601": (("503",), True),
        "602": (("504",), True),
    }
    assert Polygon(blocks["600"].polygon).area == pytest.approx(280.0, abs=1e-3)
    assert found.repairs == {}


def test_areas_lines_and_stop_points(tmp_path):
    found = window(tmp_path)
    assert {area.id: area.kind for area in found.vector_map.areas} == {
        "intersection_700": AreaKind.INTERSECTION,
        "crosswalk_900": AreaKind.CROSSWALK,
        "walkway_901": AreaKind.WALKWAY,
        "carpark_902": AreaKind.CARPARK,
        "generic_drivable_903": AreaKind.GENERIC_DRIVABLE,
        "stop_traffic_light_800": AreaKind.STOP_LINE,
    }
    kinds = {line.id: line.kind for line in found.vector_map.lines}
    # Borders on both sides of every lane, the shared one once.
    assert kinds["boundary_4011_0"] == LineKind.LANE_DIVIDER
    assert kinds["boundary_4010_0"] == kinds["boundary_4021_0"] == LineKind.SOLID
    assert sum(kind == LineKind.LANE_DIVIDER for kind in kinds.values()) == 2
    assert sum(kind == LineKind.SOLID for kind in kinds.values()) == 8
    edges = [line for line in found.vector_map.lines if line.kind == LineKind.ROAD_EDGE]
    paved = shapely.union_all(
        [Polygon(b.polygon) for b in found.vector_map.roadblocks.values() if not b.is_connector]
        + [Polygon(a.polygon) for a in found.vector_map.areas_of(AreaKind.INTERSECTION, AreaKind.CARPARK)]
        + [Polygon(a.polygon) for a in found.vector_map.areas_of(AreaKind.GENERIC_DRIVABLE)]
    )
    # Reprojection leaves slits of a few nanometres between them.
    paved = paved.buffer(0.01, join_style="mitre").buffer(-0.01, join_style="mitre")
    for edge in edges:
        assert paved.boundary.distance(shapely.LineString(edge.points)) < 0.01
        assert shapely.LineString(edge.points).buffer(0.01).intersection(paved.buffer(-0.1)).area < 1e-6
    assert sum(shapely.LineString(e.points).length for e in edges) == pytest.approx(
        paved.boundary.length, rel=1e-3
    )
    # The stop polygon begins at x = -24, four metres before the lane ends.
    assert set(found.stop_points) == {"501", "502", "503"}
    np.testing.assert_allclose(found.stop_points["502"], [-24.0, -1.75], atol=1e-6)


def test_stop_points_without_a_polygon_are_where_the_connector_begins(tmp_path):
    tables = town()
    row(tables, "lane_connectors", 501)["traffic_light_stop_line_fids"] = "12345"
    row(tables, "lane_connectors", 502)["traffic_light_stop_line_fids"] = " 800 , x"
    found = window(tmp_path, tables)
    np.testing.assert_allclose(found.stop_points["501"], [-20.0, 1.75], atol=1e-6)
    np.testing.assert_allclose(found.stop_points["502"], [-24.0, -1.75], atol=1e-6)


def test_generic_areas_are_kept_and_not_scored(tmp_path):
    found = window(tmp_path).vector_map
    scored = drivable_map(found, np.array([100.0, 0.0]), 50.0)
    assert Layer.DRIVABLE not in scored.layers
    point = np.array([[110.0, 7.0]])  # On the generic area, off the road.
    assert not scored.contains(scored.surface("navsim"), point).any()
    assert scored.contains(scored.surface("navsim"), np.array([[70.0, 7.0]])).any()  # On the car park.
    # Connector blocks are no surface of their own: the junction is.
    assert set(scored.select(Layer.ROADBLOCK)) == {
        k for k, i in enumerate(scored.ids) if i in ("100", "200", "300", "400")
    }


def test_a_window_takes_whole_blocks_and_cuts_links_to_others(tmp_path):
    found = window(tmp_path, reach=30.0, center=(-90.0, 0.0)).vector_map
    assert set(found.lanes) == {"101", "102"}
    assert found.lanes["101"].successors == ()
    assert found.lanes["101"].centerline[0, 0] == pytest.approx(-120.0)
    assert set(found.roadblocks) == {"100"}
    assert [area.id for area in found.areas] == ["walkway_901"]
    empty = window(tmp_path, reach=30.0, center=(5000.0, 5000.0)).vector_map
    assert empty.is_empty and not empty.lines


def test_how_the_map_is_stored_does_not_matter(tmp_path):
    plain = window(tmp_path).vector_map
    for options in ({"index": False}, {"index": False, "envelopes": False}, {"srs": 32611}, {"meta": False}):
        same_maps(plain, window(tmp_path, **options).vector_map)


def test_a_native_map_file_keeps_it(tmp_path):
    found = window(tmp_path).vector_map
    loaded = load_map(tmp_path, save_map(found, tmp_path))
    same_maps(found, loaded)
    assert [area.kind for area in loaded.areas] == [area.kind for area in found.areas]


def test_holes_in_a_junction_a_lane_and_a_block(tmp_path):
    tables = town()
    junction = row(tables, "intersections", 700)
    junction["geom"] = shapely.difference(junction["geom"], shapely.box(8, -14, 14, -8))
    block = row(tables, "lane_groups_polygons", 200)
    block["geom"] = shapely.difference(block["geom"], shapely.box(100, -1, 104, 1))
    lane = row(tables, "lanes_polygons", 201)
    lane["geom"] = shapely.difference(lane["geom"], shapely.box(100, 0.5, 104, 1))
    found = window(tmp_path, tables).vector_map
    scored = drivable_map(found, np.array([60.0, 0.0]), 100.0)
    surface = scored.surface("navsim")
    points = np.array([[11.0, -11.0], [11.0, -16.0], [102.0, 0.0], [98.0, 0.0], [102.0, 0.7], [102.0, 1.5]])
    inside = scored.contains(surface, points).any(axis=0)
    np.testing.assert_array_equal(inside[:4], [False, True, False, True])
    assert found.roadblocks["200"].lane_ids == ("201", "202")
    lane_only = Polygon(found.lanes["201"].polygon)
    assert not shapely.contains_xy(lane_only, 102, 0.7) and shapely.contains_xy(lane_only, 102, 1.5)
    assert len([area for area in found.areas if area.kind == AreaKind.INTERSECTION]) == 1


def test_a_gap_in_the_map_cuts_the_lane_graph_only_there(tmp_path):
    tables = town()
    for layer in ("lanes_polygons", "baseline_paths", "lane_groups_polygons"):
        tables[layer] = [r for r in tables[layer] if r["fid"] not in (200, 201, 202, 2201, 2202)]
    found = window(tmp_path, tables)
    assert found.vector_map.lanes["501"].successors == ()
    assert found.vector_map.lanes["503"].successors == ("301",)
    assert "200" not in found.vector_map.roadblocks
    assert found.repairs == {"link_to_missing_lane": 2}


def test_a_lane_without_successor_is_nothing_special(tmp_path):
    found = window(tmp_path).vector_map
    assert found.lanes["201"].successors == found.lanes["202"].successors == ()


def test_lanes_without_baseline_or_polygon(tmp_path):
    tables = town()
    tables["baseline_paths"] = [r for r in tables["baseline_paths"] if r["fid"] != 2102]
    tables["gen_lane_connectors_scaled_width_polygons"] = []
    found = window(tmp_path, tables)
    assert "102" not in found.vector_map.lanes
    assert found.vector_map.roadblocks["100"].lane_ids == ("101",)
    assert found.vector_map.lanes["101"].right == ()
    assert found.repairs == {"lane_without_baseline": 1, "lane_without_polygon": 4}
    # Connectors without a polygon are 3.5 m wide.
    assert Polygon(found.vector_map.lanes["501"].polygon).area == pytest.approx(140.0, abs=0.1)


def test_duplicated_ids(tmp_path):
    tables = town()
    again = row(tables, "lanes_polygons", 202) | {
        "fid": 209,
        "geom": shapely.box(0, 0, 1, 1),
        "lane_index": 2,
    }
    tables["lanes_polygons"].append(again)
    twin = row(tables, "baseline_paths", 2101) | {"fid": 2999, "geom": shapely.LineString([(0, 0), (9, 9)])}
    tables["baseline_paths"].append(twin)
    found = window(tmp_path, tables)
    assert found.repairs == {"duplicate_in_baseline_paths": 1, "duplicate_lane": 1}
    same_maps(found.vector_map, window(tmp_path).vector_map)


def test_connectors_whose_id_is_that_of_a_lane_are_renamed(tmp_path):
    tables = town()
    row(tables, "lane_connectors", 502)["fid"] = 101
    row(tables, "baseline_paths", 2502)["lane_connector_fid"] = 101
    row(tables, "gen_lane_connectors_scaled_width_polygons", 4502)["lane_connector_fid"] = 101
    row(tables, "lane_group_connectors", 601)["fid"] = 300
    row(tables, "lane_connectors", 503)["lane_group_connector_fid"] = 300
    opened = NuplanMap(write_gpkg(tmp_path / "map.gpkg", tables), PLACE)
    found = opened.window((*(ORIGIN - 300), *(ORIGIN + 300)), ORIGIN)
    lanes, blocks = found.vector_map.lanes, found.vector_map.roadblocks
    assert lanes["102"].successors == ("connector_101",)
    assert lanes["connector_101"].successors == ("202",)
    assert not lanes["101"].is_connector and lanes["connector_101"].is_connector
    assert lanes["503"].roadblock_id == "connector_300"
    assert blocks["connector_300"].lane_ids == ("503",) and blocks["300"].lane_ids == ("301",)
    assert opened.graph.connector_ids[101] == "connector_101"
    assert found.repairs == {"id_of_both_roadblock_kinds": 1, "id_of_lane_and_connector": 1}


def test_ids_stored_as_real_numbers_or_text(tmp_path):
    tables = town()
    for r in tables["lane_connectors"]:
        r["exit_lane_fid"], r["entry_lane_fid"] = float(r["exit_lane_fid"]), f"{r['entry_lane_fid']}.0"
    for r in tables["lanes_polygons"]:
        r["lane_fid"] = float(r["lane_fid"]) if r["fid"] != 102 else None
    same_maps(window(tmp_path).vector_map, window(tmp_path, tables).vector_map)


@pytest.mark.parametrize("layer", ["lanes_polygons", "lane_connectors", "lane_groups_polygons"])
def test_a_map_without_its_lanes_is_refused(tmp_path, layer):
    tables = town()
    del tables[layer]
    with pytest.raises(
        ScenarioFormatError, match=f"map.gpkg: has no layer {layer}, expected the layers of a nuPlan"
    ):
        window(tmp_path, tables)


def test_layers_that_only_decorate_may_be_missing(tmp_path):
    tables = town()
    for layer in (
        "boundaries",
        "crosswalks",
        "walkways",
        "carpark_areas",
        "generic_drivable_areas",
        "stop_polygons",
    ):
        del tables[layer]
    found = window(tmp_path, tables)
    assert [area.id for area in found.vector_map.areas] == ["intersection_700"]
    assert all(line.kind == LineKind.ROAD_EDGE for line in found.vector_map.lines)
    np.testing.assert_allclose(found.stop_points["501"], [-20.0, 1.75], atol=1e-6)
