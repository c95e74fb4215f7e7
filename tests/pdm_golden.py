"""Golden PDM scenes as inputs of our scorer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.datatypes.vehicle import VehicleParams
from simengine.metrics.pdm.map_areas import DrivableMap, Layer
from simengine.metrics.pdm.observation import interpolate_tracks, observation_from_tracks
from simengine.metrics.pdm.scene import PdmScene

FOLDER = Path(__file__).resolve().parent / "golden" / "pdm"
LAYERS = {
    "ROADBLOCK": Layer.ROADBLOCK,
    "LANE": Layer.LANE,
    "LANE_CONNECTOR": Layer.LANE_CONNECTOR,
    "INTERSECTION": Layer.INTERSECTION,
    "CARPARK_AREA": Layer.CARPARK,
}


@dataclass(frozen=True)
class GoldenScene:
    data: dict[str, np.ndarray]
    states: np.ndarray
    tracks: AgentTracks
    scene: PdmScene


def ragged(data: dict, name: str) -> list[np.ndarray]:
    offsets = data[f"{name}_off"]
    return [data[name][a:b] for a, b in itertools.pairwise(offsets)]


def load_golden(path: Path) -> GoldenScene:
    with np.load(path, allow_pickle=False) as file:
        data = {key: file[key] for key in file.files}
    states = np.zeros((*data["sim_states"].shape[:2], STATE_SIZE))
    columns = [
        StateIndex.X,
        StateIndex.Y,
        StateIndex.HEADING,
        StateIndex.VELOCITY_X,
        StateIndex.ACCELERATION_X,
        StateIndex.STEERING_ANGLE,
    ]
    states[..., columns] = data["sim_states"]
    states[:, 0] = data["sim_initial_state"]
    count = len(data["agent_token"])
    size = np.stack([data["agent_length"], data["agent_width"], np.ones(count)], axis=1)
    detections = AgentTracks(
        tuple(data["agent_token"].tolist()),
        data["agent_type"],
        np.nan_to_num(data["agent_pose"]),
        np.nan_to_num(data["agent_velocity"]),
        size,
        data["agent_present"],
    )
    tracks = interpolate_tracks(detections, 0.5, 51, 0.1)
    scene = PdmScene(
        VehicleParams(),
        observation_from_tracks(tracks),
        _drivable(data),
        frozenset(data["out_route_lane_token"].tolist()),
        data["out_centerline"],
    )
    return GoldenScene(data, states, tracks, scene)


def _drivable(data: dict) -> DrivableMap:
    rings = {}
    for prefix in ("rb", "lane", "intersection", "carpark"):
        for token, ring in zip(data[f"{prefix}_token"].tolist(), ragged(data, f"{prefix}_poly"), strict=True):
            rings[prefix, token] = ring
    groups = {"ROADBLOCK": "rb", "LANE": "lane", "LANE_CONNECTOR": "lane", "INTERSECTION": "intersection"}
    tokens, kinds = data["out_drivable_token"].tolist(), data["out_drivable_type"].tolist()
    return DrivableMap(
        tuple(tokens),
        tuple(LAYERS[kind] for kind in kinds),
        np.array(
            [shapely.Polygon(rings[groups.get(k, "carpark"), t]) for t, k in zip(tokens, kinds, strict=True)]
        ),
    )
