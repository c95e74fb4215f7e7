"""Small assets in memory and the scenario that stands in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from factories import make_scenario, make_tracks
from render_factories import make_gaussian
from simengine.datatypes.agents import AgentStates, AgentType
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.geometry.se3 import make_transform, quaternion_from_yaw, rotation_from_quaternion
from simengine.render.assets.asset import Asset, AssetNode, LogPoses, NodeKind
from simengine.render.assets.height_map import HeightMap
from simengine.render.gaussians import FlatGaussians
from simengine.render.lift import lift
from simengine.scenario.scenario import ASSET_EGO_POSES, Scenario

RECON2WORLD = np.array([1000.0, 2000.0, 50.0])
GLOBAL_FROM_WORLD = np.array([990.0, 1980.0])
ORIGIN_XY = RECON2WORLD[:2] - GLOBAL_FROM_WORLD
"""Where the frame of the asset has its origin in the world: (10, 20)."""
AXLE_Z = 4.0 + AXLE_HEIGHT
"""Height of the ego's axle in the log: the road lies at 4."""
CAR_SIZE = (4.0, 2.0, 2.0)
ROAD_HEIGHT = 3.0
"""Of assets made of lifted scenes."""


def two_gaussians(first: tuple, second: tuple, bands: np.ndarray | None = None) -> FlatGaussians:
    """Return two Gaussians that lie on their sides, with the same coefficients of band 1 in (y, z, x) order."""
    sh = np.zeros((2, 4, 3), np.float32)
    sh[:, 0] = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
    if bands is not None:
        sh[:, 1:] = bands
    half = np.sqrt(0.5)
    return FlatGaussians(
        np.array([first, second], float),
        np.array([[half, half, 0, 0]] * 2),
        np.array([[0.1, 0.2, 0.3]] * 2),
        np.array([0.5, 0.9]),
        sh,
    )


def log_of(*poses: tuple[float, float, float, float], times: list[int] | None = None) -> LogPoses:
    """Return a log of (x, y, z, yaw) in the frame of the asset, one a 0.1 s from 0 on; one pose alone is static."""
    quats = np.stack([quaternion_from_yaw(pose[3]) for pose in poses])
    trans = np.array([pose[:3] for pose in poses])
    if len(poses) == 1 and times is None:
        return LogPoses(quats, trans)
    return LogPoses(quats, trans, np.array(times or [100_000 * k for k in range(len(poses))]))


def car(
    gaussians: FlatGaussians, log: LogPoses | None, kind: NodeKind = NodeKind.RIGID, **options
) -> AssetNode:
    """Return the object of the track `abc`."""
    return AssetNode("object_7_abc", kind, gaussians, log, **options)


def asset_with(*nodes: AssetNode, **values) -> Asset:
    """Return an asset with a background of one Gaussian at (1, 2, 3) and `nodes`."""
    ground = AssetNode("background", NodeKind.BACKGROUND, make_gaussian((1, 2, 3)))
    return Asset((ground, *nodes), RECON2WORLD, **values)


def ego_poses(*poses: tuple[float, float, float, float]) -> list:
    """Return poses (x, y, z of the axle, yaw) in the frame of the asset as the tag of a scenario."""
    return [
        make_transform(rotation_from_quaternion(quaternion_from_yaw(pose[3])), np.array(pose[:3])).tolist()
        for pose in poses
    ]


def make_stage_scenario(**changes: object) -> Scenario:
    """Return an ego that starts at the world's origin, and one tracked car `abc`."""
    agents = make_tracks(np.zeros((1, 66, 3)))
    agents = replace(agents, ids=("abc",), size=np.array([CAR_SIZE]))
    # The ego starts at world (0, 0): (-10, -20) in the asset.
    poses = [(-10.0 + 2.0 * k, -20.0, AXLE_Z, 0.0) for k in range(20)]
    values = {
        "agents": agents,
        "global_from_world": GLOBAL_FROM_WORLD,
        "timestamps_us": 100_000 * np.arange(66),
        "initial_frame": 0,
        "tags": {ASSET_EGO_POSES: ego_poses(*poses)},
    }
    return make_scenario(**(values | changes))


def car_at(x: float, y: float, yaw: float, agent_id: str = "abc") -> AgentStates:
    """Return one car in the world frame."""
    return AgentStates(
        (agent_id,),
        np.array([AgentType.VEHICLE], np.int8),
        np.array([[x, y, yaw]]),
        np.zeros((1, 2)),
        np.array([CAR_SIZE]),
    )


def nobody() -> AgentStates:
    """Return no agents."""
    return AgentStates((), np.zeros(0, np.int8), np.zeros((0, 3)), np.zeros((0, 2)), np.zeros((0, 3)))


def as_asset(scenario: Scenario) -> Asset:
    """Return what `lift` makes of a scenario as an asset whose flat road lies at 3 m."""
    scene, kinds = lift(scenario), {"background": NodeKind.BACKGROUND, "sky": NodeKind.SKY}
    up = np.float32([0, 0, ROAD_HEIGHT])
    nodes = [
        AssetNode(n.name, kinds[n.name], replace(n.gaussians, means=n.gaussians.means + up))
        for n in scene.nodes.values()
        if n.is_static
    ]
    size = scenario.agents.size
    for row, agent_id in enumerate(scenario.agents.ids):
        box = scene.nodes[f"agent/{agent_id}"].gaussians
        down = np.float32([0, 0, -0.5 * size[row, 2]])
        name = f"object_{row}_{agent_id}"
        nodes.append(AssetNode(name, NodeKind.RIGID, replace(box, means=box.means + down), turns_colors=True))
    road = HeightMap(np.full((400, 400), ROAD_HEIGHT, np.float32), np.eye(2), np.array([200.0, 200.0]), 1.0)
    place = np.append(scene.origin[:2] + scenario.global_from_world, 0.0)
    return Asset(tuple(nodes), place, road)
