"""A reconstructed scene in memory: nodes as the released assets know them, whatever file they came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np
from scipy.special import expit

from simengine.errors import AssetError
from simengine.geometry.se3 import quaternion_from_rotation, rotation_from_quaternion
from simengine.render import sh
from simengine.render.assets.height_map import HeightMap
from simengine.render.gaussians import FlatGaussians, concatenate

ABSENT_Z = 1000.0
"""Where an object is not there, its log has a height of at least this [m]."""


class NodeKind(str, Enum):
    """What a node shows and how it stands in the scene."""

    BACKGROUND = "background"
    SKY = "sky"
    RIGID = "rigid"
    MIRRORED = "mirrored"

    @property
    def is_object(self) -> bool:
        """Whether it has a frame of its own."""
        return self in (NodeKind.RIGID, NodeKind.MIRRORED)


@dataclass(frozen=True, eq=False)
class LogPoses:
    """Where an object stood in the log it was reconstructed from: `scene_from_node` of its box centre.

    Attributes:
        quats: (F, 4) wxyz.
        trans: (F, 3) [m]; z >= 1000 where the object was absent.
        timestamps_us: (F,) int64, rising; None for an object that never moved, F = 1.
    """

    quats: np.ndarray
    trans: np.ndarray
    timestamps_us: np.ndarray | None = None

    @classmethod
    def from_matrices(cls, poses: np.ndarray, timestamps_us: np.ndarray | None = None) -> LogPoses:
        """Return the log of transforms (F, 3 or 4, 4)."""
        quats = np.stack([quaternion_from_rotation(pose[:3, :3]) for pose in poses])
        return cls(quats, np.array(poses[:, :3, 3], np.float64), timestamps_us)

    @property
    def is_static(self) -> bool:
        """Whether the object never moved."""
        return self.timestamps_us is None

    @cached_property
    def present(self) -> np.ndarray:
        """Frames (P,) in which the object was there."""
        return np.flatnonzero(self.trans[:, 2] < ABSENT_Z)

    @cached_property
    def rotations(self) -> np.ndarray:
        """Rotations (F, 3, 3)."""
        return rotation_from_quaternion(self.quats)

    @cached_property
    def yaws(self) -> np.ndarray:
        """Headings (F,) [rad]."""
        return np.arctan2(self.rotations[:, 1, 0], self.rotations[:, 0, 0])

    def nearest(self, xy: np.ndarray) -> int:
        """Return the frame, among those in which the object was there, whose place is nearest to `xy` (2,)."""
        distance = np.linalg.norm(self.trans[self.present, :2] - xy, axis=1)
        return int(self.present[np.argmin(distance)])


@dataclass(frozen=True, eq=False)
class FourierColor:
    """The base colour of an object as a series in time, or in the direction it is seen from.

    Attributes:
        dc: (N, F, 3) float32 coefficients.
        scale: factor of the argument.
        in_space: whether the argument is a direction; else it is time.
        is_logit: whether the sum is the logit of a colour; else it is the coefficient of band 0.
    """

    dc: np.ndarray
    scale: float = 1.0
    in_space: bool = False
    is_logit: bool = False

    def at(self, x: float | np.floating) -> np.ndarray:
        """Return coefficients of band 0 (N, 3) float32 at argument `x`, computed in the precision of `x`."""
        basis = fourier_basis(
            x * np.asarray(self.scale, np.asarray(x).dtype), self.dc.shape[1], self.in_space
        )
        total = np.einsum("f,nfc->nc", basis.astype(np.float32), self.dc)
        return band_zero(total) if self.is_logit else total


def fourier_basis(x: float | np.floating, count: int, in_space: bool) -> np.ndarray:
    """Return the values (count,) of 1, sin, cos, sin, cos, ... of MTGS at `x`.

    Term k is cos(w k x) for even k and sin(w (k + 1) x) for odd k, where w is 1 in space and 2 pi / count in time.
    """
    k = np.arange(count)
    angle = np.asarray(x) * np.where(k % 2, k + 1, k).astype(np.asarray(x).dtype)
    if not in_space:
        # In this order, because single precision at times in microseconds leaves little else of the angle.
        angle = angle * angle.dtype.type(2) * angle.dtype.type(np.pi) / angle.dtype.type(count)
    return np.where(k % 2, np.sin(angle), np.cos(angle))


def band_zero(logits: np.ndarray) -> np.ndarray:
    """Return coefficients of band 0, shaped like `logits`, that show colours sigmoid(logits)."""
    return ((expit(np.asarray(logits, np.float64)) - 0.5) / sh.C0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class AssetNode:
    """Gaussians that move together.

    Attributes:
        name: as in the file; objects end in `_<track token>`.
        kind: what it is.
        gaussians: background and sky in the frame of the scene; objects in their box frame, x forward, y left,
            z up, origin in the centre of the box; of a mirrored object one half.
        log: where the object stood; None where the file does not say, and for background and sky.
        fourier: base colour that changes; None for a constant one.
        turns_colors: whether the colour coefficients are in axes of the node; those of released assets are in axes
            of the scene.
    """

    name: str
    kind: NodeKind
    gaussians: FlatGaussians
    log: LogPoses | None = None
    fourier: FourierColor | None = None
    turns_colors: bool = False

    @property
    def token(self) -> str:
        """Track that an object belongs to."""
        return self.name.rsplit("_", 1)[-1]


@dataclass(frozen=True, eq=False)
class Asset:
    """A reconstructed scene.

    Attributes:
        nodes: in the order of the file.
        recon2world: (3,) float64, added to the scene frame it gives map coordinates [m].
        height_map: heights of the road in the scene frame, if there are any.
    """

    nodes: tuple[AssetNode, ...]
    recon2world: np.ndarray = field(default_factory=lambda: np.zeros(3))
    height_map: HeightMap | None = None

    def __post_init__(self) -> None:
        names = [node.name for node in self.nodes]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise AssetError(f"the asset has two nodes {twice!r}, expected one: rename or leave one out")

    @property
    def objects(self) -> tuple[AssetNode, ...]:
        """Nodes that have a frame of their own."""
        return tuple(node for node in self.nodes if node.kind.is_object)

    @cached_property
    def still(self) -> FlatGaussians:
        """All Gaussians of the background, then those of the sky, in the frame of the scene."""
        kinds = (NodeKind.BACKGROUND, NodeKind.SKY)
        return concatenate([node.gaussians for kind in kinds for node in self.nodes if node.kind is kind])

    @property
    def num_gaussians(self) -> int:
        """Number of Gaussians over all nodes."""
        return sum(len(node.gaussians) for node in self.nodes)
