"""Gaussians in .ply files as 3DGS trainers and viewers write them.

Columns x y z nx ny nz f_dc_* f_rest_* opacity scale_* rot_*: opacities are logits, scales natural logarithms,
rotations wxyz, and f_rest runs over the bands of red first, then green, then blue.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.special import expit, logit

from simengine.errors import AssetError
from simengine.files.atomic import write_atomically
from simengine.render.assets.asset import Asset, AssetNode, NodeKind
from simengine.render.assets.ply_table import read_vertices, vertices_bytes
from simengine.render.gaussians import MAX_SH_DEGREE, FlatGaussians, concatenate

_ORIGIN = "recon2world_translation"
_NEEDED = (
    "x",
    "y",
    "z",
    "f_dc_0",
    "f_dc_1",
    "f_dc_2",
    "opacity",
    "scale_0",
    "rot_0",
    "rot_1",
    "rot_2",
    "rot_3",
)
_SHARPEST_OPACITY = 1.0 - 2.0**-24
_THINNEST = 1e-12


def read_ply(path: Path) -> Asset:
    """Return the Gaussians of a .ply as the background of an asset.

    Numbers may be of any type, extra columns are ignored. A comment `recon2world_translation x y z`, which
    `write_ply` leaves, places it on the map.

    Raises:
        AssetError: the file is unreadable, holds points without Gaussians, or numbers that are not finite.
    """
    columns, comments = read_vertices(path)
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        what = "compressed Gaussians" if "packed_position" in columns else f"no {missing[0]}"
        raise AssetError(
            f"{path}: its vertices have {what} but {', '.join(list(columns)[:6])}, expected Gaussians with "
            "f_dc_*, opacity, scale_* and rot_*: export the splats, not points"
        )
    gaussians = _gaussians(path, columns)
    return Asset((AssetNode("background", NodeKind.BACKGROUND, gaussians),), _origin(path, comments))


def _gaussians(path: Path, columns: Mapping[str, np.ndarray]) -> FlatGaussians:
    def stacked(*names: str) -> np.ndarray:
        with np.errstate(over="ignore"):
            table = np.stack([columns[name].astype(np.float32) for name in names], axis=1)
        if not np.isfinite(table).all():
            raise AssetError(
                f"{path}: {names[0]} to {names[-1]} hold NaN or infinity, expected finite numbers: export it again"
            )
        return table

    rest = sorted(
        (name for name in columns if name.startswith("f_rest_") and name[7:].isdigit()),
        key=lambda name: int(name[7:]),
    )
    bands = len(rest) // 3
    if 3 * bands != len(rest) or bands + 1 not in [(d + 1) ** 2 for d in range(MAX_SH_DEGREE + 1)]:
        raise AssetError(
            f"{path}: has {len(rest)} columns f_rest_*, expected 0, 9, 24 or 45: export it again"
        )
    coefficients = stacked("f_dc_0", "f_dc_1", "f_dc_2")[:, None]
    if rest:
        by_channel = stacked(*rest).reshape(-1, 3, bands)
        coefficients = np.concatenate([coefficients, np.swapaxes(by_channel, 1, 2)], axis=1)
    axes = [name for name in ("scale_0", "scale_1", "scale_2") if name in columns]
    if len(axes) == 2:
        raise AssetError(
            f"{path}: has scale_0 and scale_1 only, expected 3-D Gaussians with scale_2: these are discs"
        )
    quats = stacked("rot_0", "rot_1", "rot_2", "rot_3")
    norm = np.linalg.norm(quats, axis=1, keepdims=True)
    return FlatGaussians(
        means=stacked("x", "y", "z"),
        quats=np.where(norm > 0, quats / np.where(norm > 0, norm, 1.0), [1.0, 0.0, 0.0, 0.0]),
        scales=np.broadcast_to(np.exp(np.minimum(stacked(*axes), 80.0)), (len(quats), 3)),
        opacities=expit(stacked("opacity")[:, 0]),
        sh=coefficients,
    )


def _origin(path: Path, comments: tuple[str, ...]) -> np.ndarray:
    for comment in comments:
        if comment.startswith(_ORIGIN):
            try:
                return np.array([float(word) for word in comment.split()[1:]]).reshape(3)
            except ValueError:
                raise AssetError(f"{path}: its comment is {comment!r}, expected three metres") from None
    return np.zeros(3)


def write_ply(path: Path, asset: Asset, node: str | None = None) -> int:
    """Write the background and sky of `asset`, or its node `node` in its own frame; return how many Gaussians.

    Opacities of 1 become the largest logit that float32 can tell from 1. Poses and changing colours have no
    place in such a file.

    Raises:
        AssetError: there is no such node, or nothing to write.
    """
    chosen = [n for n in asset.nodes if (n.name == node if node is not None else not n.kind.is_object)]
    gaussians = concatenate([n.gaussians for n in chosen])
    if not len(gaussians):
        have = ", ".join(n.name for n in asset.nodes[:8])
        raise AssetError(
            f"there is nothing to write for node {node or 'background'!r}, expected one of {have}"
        )
    comments = (
        () if node is not None else (f"{_ORIGIN} {' '.join(repr(float(x)) for x in asset.recon2world)}",)
    )
    write_atomically(path, gaussians_bytes(gaussians, comments))
    return len(gaussians)


def gaussians_bytes(gaussians: FlatGaussians, comments: tuple[str, ...] = ()) -> bytes:
    """Return Gaussians as the content of a .ply."""
    zero = np.zeros(len(gaussians), np.float32)
    columns = dict(zip("xyz", gaussians.means.T, strict=True)) | {"nx": zero, "ny": zero, "nz": zero}
    by_channel = np.swapaxes(gaussians.sh[:, 1:], 1, 2).reshape(len(gaussians), -1)
    columns |= {f"f_dc_{k}": gaussians.sh[:, 0, k] for k in range(3)}
    columns |= {f"f_rest_{k}": column for k, column in enumerate(by_channel.T)}
    opacities = np.clip(gaussians.opacities.astype(np.float64), 1e-9, _SHARPEST_OPACITY)
    columns["opacity"] = logit(opacities)
    columns |= {f"scale_{k}": np.log(np.maximum(gaussians.scales[:, k], _THINNEST)) for k in range(3)}
    columns |= {f"rot_{k}": gaussians.quats[:, k] for k in range(4)}
    return vertices_bytes(columns, comments)
