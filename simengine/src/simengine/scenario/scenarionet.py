"""Reader of ScenarioNet / MetaDrive scene dictionaries: nuPlan, nuScenes, Waymo and Argoverse 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ScenarioFormatError
from simengine.geometry.se2 import shift_forward
from simengine.scenario.foreign import foreign_record
from simengine.scenario.kinematics import ego_track, valid_runs
from simengine.scenario.levels import Levels
from simengine.scenario.recenter import Shift
from simengine.scenario.route_finding import route_of_drive
from simengine.scenario.scenario import Scenario
from simengine.scenario.scene_cut import cut_scene
from simengine.scenario.scene_map import SourceRules, clean_features, read_map
from simengine.scenario.scene_tracks import (
    read_agents,
    read_lights,
    track_height,
    track_pose,
    track_size,
    track_valid,
)
from simengine.scenario.splits import safe_token
from simengine.scenario.timing import Clock, initial_frame, read_clock

SCENE_KEYS = frozenset({"tracks", "metadata", "map_features", "dynamic_map_states"})


@dataclass(frozen=True)
class Source:
    """What one data set means where the format leaves it open.

    Attributes:
        rules: reading of its map features.
        vehicle: its recording car; None takes the logged box in usual proportions.
        position_is_rear_axle: ego positions are rear axles, not box centres.
        smooth_velocity: agent velocities are derived from the positions.
        has_levels: heights are known, so that roads above or below can be left out.
        broken_end: number of last frames that repeat earlier poses.
    """

    rules: SourceRules = field(default_factory=SourceRules)
    vehicle: VehicleParams | None = None
    position_is_rear_axle: bool = False
    smooth_velocity: bool = False
    has_levels: bool = False
    broken_end: int = 0


_SOURCES = {
    "nuplan": Source(SourceRules(infer_connectors=True), VehicleParams()),
    "nuscenes": Source(
        SourceRules(outline_prefix="boundary_", bare_lane_is_connector=True, default_speed_limits=True),
        VehicleParams(4.084, 1.73, 1.562, 2.588, 1.385),
        position_is_rear_axle=True,
        smooth_velocity=True,
        broken_end=2,
    ),
    "waymo": Source(has_levels=True),
    "argoverse2": Source(vehicle=VehicleParams(4.877, 2.0, 1.473, 2.85, 1.36), has_levels=True),
}
# These cut-outs give ego poses as the planner saw them, at the rear axle; a creeping turn shows it.
_REAR_AXLE_ORIGINS = frozenset({"MCZhi/DTPP"})


def is_scene(value: object) -> bool:
    """Return whether an unpickled object is a scene dictionary."""
    return isinstance(value, Mapping) and set(value) >= SCENE_KEYS


def scenario_from_scene(scene: Mapping, file_name: str) -> Scenario:
    """Return the scenario of a scene dictionary that came from `file_name`."""
    metadata = scene["metadata"]
    name = str(metadata.get("scenario_token") or metadata.get("scenario_id") or scene.get("id") or "")
    if str(metadata.get("dataset")) == "nuscenes":
        name = str(metadata.get("scenario_id") or name)
    token = safe_token(name or Path(file_name).stem)
    with foreign_record(token, "the ScenarioNet layout"):
        return _convert(scene, metadata, token, file_name)


def _convert(scene: Mapping, metadata: Mapping, token: str, file_name: str) -> Scenario:
    dataset = str(metadata.get("dataset", "unknown"))
    source = _SOURCES.get(dataset, Source())
    ego_id = str(metadata["sdc_id"])
    scene = _usable_part(scene, source)
    metadata = scene["metadata"]
    clock = read_clock(metadata, scene["length"])
    state = scene["tracks"][ego_id]["state"]
    frame = initial_frame(clock, metadata.get("current_time_index"))
    ego, vehicle = _read_ego(state, metadata, source, clock)
    agents, left_out = read_agents(scene["tracks"], ego_id, clock.frames, clock.dt, source.smooth_velocity)
    features = scene["map_features"]
    if source.has_levels:
        levels = Levels(ego.pose, track_height(state, clock.frames) - 0.5 * vehicle.height)
        features, left_out["map_other_level"] = levels.keep_features(features)
        agents, left_out["agents_other_level"] = levels.keep_agents(agents, scene["tracks"])
    shift = Shift.to_ego(ego.pose[0])
    vector_map, on_route = read_map(clean_features(features, shift.offset), source.rules)
    ego, agents = shift.ego(ego), shift.agents(agents)
    origin = np.asarray(metadata.get("origin_in_map_frame", (0.0, 0.0)), np.float64)[:2]
    tags = {
        "source": dataset,
        "source_file": file_name,
        "scenario_type": metadata.get("scenario_type"),
        "left_out": {reason: count for reason, count in left_out.items() if count},
    }
    if metadata.get("route_roadblock_ids"):
        tags["route_roadblock_ids"] = [str(i) for i in metadata["route_roadblock_ids"]]
    return Scenario(
        token=token,
        log_name=str(metadata.get("log_name") or metadata.get("source_file") or scene["id"]),
        map_name=str(metadata.get("map") or dataset),
        dt=clock.dt,
        timestamps_us=clock.timestamps_us,
        initial_frame=frame,
        agents=agents,
        ego=ego,
        vehicle=vehicle,
        map=vector_map,
        lights=shift.lights(read_lights(scene["dynamic_map_states"], clock.frames)),
        route=route_of_drive(vector_map.lanes, ego.pose, on_route),
        global_from_world=shift.offset + origin,
        tags={key: value for key, value in tags.items() if value not in (None, {}, "unknown")},
    )


def _usable_part(scene: Mapping, source: Source) -> dict:
    """Return the scene cut to the longest time in which the ego is valid, less a broken end."""
    frames = int(scene["length"])
    valid = track_valid(scene["tracks"][str(scene["metadata"]["sdc_id"])]["state"], frames)
    runs = valid_runs(valid[: frames - source.broken_end])
    if not runs:
        raise ScenarioFormatError("the ego is valid in no frame, expected it to be recorded: check sdc_id")
    return cut_scene(scene, *max(runs, key=lambda run: run[1] - run[0]))


def _read_ego(
    state: Mapping, metadata: Mapping, source: Source, clock: Clock
) -> tuple[EgoTrack, VehicleParams]:
    """Return the ego at its rear axle and its dimensions, from the best of what the source has."""
    vehicle = _vehicle(state, metadata, source, clock.frames)
    if "ego_rear_axle" in metadata:
        pose = np.array(metadata["ego_rear_axle"], np.float64)
    else:
        pose = track_pose(state, clock.frames)
        if not (source.position_is_rear_axle or metadata.get("source") in _REAR_AXLE_ORIGINS):
            pose = shift_forward(pose, -vehicle.rear_axle_to_center)
    track = ego_track(pose, clock.dt)
    if "ego_dynamics" in metadata:
        dynamics = np.asarray(metadata["ego_dynamics"], np.float64)
        track = EgoTrack(pose, dynamics[:, 0:2].copy(), dynamics[:, 2:4].copy())
    return track, vehicle


def _vehicle(state: Mapping, metadata: Mapping, source: Source, frames: int) -> VehicleParams:
    """Return the ego's dimensions: those in the log, else its known car, else its box."""
    logged = metadata.get("ego_vehicle_parameters")
    if logged:
        length = float(logged["front_length"]) + float(logged["rear_length"])
        center = 0.5 * length - float(logged["rear_length"])
        return VehicleParams(
            length, float(logged["width"]), float(logged["height"]), float(logged["wheel_base"]), center
        )
    if source.vehicle is not None:
        return source.vehicle
    return VehicleParams.from_box(*(float(v) for v in track_size(state, AgentType.VEHICLE, frames)))
