"""Writes an asset in the released layout, so that the original's renderer can draw it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from scipy.special import logit

from simengine.errors import AssetError
from simengine.files.atomic import write_atomically
from simengine.render.assets.asset import Asset, AssetNode, NodeKind
from simengine.render.assets.height_map import HeightMap
from simengine.render.assets.mtgs import KINDS
from simengine.render.assets.mtgs_node import TURNS_COLORS
from simengine.render.assets.torch_writer import torch_bytes

_TYPES = {kind: name for name, kind in KINDS.items()}
_NAMES = {NodeKind.BACKGROUND: "background", NodeKind.SKY: "skybox"}
_SHARPEST = 1e-7
_THINNEST = 1e-12


def write_checkpoint(path: Path, asset: Asset) -> None:
    """Write `asset` as a `.ckpt`, and its height map to `road_height_map/` beside the folder of the file.

    Nothing is lost but opacities within 1e-7 of 0 and 1. Background and sky get the names that the layout has for them.
    Colours of degree 0 are written as degree 1 with zeros: degree 0 would mean a sigmoid there, which cannot show
    colours outside 0..1.

    Raises:
        AssetError: there is not one background, or a series of colours is of a kind the layout lacks.
    """
    path = Path(path)
    content = {_NAMES.get(node.kind, node.name): _entry(node) for node in asset.nodes}
    counts = [sum(node.kind is kind for node in asset.nodes) for kind in _NAMES]
    if counts[0] != 1 or counts[1] > 1:
        raise AssetError(
            f"{path}: the asset has {counts[0]} backgrounds and {counts[1]} skies, expected one and at most one in a "
            ".ckpt: choose .npz"
        )
    content[_NAMES[NodeKind.BACKGROUND]]["config"]["recon2world_translation"] = np.asarray(
        asset.recon2world, np.float64
    )
    write_atomically(path, torch_bytes(content))
    if asset.height_map is not None:
        _write_heights(path.parent.parent / "road_height_map", asset.height_map)


def _entry(node: AssetNode) -> dict:
    flat = node.gaussians
    bands = flat.sh if flat.sh_degree else np.pad(flat.sh, ((0, 0), (0, 3), (0, 0)))
    config: dict = {
        "type": _TYPES[node.kind],
        "sh_degree": int(np.sqrt(bands.shape[1])) - 1,
        "scale_dim": 3,
        TURNS_COLORS: node.turns_colors,
    }
    dc = bands[:, 0]
    if node.fourier is not None:
        if node.fourier.is_logit:
            raise AssetError(
                f"node {node.name} has a series of logits, expected coefficients in a .ckpt: choose .npz"
            )
        dc = node.fourier.dc
        config["fourier_features_dim"] = int(dc.shape[1])
        config["fourier_features_scale"] = float(node.fourier.scale)
        config["fourier_in_space"] = "spatial" if node.fourier.in_space else "temporal"
    tensors = {
        "means": flat.means,
        "scales": np.log(np.maximum(flat.scales, _THINNEST)),
        "quats": flat.quats,
        "opacities": logit(np.clip(flat.opacities.astype(np.float64), _SHARPEST, 1.0 - _SHARPEST))[:, None],
        "features_dc": dc,
        "features_rest": bands[:, 1:],
    }
    state = {f"gauss_params.{name}": np.asarray(value, np.float32) for name, value in tensors.items()}
    if node.log is not None:
        rows = 0 if node.log.is_static else slice(None)
        state["instance_quats"] = np.asarray(node.log.quats[rows], np.float32)
        state["instance_trans"] = np.asarray(node.log.trans[rows], np.float32)
        if node.log.timestamps_us is not None:
            config["log_timestamps"] = np.asarray(node.log.timestamps_us, np.int64)
    return {"config": config, "state_dict": state}


def _write_heights(folder: Path, ground: HeightMap) -> None:
    buffer = io.BytesIO()
    np.save(buffer, ground.heights)
    write_atomically(folder / "road_height_map.npy", buffer.getvalue())
    sim2 = {"R": ground.rotation.ravel().tolist(), "t": ground.translation.tolist(), "s": ground.scale}
    write_atomically(folder / "sim2.json", json.dumps(sim2).encode())
