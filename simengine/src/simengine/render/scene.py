"""A renderable scene: named nodes of Gaussians, and how posed nodes become one flat set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from simengine.errors import AssetError
from simengine.geometry.se3 import quaternion_from_rotation, quaternion_multiply
from simengine.render import sh
from simengine.render.gaussians import FlatGaussians, concatenate

BACKGROUND = "background"
SKY = "sky"


def agent_node(agent_id: str) -> str:
    """Return the name of the node that shows an agent."""
    return f"agent/{agent_id}"


def light_node(lane_id: str, state: int) -> str:
    """Return the name of the node that shows the light of a lane in one state."""
    return f"light/{lane_id}/{state}"


@dataclass(frozen=True)
class SplatNode:
    """Gaussians that move together.

    Attributes:
        name: unique in its scene.
        gaussians: in the frame of the node: for agents the box frame, x forward, y left, z up, with the origin
            in the middle of the box's bottom face; for everything else the frame of the scene.
        is_static: whether the node is always drawn where it is.
    """

    name: str
    gaussians: FlatGaussians
    is_static: bool = False


@dataclass(frozen=True)
class SplatScene:
    """Named nodes around an origin.

    Attributes:
        nodes: name -> node.
        origin: (3,) place of the scene frame's origin in the world frame [m]; axes are parallel. It keeps
            single-precision coordinates small.
    """

    nodes: dict[str, SplatNode]
    origin: np.ndarray = field(default_factory=lambda: np.zeros(3))

    @property
    def num_gaussians(self) -> int:
        """Number of Gaussians over all nodes."""
        return sum(len(node.gaussians) for node in self.nodes.values())

    @property
    def nbytes(self) -> int:
        """Memory of all Gaussians [bytes]."""
        return sum(node.gaussians.nbytes for node in self.nodes.values())

    def static(self) -> FlatGaussians:
        """Return the Gaussians of all static nodes in the frame of the scene."""
        return concatenate([node.gaussians for node in self.nodes.values() if node.is_static])


def compose(scene: SplatScene, poses: Mapping[str, np.ndarray]) -> FlatGaussians:
    """Return all static nodes and the posed ones as one set in the frame of the scene.

    Args:
        scene: nodes.
        poses: node name -> `world_from_node` (4, 4); nodes that are neither static nor named are not drawn.
    """
    return concatenate([scene.static(), compose_posed(scene, poses)])


def compose_posed(
    scene: SplatScene, poses: Mapping[str, np.ndarray], turn_colors: bool = True
) -> FlatGaussians:
    """Return only the nodes named in `poses`, as one set in the frame of the scene.

    Args:
        scene: nodes.
        poses: node name -> `world_from_node` (4, 4).
        turn_colors: whether colours turn with their nodes; else they are in axes of the scene already.
    """
    unknown = [name for name in poses if name not in scene.nodes]
    if unknown:
        raise AssetError(
            f"the scene has no node {unknown[0]!r}, expected one of its {len(scene.nodes)} nodes"
        )
    parts = [scene.nodes[name].gaussians for name in poses]
    if not sum(len(part) for part in parts):
        return FlatGaussians.empty()
    transforms = np.stack([np.asarray(pose, dtype=np.float64) for pose in poses.values()])
    counts = np.array([len(part) for part in parts])
    rotation = np.repeat(transforms[:, :3, :3].astype(np.float32), counts, axis=0)
    translation = np.repeat((transforms[:, :3, 3] - scene.origin).astype(np.float32), counts, axis=0)
    quats = np.repeat(
        np.stack([_quaternion(t[:3, :3]) for t in transforms]).astype(np.float32), counts, axis=0
    )
    local = concatenate(parts)
    return FlatGaussians(
        means=(rotation @ local.means[:, :, None])[:, :, 0] + translation,
        quats=quaternion_multiply(quats, local.quats),
        scales=local.scales,
        opacities=local.opacities,
        sh=_turned_colors(local.sh, transforms, counts) if turn_colors else local.sh,
    )


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    """Return the wxyz quaternion (4,) of `rotation` (3, 3), quickly for turns about z."""
    if rotation[2, 2] > 1.0 - 1e-12:
        half = 0.5 * np.arctan2(rotation[1, 0], rotation[0, 0])
        return np.array([np.cos(half), 0.0, 0.0, np.sin(half)])
    return quaternion_from_rotation(rotation)


def _turned_colors(coefficients: np.ndarray, transforms: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return `coefficients` (N, K, 3) turned with their nodes, so that highlights stay on the body."""
    if coefficients.shape[1] == 1:
        return coefficients
    result = np.empty_like(coefficients)
    ends = np.cumsum(counts)
    for transform, start, end in zip(transforms, ends - counts, ends, strict=True):
        result[start:end] = sh.turned(coefficients[start:end], transform[:3, :3])
    return result
