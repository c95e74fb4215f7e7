"""Real nuPlan lane graphs and logs of the sample data, written in nuPlan's formats and read again."""

import numpy as np
import pytest
import shapely

from factories import shared_data
from nuplan_factories import COLUMNS, ORIGIN, PLACE, town, write_gpkg, write_map
from nuplan_log_factories import CATEGORIES, SWEEP_US, drive, sweep_token, token, write_db, write_filter
from scenario_factories import read_scene_file
from simengine.datatypes.agents import AgentType
from simengine.datatypes.lights import LightState
from simengine.scenario.nuplan.convert import convert_nuplan
from simengine.scenario.nuplan.map_window import NuplanMap
from simengine.scenario.nuplan.options import NuplanOptions
from simengine.scenario.scenario import Scenario
from simengine.scenario.splits import load_index

_NAMES = {
    AgentType.VEHICLE: "vehicle",
    AgentType.CYCLIST: "bicycle",
    AgentType.PEDESTRIAN: "pedestrian",
    AgentType.TRAFFIC_CONE: "traffic_cone",
    AgentType.BARRIER: "barrier",
    AgentType.CZONE_SIGN: "czone_sign",
    AgentType.GENERIC_OBJECT: "generic_object",
}


def lane_graph(path) -> tuple[dict[int, np.ndarray], set[tuple[int, int]]]:
    """Return lane -> centre line (N, 2), and which lane leads to which."""
    data = np.load(path)
    owner, coords = data["lane_id_of_segment"], data["lane_segment_coords"].astype(np.float64)
    lines = {}
    for lane in np.unique(owner):
        segments = coords[owner == lane]
        np.testing.assert_array_equal(segments[1:, 0], segments[:-1, 1])
        lines[int(lane)] = np.concatenate([segments[:, 0], segments[-1:, 1]])
    ends = owner[data["lane_segment_connections"]]
    return lines, {(int(a), int(b)) for a, b in ends if a != b}


def two_kinds(lanes, links) -> dict[int, bool]:
    """Return which lanes are connectors: no two of a kind meet, as nuPlan's schema wants it."""
    kinds: dict[int, bool] = {}
    for start in lanes:
        stack = [(start, False)] if start not in kinds else []
        while stack:
            lane, kind = stack.pop()
            if lane in kinds:
                assert kinds[lane] == kind
                continue
            kinds[lane] = kind
            stack += [(b, not kind) for a, b in links if a == lane] + [
                (a, not kind) for a, b in links if b == lane
            ]
    return kinds


def graph_tables(lines, links, is_connector) -> dict[str, list[dict]]:
    tables: dict[str, list[dict]] = {name: [] for name in COLUMNS}
    for lane, line in lines.items():
        fid, connector = 1000 + lane, is_connector[lane]
        geom = shapely.LineString(line)
        ring = geom.buffer(1.75, cap_style="flat")
        owner = "lane_connector_fid" if connector else "lane_fid"
        tables["baseline_paths"].append({"fid": 50_000 + lane, "geom": geom, owner: fid})
        if connector:
            leaves = [1000 + a for a, b in links if b == lane]
            enters = [1000 + b for a, b in links if a == lane]
            tables["lane_connectors"].append(
                {
                    "fid": fid,
                    "geom": geom,
                    "exit_lane_fid": leaves[0] if leaves else None,
                    "entry_lane_fid": enters[0] if enters else None,
                    "lane_group_connector_fid": 90_000 + lane,
                }
            )
            polygon = {"fid": 70_000 + lane, "geom": ring, "lane_connector_fid": fid}
            tables["gen_lane_connectors_scaled_width_polygons"].append(polygon)
            tables["lane_group_connectors"].append({"fid": 90_000 + lane, "geom": ring})
        else:
            tables["lanes_polygons"].append(
                {"fid": fid, "geom": ring, "lane_fid": fid, "lane_group_fid": 80_000 + lane, "lane_index": 0}
            )
            tables["lane_groups_polygons"].append({"fid": 80_000 + lane, "geom": ring})
    return tables


@pytest.mark.parametrize("name", ["fec3afad73965991", "8ce95052a8b75c46"])
def test_a_real_lane_graph(tmp_path, name):
    lines, links = lane_graph(shared_data("data", "nuplan_vector_maps") / f"{name}.npz")
    assert len(lines) > 30 and len(links) > 20
    is_connector = two_kinds(lines, links)
    found = NuplanMap(write_gpkg(tmp_path / "map.gpkg", graph_tables(lines, links, is_connector)), PLACE)
    lanes = found.window((*(ORIGIN - 5000), *(ORIGIN + 5000)), ORIGIN).vector_map.lanes
    assert {int(i) - 1000 for i in lanes} == set(lines)
    assert {(int(i) - 1000, int(k) - 1000) for i, lane in lanes.items() for k in lane.successors} == links
    assert {(int(k) - 1000, int(i) - 1000) for i, lane in lanes.items() for k in lane.predecessors} == links
    for i, lane in lanes.items():
        assert lane.is_connector == is_connector[int(i) - 1000]
        line = lines[int(i) - 1000]
        moved = np.concatenate([[True], np.linalg.norm(np.diff(line, axis=0), axis=1) > 1e-6])
        np.testing.assert_allclose(lane.centerline, line[moved], atol=1e-6)


def log_rows(real: Scenario) -> dict[str, list[dict]]:
    """Return the rows of a log at 20 Hz whose even sweeps are the frames of a scene at 10 Hz."""
    rows = drive(2 * real.num_frames, name=real.log_name, cameras=False)
    offset = real.global_from_world
    for number, (sweep, pose) in enumerate(zip(rows["lidar_pc"], rows["ego_pose"], strict=True)):
        frame = number // 2
        x, y, yaw = real.ego.pose[frame]
        pose |= {"x": x + offset[0], "y": y + offset[1], "qw": np.cos(yaw / 2), "qz": np.sin(yaw / 2)}
        pose["vx"], pose["vy"] = real.ego.velocity[frame].tolist()
        pose["acceleration_x"], pose["acceleration_y"] = real.ego.acceleration[frame].tolist()
        sweep["timestamp"] = int(real.timestamps_us[frame]) + number % 2 * SWEEP_US
    kinds = [token("category", CATEGORIES.index(_NAMES[AgentType(kind)])) for kind in real.agents.types]
    rows["track"] = [{"token": token("track", row), "category_token": kind} for row, kind in enumerate(kinds)]
    rows["lidar_box"] = [box_row(real, row, int(frame)) for row, frame in np.argwhere(real.agents.valid)]
    rows["traffic_light_status"] = [
        light_row(real, light, int(frame)) for light, frame in np.argwhere(real.lights.state > 0)
    ]
    return rows


def box_row(real: Scenario, row: int, frame: int) -> dict:
    x, y, yaw = real.agents.pose[row, frame].tolist()
    vx, vy = real.agents.velocity[row, frame].tolist()
    length, width, height = real.agents.size[row].tolist()
    return {
        "token": token("lidar_box", int(row) * real.num_frames + frame),
        "lidar_pc_token": token("lidar_pc", 2 * frame),
        "track_token": token("track", int(row)),
        "x": x + real.global_from_world[0],
        "y": y + real.global_from_world[1],
        "yaw": yaw,
        "vx": vx,
        "vy": vy,
        "length": length,
        "width": width,
        "height": height,
    }


def light_row(real: Scenario, light: int, frame: int) -> dict:
    return {
        "token": token("traffic_light_status", int(light) * real.num_frames + frame),
        "lidar_pc_token": token("lidar_pc", 2 * frame),
        "lane_connector_id": int(real.lights.lane_ids[light]),
        "status": LightState(real.lights.state[light, frame]).name.lower(),
    }


@pytest.mark.parametrize("name", ["08df61326ef6593a", "262a4b7a1f2c5ab6", "9b4e888fb15f5b54"])
def test_a_real_log(tmp_path, name):
    """All agents, lights and ego states of a real scene, through a database and back."""
    real = read_scene_file(shared_data("data", "nuplan_logs") / f"sd_nuplan_v1.1_{name}.pkl")
    tracks = real.agents
    rows = log_rows(real)
    write_map(tmp_path / "maps", town())
    write_db(tmp_path / "dbs" / "log.db", rows)
    rule = write_filter(tmp_path / "f.yaml", tokens=[sweep_token(30)], has_route=False)
    options = NuplanOptions(tmp_path / "dbs", tmp_path / "maps", filters=(rule,), sample_interval=2)
    convert_nuplan(options, tmp_path / "out", progress=False)
    found = load_index(tmp_path / "out").handles()[0].load()
    used = slice(0, found.num_frames)
    assert (found.dt, found.initial_frame) == (0.1, 15) and found.num_frames == min(real.num_frames, 116)
    shift = found.global_from_world - real.global_from_world
    np.testing.assert_allclose(found.ego.pose[:, :2] + shift, real.ego.pose[used, :2], atol=1e-6)
    np.testing.assert_allclose(np.cos(found.ego.pose[:, 2] - real.ego.pose[used, 2]), 1.0, atol=1e-12)
    np.testing.assert_array_equal(found.ego.velocity, real.ego.velocity[used])
    seen = np.flatnonzero(tracks.valid[:, used].any(axis=1))
    assert {int.from_bytes(bytes.fromhex(i)[4:], "big") for i in found.agents.ids} == set(seen.tolist())
    for row, name_of_track in enumerate(found.agents.ids):
        old = int.from_bytes(bytes.fromhex(name_of_track)[4:], "big")
        valid = tracks.valid[old, used]
        np.testing.assert_array_equal(found.agents.valid[row], valid)
        assert found.agents.types[row] == tracks.types[old]
        here, there = found.agents.pose[row, valid], tracks.pose[old, used][valid]
        np.testing.assert_allclose(here[:, :2] + shift, there[:, :2], atol=1e-6)
        np.testing.assert_array_equal(found.agents.velocity[row, valid], tracks.velocity[old, used][valid])
    lit = {
        lane for lane, row in zip(real.lights.lane_ids, real.lights.state[:, used], strict=True) if row.any()
    }
    assert set(found.lights.lane_ids) == lit
    for lane, row in zip(found.lights.lane_ids, found.lights.state, strict=True):
        np.testing.assert_array_equal(row, real.lights.state[real.lights.lane_ids.index(lane), used])
