"""Our own file of an asset: one .npz with quantised Gaussians, and nodes, poses and heights without loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from simengine.errors import AssetError, ScenarioFormatError
from simengine.files.arrays import read_arrays, write_arrays
from simengine.render.assets.asset import Asset, AssetNode, FourierColor, LogPoses, NodeKind
from simengine.render.assets.height_map import HeightMap
from simengine.render.assets.quantize import quantized, restored

FORMAT = "simengine-asset"
VERSION = 1
_FOURIER_STEP = 1.0 / 64.0
_DAMAGED = (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError)


def write_compact(path: Path, asset: Asset) -> None:
    """Write `asset`; Gaussians lose what `quantize.py` says, everything else nothing."""
    arrays: dict[str, np.ndarray] = {"recon2world": asset.recon2world}
    nodes = []
    for index, node in enumerate(asset.nodes):
        own, order = quantized(node.gaussians)
        entry: dict = {"name": node.name, "kind": node.kind.value, "turns_colors": node.turns_colors}
        if node.log is not None:
            own |= {"log_quats": node.log.quats, "log_trans": node.log.trans}
            if node.log.timestamps_us is not None:
                own["log_timestamps_us"] = node.log.timestamps_us
        if node.fourier is not None:
            own["fourier"] = _fourier_numbers(node.fourier.dc[order])
            entry["fourier"] = {
                "scale": node.fourier.scale,
                "in_space": node.fourier.in_space,
                "is_logit": node.fourier.is_logit,
            }
        arrays |= {f"{index}/{key}": array for key, array in own.items()}
        nodes.append(entry)
    header: dict = {"format": FORMAT, "version": VERSION, "nodes": nodes}
    if asset.height_map is not None:
        ground = asset.height_map
        arrays |= {"heights": ground.heights, "heights_rotation": ground.rotation}
        arrays["heights_translation"] = ground.translation
        header["heights_scale"] = ground.scale
    write_arrays(path, header, arrays)


def read_compact(path: Path) -> Asset:
    """Return the asset of a file of `write_compact`.

    Raises:
        AssetError: the file is missing, damaged, of another format or version, or not consistent.
    """
    try:
        header, arrays = read_arrays(path, FORMAT, VERSION)
    except ScenarioFormatError as error:
        raise AssetError(str(error)) from None
    except MemoryError:
        raise AssetError(
            f"{path}: claims arrays that fit no memory, expected an asset: make or copy it again"
        ) from None
    try:
        nodes = tuple(_node(entry, _part(arrays, f"{k}/")) for k, entry in enumerate(header["nodes"]))
        asset = Asset(nodes, _finite(arrays["recon2world"], (3,)), _heights(header, arrays))
    except (AssetError, *_DAMAGED) as error:
        raise AssetError(
            f"{path}: is not consistent ({type(error).__name__}: {error}), expected a file of `simengine asset "
            "convert`: make it again"
        ) from None
    return asset


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)}


def _node(entry: Mapping, arrays: Mapping[str, np.ndarray]) -> AssetNode:
    with np.errstate(over="ignore", invalid="ignore"):
        gaussians = restored(arrays)
    for name in ("means", "quats", "scales", "opacities", "sh"):
        if not np.isfinite(getattr(gaussians, name)).all():
            raise ValueError(f"{name} of node {entry['name']} are not finite")
    log = None
    if "log_trans" in arrays:
        frames = len(arrays["log_trans"])
        times = arrays.get("log_timestamps_us")
        if times is not None and (times.shape != (frames,) or (np.diff(times) <= 0).any()):
            raise ValueError(f"times of node {entry['name']} do not rise")
        log = LogPoses(
            _finite(arrays["log_quats"], (frames, 4)), _finite(arrays["log_trans"], (frames, 3)), times
        )
    fourier = None
    if "fourier" in arrays:
        dc = arrays["fourier"].astype(np.float32) * _FOURIER_STEP
        if dc.ndim != 3 or dc.shape[::2] != (len(gaussians), 3):
            raise ValueError(f"the series of node {entry['name']} has shape {dc.shape}")
        options = entry["fourier"]
        fourier = FourierColor(
            dc, float(options["scale"]), bool(options["in_space"]), bool(options["is_logit"])
        )
    return AssetNode(
        str(entry["name"]), NodeKind(entry["kind"]), gaussians, log, fourier, bool(entry["turns_colors"])
    )


def _finite(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"an array of shape {array.shape} where {shape} finite numbers belong")
    return array.astype(np.float64)


def _fourier_numbers(dc: np.ndarray) -> np.ndarray:
    numbers = np.rint(np.asarray(dc, np.float64) / _FOURIER_STEP)
    kind = np.int8 if np.abs(numbers).max(initial=0) <= 127 else np.int16
    return np.clip(numbers, -32767, 32767).astype(kind)


def _heights(header: Mapping, arrays: Mapping[str, np.ndarray]) -> HeightMap | None:
    if "heights" not in arrays:
        return None
    if arrays["heights"].ndim != 2:
        raise ValueError("heights are no grid")
    return HeightMap(
        arrays["heights"].astype(np.float32),
        _finite(arrays["heights_rotation"], (2, 2)),
        _finite(arrays["heights_translation"], (2,)),
        float(header["heights_scale"]),
    )
