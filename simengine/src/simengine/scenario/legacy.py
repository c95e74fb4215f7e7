"""Reader of `all_scenarios.pkl`, the scenario file of the published WorldEngine simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.camera import CameraCalibration, ground_from_axle, lens_coefficients
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ScenarioFormatError
from simengine.geometry.se2 import rotate, shift_forward
from simengine.geometry.se3 import make_transform, rotation_from_quaternion
from simengine.scenario.foreign import foreign_record
from simengine.scenario.kinematics import derivative
from simengine.scenario.recenter import Shift
from simengine.scenario.route_finding import route_of_drive
from simengine.scenario.scenario import ASSET_EGO_POSES, Scenario
from simengine.scenario.scene_map import SourceRules, clean_features, read_map
from simengine.scenario.scene_tracks import read_agents, read_lights, track_pose, track_valid
from simengine.scenario.splits import safe_token
from simengine.scenario.timing import Clock, initial_frame

_SWEEP_STEP = 0.05
_SUFFIX_LENGTH = 3
_RULES = SourceRules(outline_prefix="boundary_")


@dataclass(frozen=True)
class LegacyId:
    """What an id `<log>-<token>` or `<log>-<token>-NNN` says.

    Attributes:
        log_name: the drive; it may hold dashes itself.
        token: `<token>`, with `-NNN` for a generated variant.
        suffix: `NNN`, "000" for a recorded scenario.
    """

    log_name: str
    token: str
    suffix: str

    @classmethod
    def parse(cls, scenario_id: str) -> LegacyId:
        """Return the parts of an id; a last part of three characters marks a generated variant."""
        parts = scenario_id.split("-")
        count = 2 if len(parts) > 1 and len(parts[-1]) == _SUFFIX_LENGTH else 1
        suffix = parts[-1] if count == 2 else "000"
        return cls("-".join(parts[:-count]) or scenario_id, "-".join(parts[-count:]), suffix)


def asset_id(scenario_id: str, metadata: Mapping) -> str:
    """Return the asset of a scenario: the one it names, else its id, less a variant suffix `-NNN`."""
    name = str(metadata.get("digitaltwin_asset_id") or scenario_id)
    return name[:-4] if len(name) > 4 and name[-4] == "-" else name


def is_legacy(value: object) -> bool:
    """Return whether an unpickled object is a dictionary of the original's scenarios."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(x, Mapping) and {"object_track", "log_length"} <= set(x) for x in value.values())
    )


def scenario_from_legacy(scenario_id: str, record: Mapping) -> Scenario:
    """Return one scenario of the original's file, at its own rate (2 Hz).

    Raises:
        ScenarioFormatError: a field is missing or malformed, or the log is too short.
    """
    name = LegacyId.parse(scenario_id)
    token = safe_token(name.token)
    with foreign_record(token, "the layout of all_scenarios.pkl"):
        return _convert(scenario_id, name, token, record)


def _convert(scenario_id: str, name: LegacyId, token: str, record: Mapping) -> Scenario:
    clock = _clock(record)
    metadata = record.get("metadata") or {}
    ego_id = str(record.get("sdc_id", "ego"))
    vehicle = VehicleParams()
    ego = _read_ego(record["object_track"][ego_id]["state"], vehicle, clock)
    agents, left_out = read_agents(record["object_track"], ego_id, clock.frames, clock.dt)
    shift = Shift.to_ego(shift_forward(ego.pose[0], vehicle.rear_axle_to_center))
    vector_map, on_route = read_map(clean_features(record.get("map_features") or {}, shift.offset), _RULES)
    ego = shift.ego(ego)
    origin = -np.asarray(metadata.get("old_origin_in_current_coordinate", (0.0, 0.0)), np.float64)[:2]
    tags = {
        "source": str(record.get("dataset", "worldengine")),
        "legacy_id": scenario_id,
        "variant": name.suffix,
        "left_out": left_out,
        "frame_tokens": _frame_tokens(metadata),
        ASSET_EGO_POSES: np.asarray(metadata.get("digitaltwin_ego2globals", ()), np.float64).tolist(),
    }
    return Scenario(
        token=token,
        log_name=name.log_name,
        map_name=str(record.get("map", "unknown")),
        dt=clock.dt,
        timestamps_us=clock.timestamps_us,
        initial_frame=initial_frame(clock),
        agents=shift.agents(agents),
        ego=ego,
        vehicle=vehicle,
        map=vector_map,
        lights=shift.lights(read_lights(record.get("dynamic_map_states") or {}, clock.frames)),
        route=route_of_drive(vector_map.lanes, ego.pose, on_route),
        cameras=tuple(_camera(key, camera) for key, camera in (record.get("cameras") or {}).items()),
        global_from_world=shift.offset + origin,
        asset_id=asset_id(scenario_id, metadata),
        tags={key: value for key, value in tags.items() if value},
    )


def _clock(record: Mapping) -> Clock:
    frames = int(record["log_length"])
    dt = round(int(record.get("sample_rate", 10)) * _SWEEP_STEP, 6)
    first = int(record.get("base_timestamp", 0))
    return Clock(dt, first + np.round(np.arange(frames) * dt * 1e6).astype(np.int64))


def _read_ego(state: Mapping, vehicle: VehicleParams, clock: Clock) -> EgoTrack:
    """Return the ego at its rear axle; positions are box centres, velocities already those of the axle."""
    valid = track_valid(state, clock.frames)
    if not valid.all():
        raise ScenarioFormatError(
            f"the ego is not valid in {int((~valid).sum())} of {clock.frames} frames, expected it in all: convert "
            "the log again"
        )
    pose = shift_forward(track_pose(state, clock.frames), -vehicle.rear_axle_to_center)
    velocity_world = np.asarray(state["velocity"], np.float64).reshape(clock.frames, -1)[:, :2]
    acceleration_world = derivative(velocity_world, clock.dt)
    return EgoTrack(pose, rotate(velocity_world, -pose[:, 2]), rotate(acceleration_world, -pose[:, 2]))


def _camera(key: str, camera: Mapping) -> CameraCalibration:
    rotation = rotation_from_quaternion(np.asarray(camera["sensor2ego_rotation"], np.float64))
    translation = np.asarray(camera["sensor2ego_translation"], np.float64)
    return CameraCalibration(
        name=str(camera.get("channel", key)),
        width_px=int(camera["width"]),
        height_px=int(camera["height"]),
        intrinsic=np.asarray(camera["intrinsic"], np.float64),
        ego_from_cam=ground_from_axle(make_transform(rotation, translation)),
        distortion=lens_coefficients(camera.get("distortion")),
    )


def _frame_tokens(metadata: Mapping) -> list[str]:
    """Return one token for each frame: those of a synthetic scene if there is one, else the sweeps'."""
    synthetic = (metadata.get("synthetic_scene_info") or {}).get("frames") or ()
    tokens = [str(frame["token"]) for frame in synthetic if "token" in frame]
    return tokens or [str(token) for token in metadata.get("nuplan_lidar_pc_tokens") or ()]
