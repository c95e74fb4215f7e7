"""Random scenarios, and inputs in the formats that the readers accept."""

from __future__ import annotations

import pickle
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.map import AreaKind, Lane, LineKind, MapArea, MapLine, Roadblock, VectorMap
from simengine.datatypes.vehicle import VehicleParams
from simengine.scenario.restricted_pickle import load_pickle
from simengine.scenario.scenario import Scenario
from simengine.scenario.scenarionet import scenario_from_scene


def read_scene_file(path: Path) -> Scenario:
    """Return the scenario in a scene pickle."""
    return scenario_from_scene(load_pickle(path), path.name)


def assert_identical(left: object, right: object, name: str = "value") -> None:
    """Assert that two values are equal to the last bit, dtypes and NaN included."""
    assert type(left) is type(right), f"{name}: {type(left)} and {type(right)}"
    if is_dataclass(left):
        for field in fields(left):
            assert_identical(getattr(left, field.name), getattr(right, field.name), f"{name}.{field.name}")
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype and left.shape == right.shape, name
        assert left.tobytes() == right.tobytes(), name
    elif isinstance(left, dict):
        assert list(left) == list(right), name
        for key in left:
            assert_identical(left[key], right[key], f"{name}[{key!r}]")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), name
        for index, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_identical(a, b, f"{name}[{index}]")
    elif isinstance(left, float):
        assert np.float64(left).tobytes() == np.float64(right).tobytes(), name
    else:
        assert left == right, name


def random_map(rng: np.random.Generator) -> VectorMap:
    """Return a map of random parts, some of them empty."""

    def shape(low: int, high: int) -> np.ndarray:
        return rng.normal(scale=100, size=(int(rng.integers(low, high)), 2))

    ids = [f"l{k}" for k in range(rng.integers(0, 5))]
    lanes = {
        i: Lane(
            i,
            shape(2, 9),
            shape(3, 9) if rng.random() < 0.7 else np.zeros((0, 2)),
            f"rb{k % 2}",
            bool(rng.random() < 0.5),
            successors=tuple(ids[:k]),
            left=tuple(ids[k + 1 : k + 2]),
            speed_limit=float(rng.choice([np.nan, 13.4])),
        )
        for k, i in enumerate(ids)
    }
    roadblocks = {
        f"rb{k}": Roadblock(f"rb{k}", shape(3, 8), tuple(ids[k::2])) for k in range(min(2, len(ids)))
    }
    areas = tuple(
        MapArea(f"a{k}", kind, shape(3, 9)) for k, kind in enumerate(AreaKind) if rng.random() < 0.5
    )
    lines = tuple(
        MapLine(f"é{k}", kind, shape(2, 9)) for k, kind in enumerate(LineKind) if rng.random() < 0.5
    )
    return VectorMap(lanes, roadblocks, areas, lines)


def random_scenario(seed: int) -> Scenario:
    """Return a scenario with every field drawn at random."""
    rng = np.random.default_rng(seed)
    frames, agents, lights = int(rng.integers(1, 40)), int(rng.integers(0, 8)), int(rng.integers(0, 4))
    camera = CameraCalibration(
        "CAM_F0", 64, 36, rng.normal(size=(3, 3)), rng.normal(size=(4, 4)), rng.normal(size=5)
    )
    return Scenario(
        token=f"token-{seed}",
        log_name="log/ü",
        map_name="place",
        dt=float(rng.uniform(0.01, 1.0)),
        timestamps_us=np.cumsum(rng.integers(1, 10**6, frames)),
        initial_frame=int(rng.integers(0, frames)),
        agents=AgentTracks(
            tuple(f"agent {k}" for k in range(agents)),
            rng.integers(0, 7, agents).astype(np.int8),
            rng.normal(size=(agents, frames, 3)),
            rng.normal(size=(agents, frames, 2)),
            rng.uniform(0.5, 5, (agents, 3)),
            rng.random((agents, frames)) < 0.8,
        ),
        ego=EgoTrack(
            rng.normal(size=(frames, 3)), rng.normal(size=(frames, 2)), rng.normal(size=(frames, 2))
        ),
        vehicle=VehicleParams(*rng.uniform(1, 5, 5).tolist()),
        map=random_map(rng),
        lights=TrafficLights(
            tuple(f"l{k}" for k in range(lights)),
            rng.integers(0, 4, (lights, frames)).astype(np.int8),
            np.where(rng.random((lights, 1)) < 0.5, np.nan, rng.normal(size=(lights, 2))),
        ),
        route=("rb0", "rb1"),
        cameras=(camera,) * int(rng.integers(0, 3)),
        global_from_world=rng.normal(scale=1e6, size=2),
        asset_id="",
        tags={"source": "random", "nested": {"list": [1, 2.5, None, True]}},
    )


def scene_track(kind: str, position: np.ndarray, heading: np.ndarray, size: tuple, dt: float = 0.1) -> dict:
    """Return a ScenarioNet track of box centres (T, 3) with headings (T,)."""
    frames = len(position)
    state = {
        "position": np.array(position, np.float64),
        "heading": np.array(heading, np.float64),
        "velocity": np.gradient(np.asarray(position, np.float64)[:, :2], dt, axis=0),
        "valid": np.ones(frames, bool),
    }
    state |= {
        name: np.full(frames, value) for name, value in zip(("length", "width", "height"), size, strict=True)
    }
    return {"type": kind, "state": state, "metadata": {"type": kind}}


def make_scene(frames: int = 91, speed: float = 5.0, origin: tuple = (2000.0, -500.0)) -> dict:
    """Return a ScenarioNet scene: an ego centred on the right of two lanes, a car, a cone, a light."""
    t = np.arange(frames) * 0.1
    x = origin[0] + speed * t
    ego = np.stack([x, np.full(frames, origin[1]), np.zeros(frames)], 1)
    lane_x = origin[0] + np.arange(-40.0, 121.0, 4.0)
    return {
        "id": "made-scene",
        "version": "test",
        "length": frames,
        "metadata": {"dataset": "made", "sdc_id": "ego", "ts": t, "scenario_id": "made scene", "map": "town"},
        "tracks": {
            "ego": scene_track("VEHICLE", ego, np.zeros(frames), (5.176, 2.297, 1.777)),
            "car": scene_track("VEHICLE", ego + [20.0, 3.5, 0], np.zeros(frames), (4.5, 1.9, 1.6)),
            "cone": scene_track(
                "TRAFFIC_CONE", ego[:1].repeat(frames, 0) + [9, -4, 0], np.zeros(frames), (0.4, 0.4, 1)
            ),
        },
        "dynamic_map_states": {
            "a": {
                "type": "TRAFFIC_LIGHT",
                "state": {
                    "object_state": ["LANE_STATE_STOP"] * 40
                    + [None]
                    + ["LANE_STATE_ARROW_GO"] * (frames - 41)
                },
                "lane": "a",
                "stop_point": [origin[0] + 30, origin[1], 0.0],
            }
        },
        "map_features": {
            "a": {
                "type": "LANE_SURFACE_STREET",
                "polyline": [(v, origin[1], 0.0) for v in lane_x],
                "exit_lanes": ["c"],
            },
            "b": {
                "type": "LANE_SURFACE_STREET",
                "polyline": np.stack([lane_x, lane_x * 0 + origin[1] + 3.5], 1),
            },
            "c": {
                "type": "LANE_SURFACE_STREET",
                "polyline": np.stack([lane_x[-1] + np.arange(0, 60.0, 5), np.full(12, origin[1])], 1),
                "entry_lanes": ["a"],
            },
        },
    }


def make_legacy(frames: int = 24, origin: tuple = (664432.0, 3997660.0), centred: bool = True) -> dict:
    """Return one scenario in the layout of the original's file, ego at 6 m/s along +y for 2 Hz frames."""
    t = np.arange(frames) * 0.5
    heading = np.full(frames, np.pi / 2)
    base = np.zeros(2) if centred else np.array(origin)
    ego = np.stack([np.full(frames, base[0]), base[1] + 6 * t, np.zeros(frames)], 1)

    def track(kind: str, position: np.ndarray, size: tuple, nuplan: int) -> dict:
        made = scene_track(kind, position, heading, size, 0.5)
        state = made["state"]
        state["valid"] = state["valid"].astype(np.float64)
        for name in ("length", "width", "height"):
            state[name] = state[name][:, None]
        return {**made, "metadata": {"track_length": frames, "type": kind, "nuplan_type": nuplan}}

    ahead = track("VEHICLE", ego + [0, 18, 0], (4.6, 1.9, 1.6), 0)
    ahead["state"]["valid"][-5:] = 0
    for name in ("position", "heading", "velocity", "length", "width", "height"):
        ahead["state"][name][-5:] = 0
    y = base[1] + np.arange(-40.0, 130.0, 3.0)

    def lane(offset: float, kind: str, rows: slice, **links: list) -> dict:
        line = np.stack([np.full(len(y[rows]), base[0] + offset), y[rows]], 1)
        ring = np.array([[-1.8, 0], [1.8, 0], [1.8, 1], [-1.8, 1]])
        polygon = np.array([line[0, 0], 0]) + ring * [1, line[-1, 1] - line[0, 1]] + [0, line[0, 1]]
        return {
            "type": kind,
            "polyline": line,
            "polygon": np.concatenate([polygon, polygon[:1]]),
            "entry_lanes": links.get("entry", []),
            "exit_lanes": links.get("exit", []),
            "left_neighbor": [],
            "right_neighbor": [],
            "roadblock_id": links["block"][0],
        }

    low, high = base[1] - 40.0, base[1] + 130.0
    outline = np.array([[-6, low], [6, low], [6, high], [-6, high], [-6, low]]) + [base[0], 0]
    return {
        "id": "",
        "dataset": "digitaltwin.nuplan",
        "map": "us-nv-las-vegas-strip",
        "log_length": frames,
        "sample_rate": 10,
        "base_timestamp": 1_620_857_000_000_000,
        "sdc_id": "ego",
        "cameras": {
            "CAM_F0": {
                "channel": "CAM_F0",
                "sensor2ego_rotation": np.array([0.5, -0.5, 0.5, -0.5]),
                "sensor2ego_translation": np.array([1.7, 0.0, 1.5]),
                "intrinsic": np.array([[1545.0, 0, 960], [0, 1545.0, 560], [0, 0, 1]]),
                "distortion": np.array([-0.356123, 0.172545, -0.00213, 0.000464, -0.05231]),
                "height": 1080,
                "width": 1920,
            }
        },
        "lidar": {
            "channel": "LIDAR_TOP",
            "sensor2ego_rotation": np.zeros(4),
            "sensor2ego_translation": np.zeros(3),
        },
        "object_track": {
            "ego": track("VEHICLE", ego, (5.176, 2.297, 1.777), 7),
            "aaaaaaaaaaaaaaaa": ahead,
            "bbbbbbbbbbbbbbbb": track(
                "TRAFFIC_BARRIER", ego[:1].repeat(frames, 0) + [4, 9, 0], (2, 0.5, 1), 4
            ),
        },
        "dynamic_map_states": {
            "20": {
                "type": "TRAFFIC_LIGHT",
                "state": {
                    "traffic_light_state": ["TRAFFIC_LIGHT_RED"] * 6 + ["TRAFFIC_LIGHT_GREEN"] * (frames - 6)
                },
                "traffic_light_position": [base[0] + 1.0, base[1] + 30.0],
                "traffic_light_lane": "20",
                "metadata": {"track_length": frames, "lane_id": "20", "dataset": "nuplan"},
            }
        },
        "map_features": {
            "10": lane(0.0, "LANE_SURFACE_STREET", slice(0, 24), exit=["20"], block=["100"]),
            "11": lane(3.6, "LANE_SURFACE_STREET", slice(0, 24), block=["100"]),
            "20": lane(0.0, "LANE_SURFACE_UNSTRUCTURE", slice(23, 57), entry=["10"], block=["200"]),
            "77": {
                "type": "ROAD_LINE_BROKEN_SINGLE_WHITE",
                "polyline": np.zeros((2, 2)) + base + [[0, 0], [0, 9]],
            },
            "88": {"type": "ROAD_EDGE_SIDEWALK", "polygon": outline + [14, 0]},
            "99": {
                "type": "CROSSWALK",
                "polygon": base + np.array([[-6, 40], [6, 40], [6, 44], [-6, 44], [-6, 40]]),
            },
            "boundary_0": {"type": "ROAD_LINE_SOLID_SINGLE_WHITE", "polyline": outline},
        },
        "metadata": {
            "old_origin_in_current_coordinate": -np.array(origin) if centred else np.zeros(2),
            "nuplan_lidar_pc_tokens": [f"{k:016x}" for k in range(frames)],
            "openscene_data_infos_dict": {f"{k:016x}": {"token": f"{k:016x}"} for k in range(frames)},
        },
    }


def write_pickle(path: Path, value: object) -> Path:
    """Write `value` as a pickle of the highest protocol."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))
    return path
