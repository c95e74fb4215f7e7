"""What an asset consists of, and what about it deserves a second look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simengine.render.assets.asset import Asset, AssetNode

_LARGE_OBJECT = 30.0


@dataclass(frozen=True)
class NodeSummary:
    """One row of `simengine asset info`.

    Attributes:
        name: of the node.
        kind: what it is.
        count: number of Gaussians.
        degree: of its colours.
        frames: poses in its log, and in how many of them it is there; "" without a log.
        extent: (3,) size of the box around 98 % of the centres along each axis [m].
        nbytes: in memory.
    """

    name: str
    kind: str
    count: int
    degree: int
    frames: str
    extent: np.ndarray
    nbytes: int


def summarize(node: AssetNode) -> NodeSummary:
    """Return the summary of a node."""
    flat, frames = node.gaussians, ""
    if node.log is not None:
        frames = "static" if node.log.is_static else f"{len(node.log.present)} of {len(node.log.trans)}"
    extent = np.zeros(3)
    if len(flat):
        low, high = np.quantile(flat.means, (0.01, 0.99), axis=0)
        extent = high - low
    nbytes = flat.nbytes
    nbytes += node.fourier.dc.nbytes if node.fourier is not None else 0
    return NodeSummary(node.name, node.kind.value, len(flat), flat.sh_degree, frames, extent, nbytes)


def doubts(asset: Asset) -> Iterator[str]:
    """Yield sentences on what can be drawn but is probably not meant."""
    for node in asset.nodes:
        summary = summarize(node)
        if not summary.count:
            yield f"node {node.name} has no Gaussians"
        if node.kind.is_object and node.log is None:
            yield f"node {node.name} has no log poses: it is drawn only where a simulation puts it"
        if node.log is not None and not len(node.log.present):
            yield f"node {node.name} is absent in all its frames"
        if node.kind.is_object and summary.extent.max() > _LARGE_OBJECT:
            yield f"node {node.name} is {summary.extent.max():.0f} m long: is it in its box frame?"
    for token, times in Counter(node.token for node in asset.objects).items():
        if times > 1:
            yield f"{times} nodes belong to the track {token}: all of them are drawn"
