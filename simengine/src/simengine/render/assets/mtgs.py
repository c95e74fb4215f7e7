"""The released assets: `<asset_id>/background/<asset_id>.ckpt`, a dictionary of nodes saved by torch.

Each node is `{"config": dict, "state_dict": dict}`; see docs/assets.md for the tensors and what each means.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from simengine.errors import AssetError
from simengine.render.assets.asset import Asset, AssetNode, NodeKind
from simengine.render.assets.height_map import read_height_map
from simengine.render.assets.mtgs_node import REMEDY, NodeReader
from simengine.render.assets.torch_archive import read_torch

KINDS = {
    "VanillaGaussianSplattingModel": NodeKind.BACKGROUND,
    "SkyboxGaussianSplattingModel": NodeKind.SKY,
    "RigidSubModel": NodeKind.RIGID,
    "MirroredRigidSubModel": NodeKind.MIRRORED,
}
_LOG = logging.getLogger(__name__)


def read_checkpoint(path: Path) -> Asset:
    """Return the asset in a `.ckpt`; nodes of an unknown type are left out with a warning in the log.

    The height map is read too if `road_height_map` lies beside the folder of the file.

    Raises:
        AssetError: the file is missing, damaged, holds code, or a node is not as the layout says.
    """
    path = Path(path)
    content = read_torch(path)
    if not isinstance(content, Mapping) or not content:
        raise AssetError(
            f"{path}: holds a {type(content).__name__}, expected a dict of nodes with config and state_dict: {REMEDY}"
        )
    nodes, shift = [], None
    for name, entry in content.items():
        where = f"{path}: node {name!r}"
        try:
            node = _read_node(where, str(name), entry)
            if node is not None and node.kind is NodeKind.BACKGROUND and shift is None:
                shift = _recon2world(path, entry["config"])
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise AssetError(
                f"{where}: is malformed ({type(error).__name__}: {error}), expected config and state_dict of the "
                f"layout: {REMEDY}"
            ) from None
        nodes += [node] if node is not None else []
    if shift is None:
        raise AssetError(f"{path}: has no background, expected a node of type {next(iter(KINDS))}: {REMEDY}")
    return Asset(tuple(nodes), shift, read_height_map(path.parent.parent / "road_height_map"))


def _read_node(where: str, name: str, entry: object) -> AssetNode | None:
    """Return one node, None with a warning if it is of a type that cannot be drawn."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("config"), Mapping):
        raise AssetError(f"{where} has no config, expected config and state_dict: {REMEDY}")
    config = entry["config"]
    kind = KINDS.get(str(config.get("type")))
    if kind is None:
        _LOG.warning(
            "%s of type %s is left out, only %s can be drawn", where, config.get("type"), ", ".join(KINDS)
        )
        return None
    return NodeReader(where, config, entry.get("state_dict")).node(name, kind)


def _recon2world(path: Path, config: Mapping) -> np.ndarray:
    given = np.asarray(config.get("recon2world_translation", np.zeros(3)))
    if given.size != 3 or given.dtype.kind not in "fiu" or not np.isfinite(given).all():
        raise AssetError(
            f"{path}: recon2world_translation is {given.tolist()}, expected three metres: {REMEDY}"
        )
    return given.astype(np.float64).reshape(3)
