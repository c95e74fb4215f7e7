"""Objects of an asset made ready to be posed: mirrored ones whole, colours in the axes they will be shown in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

import numpy as np

from simengine.render import sh
from simengine.render.assets.asset import Asset, AssetNode, FourierColor, LogPoses, NodeKind
from simengine.render.assets.ground import Contacts
from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.scene import BACKGROUND, SKY, SplatNode


@dataclass(frozen=True, eq=False)
class PosableObject:
    """An object that needs but a pose.

    Attributes:
        gaussians: whole, in a frame whose pose will be given.
        log: of the box centre.
        fourier: base colour that changes, of all Gaussians.
    """

    gaussians: FlatGaussians
    log: LogPoses | None
    fourier: FourierColor | None

    def at(self, x: float | np.floating) -> FlatGaussians:
        """Return the Gaussians with the base colour at argument `x` of its series, if it has one."""
        if self.fourier is None:
            return self.gaussians
        coefficients = self.gaussians.sh.copy()
        coefficients[:, 0] = self.fourier.at(x)
        return replace(self.gaussians, sh=coefficients)


def in_scene_axes(node: AssetNode) -> PosableObject:
    """Return an object as published: colours stay in axes of the scene, mirrored at its x-z plane; origin as stored."""
    return _whole(node, node.gaussians)


def in_node_axes(node: AssetNode, height: float | None = None) -> PosableObject:
    """Return an object whose colours are in its own axes and whose origin is on the ground below its box.

    Colours that were learned in axes of the scene are turned back by the rotation of the object in its log: by
    the one nearest to its mean heading, where it was seen most.

    Args:
        node: an object.
        height: of its box [m]; None takes it from its Gaussians.
    """
    flat = node.gaussians
    if not node.turns_colors and node.log is not None and len(node.log.present):
        flat = replace(flat, sh=sh.turned(flat.sh, usual_rotation(node.log).T))
    whole = _whole(node, flat)
    drop = np.array([0.0, 0.0, height_below(node, height)], np.float32)
    return replace(whole, gaussians=replace(whole.gaussians, means=whole.gaussians.means + drop))


def height_below(node: AssetNode, height: float | None) -> float:
    """Return how far the ground is below the origin of an object [m]: half its box, else to its lowest Gaussians."""
    if height is not None:
        return 0.5 * height
    means = node.gaussians.means
    return max(-float(np.quantile(means[:, 2], 0.01)), 0.0) if len(means) else 0.0


def track_of(node: AssetNode, tracks: Collection[str]) -> str:
    """Return the track an object belongs to: the longest end of its name, after an underscore, that is one.

    Real tokens hold no underscore, so it is what follows the last one; ids of other sources may hold some.
    """
    words = node.name.split("_")
    ends = ("_".join(words[k:]) for k in range(len(words)))
    return next((end for end in ends if end in tracks), node.token)


def usual_rotation(log: LogPoses) -> np.ndarray:
    """Return the rotation (3, 3) of the frame whose heading is nearest to the mean heading."""
    yaws = log.yaws[log.present]
    mean = np.arctan2(np.sin(yaws).sum(), np.cos(yaws).sum())
    return log.rotations[log.present[np.argmax(np.cos(yaws - mean))]]


def contacts_of(log: LogPoses, below: float) -> Contacts:
    """Return where an object stood whose origin was `below` metres above the ground."""
    points = log.trans[log.present] - [0.0, 0.0, below]
    return Contacts(points, log.rotations[log.present][:, :, 2])


def still_nodes(asset: Asset) -> dict[str, SplatNode]:
    """Return background and sky as static nodes that share the memory of `Asset.still`."""
    count = sum(len(node.gaussians) for node in asset.nodes if node.kind is NodeKind.BACKGROUND)
    still = asset.still
    parts = {BACKGROUND: slice(None, count), SKY: slice(count, None)}
    return {
        name: SplatNode(
            name,
            FlatGaussians(*(getattr(still, item.name)[rows] for item in fields(FlatGaussians))),
            is_static=True,
        )
        for name, rows in parts.items()
    }


def _whole(node: AssetNode, flat: FlatGaussians) -> PosableObject:
    if node.kind is not NodeKind.MIRRORED:
        return PosableObject(flat, node.log, node.fourier)
    other = replace(
        flat,
        means=flat.means * np.float32([1, -1, 1]),
        quats=flat.quats * np.float32([1, -1, 1, -1]),
        sh=sh.mirrored(flat.sh),
    )
    fourier = node.fourier
    if fourier is not None:
        fourier = replace(fourier, dc=np.concatenate([fourier.dc, fourier.dc]))
    return PosableObject(concatenate([flat, other]), node.log, fourier)
