"""Our readers against nuplan-devkit's own, where it is installed."""

import json

import numpy as np
import pytest
import shapely

from nuplan_factories import ORIGIN, PLACE, VERSION, town, write_gpkg
from nuplan_log_factories import NAME, drive, sweep_token, write_db
from simengine.scenario.nuplan.log import NuplanLog
from simengine.scenario.nuplan.map_window import NuplanMap
from simengine.scenario.nuplan.tracks import read_lights, read_tracks

pytest.importorskip("nuplan", reason="nuplan-devkit is not installed")

PLACES = ("sg-one-north", "us-ma-boston", PLACE, "us-pa-pittsburgh-hazelwood")


def test_lanes_are_those_of_the_devkit(tmp_path):
    from nuplan.common.actor_state.state_representation import Point2D
    from nuplan.common.maps.maps_datatypes import SemanticMapLayer
    from nuplan.common.maps.nuplan_map.map_factory import get_maps_api

    # The devkit opens all four places at once.
    listing = {place: {"version": VERSION, "layers": {}} for place in PLACES}
    (tmp_path / "nuplan-maps-v1.0.json").write_text(json.dumps(listing))
    paths = [write_gpkg(tmp_path / place / VERSION / "map.gpkg", town()) for place in PLACES]
    theirs = get_maps_api(str(tmp_path), "nuplan-maps-v1.0", PLACE)
    ours = NuplanMap(paths[2], PLACE).window((*(ORIGIN - 300), *(ORIGIN + 300)), np.zeros(2)).vector_map
    layers = [SemanticMapLayer.LANE, SemanticMapLayer.LANE_CONNECTOR]
    found = theirs.get_proximal_map_objects(Point2D(*ORIGIN), 300.0, layers)
    objects = {lane.id: lane for layer in layers for lane in found[layer]}
    assert set(objects) == set(ours.lanes)
    for lane_id, lane in objects.items():
        mine = ours.lanes[lane_id]
        path = np.array([[pose.x, pose.y] for pose in lane.baseline_path.discrete_path])
        np.testing.assert_allclose(mine.centerline, path, atol=1e-6, rtol=0)
        ring = shapely.get_coordinates(lane.polygon)[:-1]
        np.testing.assert_allclose(mine.polygon, ring, atol=1e-6, rtol=0)
        assert mine.roadblock_id == lane.get_roadblock_id()
        assert {edge.id for edge in lane.outgoing_edges} == set(mine.successors)
        assert {edge.id for edge in lane.incoming_edges} == set(mine.predecessors)
        limit = lane.speed_limit_mps
        assert np.isnan(mine.speed_limit) if limit is None else mine.speed_limit == limit


def test_logs_are_those_of_the_devkit(tmp_path):
    from nuplan.database.nuplan_db import nuplan_scenario_queries as queries

    path = write_db(tmp_path / f"{NAME}.db", drive(200))
    log, token = NuplanLog(path), sweep_token(70)
    state = queries.get_ego_state_for_lidarpc_token_from_db(str(path), token)
    ego = log.ego([token])
    np.testing.assert_allclose(ego.pose[0], list(state.rear_axle), atol=1e-9)
    velocity = state.dynamic_car_state.rear_axle_velocity_2d
    np.testing.assert_allclose(ego.velocity[0, :2], [velocity.x, velocity.y])
    scene = log.scene(log.sweeps.scene_tokens[70])
    assert list(scene.roadblock_ids) == queries.get_roadblock_ids_for_lidarpc_token_from_db(str(path), token)
    goal = queries.get_mission_goal_for_lidarpc_token_from_db(str(path), token)
    np.testing.assert_allclose(scene.goal, list(goal), atol=1e-9)
    tracks, _ = read_tracks(log, [token], 0.5)
    boxes = list(queries.get_tracked_objects_for_lidarpc_token_from_db(str(path), token))
    assert {box.metadata.track_token for box in boxes} == set(tracks.ids)
    for box in boxes:
        row = tracks.ids.index(box.metadata.track_token)
        assert tracks.types[row] == box.tracked_object_type.value
        np.testing.assert_allclose(tracks.pose[row, 0, :2], [box.center.x, box.center.y])
    lights = queries.get_traffic_light_status_for_lidarpc_token_from_db(str(path), token)
    assert {light.lane_connector_id for light in lights} == set(read_lights(log, [token]))
