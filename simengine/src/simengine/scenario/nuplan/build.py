"""From a log, a map and a token to a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.vehicle import VehicleParams
from simengine.scenario.nuplan.assets import Asset
from simengine.scenario.nuplan.calibration import with_asset_intrinsics
from simengine.scenario.nuplan.cut import Cut, cut_around
from simengine.scenario.nuplan.log import EgoPoses, LogScene, NuplanLog
from simengine.scenario.nuplan.map_window import MapWindow, NuplanMap
from simengine.scenario.nuplan.openscene import cameras_of_frame, frame_facts, plain
from simengine.scenario.nuplan.options import NuplanOptions
from simengine.scenario.nuplan.projection import Bounds
from simengine.scenario.nuplan.tracks import place_lights, read_lights, read_tracks
from simengine.scenario.recenter import Shift
from simengine.scenario.route_finding import route_of_drive
from simengine.scenario.scenario import ASSET_EGO_POSES, Scenario

_TILE = 100.0
"""Origins and windows lie on a grid, so that scenarios of one place share their map file [m]."""


@dataclass(frozen=True)
class Sources:
    """What scenarios of one log are made from.

    Attributes:
        log: the log.
        map: its map.
        cameras: its rig.
        openscene: token -> OpenScene frame; empty without metadata.
    """

    log: NuplanLog
    map: NuplanMap
    cameras: tuple[CameraCalibration, ...]
    openscene: Mapping[str, Mapping]


def build_scenario(
    sources: Sources, token: str, asset: Asset | None, options: NuplanOptions
) -> tuple[Scenario, dict]:
    """Return the scenario around a sweep, and the facts about its frames to keep beside it.

    Raises:
        ScenarioFormatError: the log is too short around the sweep, or a source is damaged.
    """
    log = sources.log
    cut = cut_around(log.sweeps, token, options)
    ego = log.ego(cut.tokens)
    scene = log.scene(log.sweeps.scene_tokens[log.sweeps.index[token]])
    shift = Shift(np.floor(ego.pose[0, :2] / _TILE) * _TILE)
    window = sources.map.window(_bounds(ego.pose, options.map_margin), shift.offset)
    track = shift.ego(EgoTrack(ego.pose, ego.velocity[:, :2], ego.acceleration[:, :2]))
    agents, left_out = read_tracks(log, cut.tokens, cut.dt)
    video = asset.video() if asset else {}
    route, route_source = _route(sources, scene, token, window, track)
    tags = {
        "source": "nuplan",
        "legacy_id": f"{log.header.name}-{token}",
        "scenario_tags": log.scenario_tags(token),
        "vehicle_name": log.header.vehicle_name,
        "scene_token": scene.token,
        "goal": None
        if scene.goal is None
        else [*(scene.goal[:2] - shift.offset).tolist(), float(scene.goal[2])],
        "route_source": route_source,
        "left_out": left_out,
        "map_repairs": window.repairs,
        "frame_tokens": list(cut.tokens),
        ASSET_EGO_POSES: _asset_poses(video),
    }
    scenario = Scenario(
        token=token,
        log_name=log.header.name,
        map_name=log.header.map_name,
        dt=cut.dt,
        timestamps_us=cut.timestamps_us,
        initial_frame=cut.initial_frame,
        agents=shift.agents(agents),
        ego=track,
        vehicle=VehicleParams(),
        map=window.vector_map,
        lights=place_lights(
            read_lights(log, cut.tokens),
            sources.map.graph.connector_ids,
            _stop_points(window),
            len(cut.tokens),
        ),
        route=route,
        cameras=_cameras(sources, token, video),
        global_from_world=shift.offset,
        asset_id=asset.id if asset else "",
        tags={key: value for key, value in tags.items() if value not in (None, "", [], {})},
    )
    return scenario, _facts(sources, cut, ego, scene, asset, video)


def _bounds(poses: np.ndarray, margin: float) -> Bounds:
    """Return the window around a drive (T, 3), on the grid of tiles."""
    low = np.floor((poses[:, :2].min(axis=0) - margin) / _TILE) * _TILE
    high = np.ceil((poses[:, :2].max(axis=0) + margin) / _TILE) * _TILE
    return (*low.tolist(), *high.tolist())


def _route(
    sources: Sources, scene: LogScene, token: str, window: MapWindow, track: EgoTrack
) -> tuple[tuple[str, ...], str]:
    """Return the route and where it is from: OpenScene's frame, the scene of the log, or the drive itself."""
    stated = tuple(str(i) for i in sources.openscene.get(token, {}).get("roadblock_ids") or ())
    if stated:
        return stated, "openscene"
    if scene.roadblock_ids:
        return scene.roadblock_ids, "scene"
    return route_of_drive(window.vector_map.lanes, track.pose), "drive"


def _stop_points(window: MapWindow) -> dict[str, np.ndarray]:
    """Return where to stop for the light of each connector: at its stop polygon, else where it begins."""
    starts = {lane.id: lane.centerline[0] for lane in window.vector_map.lanes.values() if lane.is_connector}
    return starts | window.stop_points


def _asset_poses(video: Mapping) -> list:
    """Return where the ego was in each frame of the video of an asset, matrices (4, 4) in the asset's frame."""
    return [plain(info["ego2global"]) for info in video.get("frame_infos", ()) if "ego2global" in info]


def _cameras(sources: Sources, token: str, video: Mapping) -> tuple[CameraCalibration, ...]:
    """Return the rig of the log, else of the metadata, with the intrinsics of the asset."""
    cameras = sources.cameras
    if not cameras and sources.openscene.get(token, {}).get("cams"):
        cameras = cameras_of_frame(sources.openscene[token])
    return with_asset_intrinsics(cameras, video["frame_infos"][0].get("cams", {})) if video else cameras


def _facts(
    sources: Sources, cut: Cut, ego: EgoPoses, scene: LogScene, asset: Asset | None, video: Mapping
) -> dict:
    """Return what the log, the metadata and the asset say about each frame, as JSON values."""
    header, sweeps = sources.log.header, sources.log.sweeps
    frames = []
    for index, token in enumerate(cut.tokens):
        place = sweeps.index[token]
        frames.append(
            {
                "token": token,
                "timestamp_us": int(cut.timestamps_us[index]),
                "scene_token": sweeps.scene_tokens[place],
                "lidar_path": sweeps.files[place],
                "ego2global_translation": ego.translation[index].tolist(),
                "ego2global_rotation": ego.rotation[index].tolist(),
                "velocity": ego.velocity[index].tolist(),
                "acceleration": ego.acceleration[index].tolist(),
                "angular_rate": ego.angular_rate[index].tolist(),
                "openscene": frame_facts(sources.openscene[token]) if token in sources.openscene else None,
            }
        )
    return {
        "log": {
            "name": header.name,
            "token": header.token,
            "map": header.map_name,
            "vehicle": header.vehicle_name,
        },
        "scene": {"token": scene.token, "name": scene.name, "roadblock_ids": list(scene.roadblock_ids)},
        "asset": {"id": asset.id, "ego2globals": _asset_poses(video)} if asset else None,
        "frames": frames,
    }
