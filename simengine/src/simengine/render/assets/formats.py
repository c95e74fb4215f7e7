"""Which file holds an asset, and how it is read and written by its ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simengine.errors import AssetError
from simengine.render.assets.asset import Asset
from simengine.render.assets.compact import read_compact, write_compact
from simengine.render.assets.mtgs import read_checkpoint
from simengine.render.assets.mtgs_writer import write_checkpoint
from simengine.render.assets.ply import read_ply, write_ply

READERS: dict[str, Callable[[Path], Asset]] = {
    ".ckpt": read_checkpoint,
    ".ply": read_ply,
    ".npz": read_compact,
}
_WHOLE: dict[str, Callable[[Path, Asset], None]] = {".ckpt": write_checkpoint, ".npz": write_compact}
_VARIANT = 4
"""Length of a suffix `-NNN` that tells variants of one scenario apart; they share an asset."""


def read_asset(path: Path) -> Asset:
    """Return the asset in a file, or in the folder of one released asset.

    Raises:
        AssetError: there is no such file, its ending is unknown, or its reader refuses it.
    """
    path = Path(path)
    if path.is_dir():
        found = find_asset(path.parent, path.name)
        if found is None:
            raise AssetError(
                f"{path}: has no background/{path.name}.ckpt, expected the folder of one asset: check the path"
            )
        path = found
    return _choose(path, READERS)(path)


def write_asset(path: Path, asset: Asset, node: str | None = None) -> str:
    """Write `asset` to a .npz, .ckpt or .ply and return a note on what was left out, "" if nothing was.

    Args:
        path: its ending decides.
        asset: to write.
        node: of a .ply the only node to write; None for background and sky.

    Raises:
        AssetError: the ending is unknown, or the format cannot hold what is asked for.
    """
    path = Path(path)
    _choose(path, READERS)
    if path.suffix in _WHOLE:
        if node is not None:
            raise AssetError(
                f"{path}: a {path.suffix} holds all nodes, expected no --node: choose .ply for one node"
            )
        _WHOLE[path.suffix](path, asset)
        return ""
    write_ply(path, asset, node)
    left = len(asset.objects) if node is None else 0
    return (
        f"{left} objects have no place in a .ply and were left out; --node writes one of them" if left else ""
    )


def _choose(path: Path, table: dict[str, Callable]) -> Callable:
    if path.suffix not in table:
        raise AssetError(f"{path}: ends in {path.suffix!r}, expected one of {', '.join(table)}: rename it")
    return table[path.suffix]


def find_asset(root: Path, asset_id: str) -> Path | None:
    """Return the file of an asset below `root`, None if there is none.

    Looked for are, in this order, `<id>/background/<id>.ckpt` and `.npz`, `<id>.npz` and `<id>.ply`; for `<id>` the id
    as it is, then less a suffix `-NNN`. `root` may also be the folder above, which holds `assets`.
    """
    names = [asset_id]
    if len(asset_id) > _VARIANT and asset_id[-_VARIANT] == "-":
        names.append(asset_id[:-_VARIANT])
    for folder in (root, root / "assets"):
        for name in names:
            inner = folder / name / "background"
            for path in (
                inner / f"{name}.ckpt",
                inner / f"{name}.npz",
                folder / f"{name}.npz",
                folder / f"{name}.ply",
            ):
                if path.is_file():
                    return path
    return None
