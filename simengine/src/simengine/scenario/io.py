"""The native scenario file: one .npz per scenario, its map in `maps/` beside it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ScenarioFormatError
from simengine.files.arrays import read_arrays, write_arrays
from simengine.scenario.mapfile import MAP_FOLDER, load_map, save_map
from simengine.scenario.scenario import Scenario

SCENARIO_FORMAT = "simengine-scenario"
SCENARIO_VERSION = 1
_AGENT_FIELDS = ("types", "pose", "velocity", "size", "valid")
_EGO_FIELDS = ("pose", "velocity", "acceleration")
_CAMERA_FIELDS = ("intrinsic", "ego_from_cam", "distortion")


def save_scenario(scenario: Scenario, path: Path, compress: bool = True) -> Path:
    """Write `scenario` to `path` (.npz) and its map to `maps/` beside it; return `path`.

    The map file is named by its content, so scenarios with equal maps share one. Both files appear
    under their names only when complete.
    """
    path = Path(path)
    key = save_map(scenario.map, path.parent / MAP_FOLDER, compress)
    header = {
        "format": SCENARIO_FORMAT,
        "version": SCENARIO_VERSION,
        "token": scenario.token,
        "log_name": scenario.log_name,
        "map_name": scenario.map_name,
        "dt": scenario.dt,
        "initial_frame": int(scenario.initial_frame),
        "agent_ids": list(scenario.agents.ids),
        "light_lane_ids": list(scenario.lights.lane_ids),
        "vehicle": asdict(scenario.vehicle),
        "map": key,
        "route": list(scenario.route),
        "cameras": [[camera.name, camera.width_px, camera.height_px] for camera in scenario.cameras],
        "asset_id": scenario.asset_id,
        "tags": scenario.tags,
    }
    write_arrays(path, header, _arrays(scenario), compress)
    return path


def _arrays(scenario: Scenario) -> dict[str, np.ndarray]:
    arrays = {
        "timestamps_us": scenario.timestamps_us,
        "lights.state": scenario.lights.state,
        "lights.stop_point": scenario.lights.stop_point,
        "global_from_world": scenario.global_from_world,
    }
    arrays |= {f"agents.{name}": getattr(scenario.agents, name) for name in _AGENT_FIELDS}
    arrays |= {f"ego.{name}": getattr(scenario.ego, name) for name in _EGO_FIELDS}
    for index, camera in enumerate(scenario.cameras):
        arrays |= {f"cameras.{index}.{name}": getattr(camera, name) for name in _CAMERA_FIELDS}
    return arrays


def load_scenario(path: Path) -> Scenario:
    """Return the scenario in the native file at `path`, equal to what was saved, bit for bit.

    Raises:
        ScenarioFormatError: the file or its map is missing, truncated, of another version, or breaks
            the contract of `Scenario`.
    """
    path = Path(path)
    header, arrays = read_arrays(path, SCENARIO_FORMAT, SCENARIO_VERSION)
    try:
        key = str(header["map"])
    except KeyError:
        raise ScenarioFormatError(
            f"{path}: the header names no map, expected a key: convert it again"
        ) from None
    vector_map = load_map(path.parent / MAP_FOLDER, key)
    try:
        return Scenario(
            token=header["token"],
            log_name=header["log_name"],
            map_name=header["map_name"],
            dt=header["dt"],
            timestamps_us=arrays["timestamps_us"],
            initial_frame=header["initial_frame"],
            agents=AgentTracks(
                tuple(header["agent_ids"]), *(arrays[f"agents.{name}"] for name in _AGENT_FIELDS)
            ),
            ego=EgoTrack(*(arrays[f"ego.{name}"] for name in _EGO_FIELDS)),
            vehicle=VehicleParams(**header["vehicle"]),
            map=vector_map,
            lights=TrafficLights(
                tuple(header["light_lane_ids"]), arrays["lights.state"], arrays["lights.stop_point"]
            ),
            route=tuple(header["route"]),
            cameras=tuple(
                CameraCalibration(*row, *(arrays[f"cameras.{index}.{name}"] for name in _CAMERA_FIELDS))
                for index, row in enumerate(header["cameras"])
            ),
            global_from_world=arrays["global_from_world"],
            asset_id=header["asset_id"],
            tags=header["tags"],
        )
    except ScenarioFormatError as error:
        raise ScenarioFormatError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ScenarioFormatError(
            f"{path}: a field is missing or malformed ({type(error).__name__}: {error}), expected a complete "
            "scenario: convert it again"
        ) from None
