"""Vehicles to borrow: a folder of reconstructed cars that stand in for agents without Gaussians of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from simengine.datatypes.agents import AgentType
from simengine.errors import AssetError
from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render.assets.formats import READERS, read_asset
from simengine.render.assets.objects import in_node_axes
from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.lift_agents import lift_agent
from simengine.render.scene import SplatNode, agent_node

_SOLID = 0.2
_TRIMMED = 0.005


@dataclass(frozen=True, eq=False)
class Model:
    """One vehicle of a library.

    Attributes:
        name: of its file.
        gaussians: x forward, y left, z up; the origin is in the middle of the bottom of its box.
        size: (3,) length, width, height [m].
    """

    name: str
    gaussians: FlatGaussians
    size: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Model:
        """Return the vehicle in a file: its first object, else everything in it.

        Raises:
            AssetError: the file is refused by its reader, or nothing in it is solid.
        """
        asset = read_asset(path)
        if asset.objects:
            flat = in_node_axes(asset.objects[0]).gaussians
        else:
            flat = concatenate([node.gaussians for node in asset.nodes])
        solid = flat.means[flat.opacities > _SOLID]
        if len(solid) < 2:
            raise AssetError(
                f"{path}: has no solid Gaussians, expected a vehicle: take it out of the library"
            )
        # A few stray Gaussians must not make the car longer than it looks.
        low, high = np.quantile(solid, (_TRIMMED, 1.0 - _TRIMMED), axis=0)
        middle = np.append(0.5 * (low + high)[:2], low[2]).astype(np.float32)
        size = np.maximum(high - low, 0.01).astype(np.float64)
        return cls(path.name, replace(flat, means=flat.means - middle), size)


@dataclass(frozen=True)
class AgentLibrary:
    """Makes nodes of agents: vehicles from the model nearest in size, all else lifted from its box.

    Attributes:
        folder: with one vehicle in each .npz, .ply or .ckpt.
    """

    folder: Path

    def __call__(self, agent_id: str, kind: int, size: np.ndarray) -> SplatNode:
        """Return the node of one agent; the same sizes always get the same model, stretched to the box.

        Raises:
            AssetError: the library is empty or a file in it cannot be used.
        """
        if AgentType(kind) not in (AgentType.VEHICLE, AgentType.EGO):
            return lift_agent(agent_id, kind, size)
        size = np.maximum(np.asarray(size, np.float64), 0.1)
        model = nearest_model(self.models, size)
        return SplatNode(agent_node(agent_id), stretched(model.gaussians, size / model.size))

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """All vehicles, by file name."""
        files = sorted(path for path in self.folder.glob("*") if path.suffix in READERS)
        if not files:
            raise AssetError(
                f"{self.folder}: holds no vehicles, expected files {', '.join(READERS)}: check render.agent_library"
            )
        return tuple(Model.read(path) for path in files)


def nearest_model(models: tuple[Model, ...], size: np.ndarray) -> Model:
    """Return the model that has to be stretched least to fill a box of `size` (3,); of equals the first."""
    effort = [np.abs(np.log(size / model.size)).sum() for model in models]
    return models[int(np.argmin(effort))]


def stretched(flat: FlatGaussians, factors: np.ndarray) -> FlatGaussians:
    """Return Gaussians stretched along the axes of their frame by `factors` (3,), their covariances exactly so."""
    axes = rotation_from_quaternion(flat.quats) * flat.scales[:, None, :].astype(np.float64)
    turned, scales, _ = np.linalg.svd(np.asarray(factors)[None, :, None] * axes)
    turned[np.linalg.det(turned) < 0, :, 2] *= -1.0
    xyzw = Rotation.from_matrix(turned).as_quat() if len(flat) else np.zeros((0, 4))
    return replace(
        flat, means=flat.means * np.float32(factors), quats=np.roll(xyzw, 1, axis=1), scales=scales
    )
