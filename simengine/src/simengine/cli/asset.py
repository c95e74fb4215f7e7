"""Look into reconstructed scenes, check them, convert them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from simengine.errors import AssetError
from simengine.render.assets.formats import READERS, read_asset, write_asset
from simengine.render.assets.summary import doubts, summarize

EXAMPLE = """examples:
  simengine asset info data/sim_engine/assets/navtest_failures/assets/<asset_id>
  simengine asset check scenes/*.npz
  simengine asset convert scene.ckpt scene.npz
  simengine asset convert scene.ckpt car.ply --node object_3_1b2c

A file is read by its ending: .ckpt (released assets), .npz (ours, a fifth of the size or less), .ply (3DGS); see
docs/assets.md"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine asset`."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    endings = ", ".join(READERS)
    info = verbs.add_parser("info", help="print the nodes of an asset")
    info.add_argument("files", type=Path, nargs="+", metavar="FILE", help=f"{endings}, or an asset's folder")
    check = verbs.add_parser("check", help="read assets whole; exit code 1 if one cannot be used")
    check.add_argument("files", type=Path, nargs="+", metavar="FILE", help=f"{endings}, or an asset's folder")
    convert = verbs.add_parser("convert", help="write an asset in another format")
    convert.add_argument("source", type=Path, metavar="FROM", help=f"{endings}, or an asset's folder")
    convert.add_argument("target", type=Path, metavar="TO", help=endings)
    convert.add_argument(
        "--node", default=None, metavar="NAME", help="write only this node, in its frame (.ply)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Do what the verb says; exit code 1 if `check` found a file that cannot be used."""
    if arguments.verb == "convert":
        return _convert(arguments.source, arguments.target, arguments.node)
    return {"info": _info, "check": _check}[arguments.verb](arguments.files)


def _info(files: list[Path]) -> int:
    console = Console()
    for path in files:
        asset = read_asset(path)
        east, north, up = asset.recon2world
        table = Table(title=str(path), title_justify="left", box=SIMPLE, pad_edge=False)
        table.add_column("node", overflow="fold")
        for column in ("type", "SH", "frames", "extent [m]"):
            table.add_column(column.replace("[", r"\["), no_wrap=True)
        for column in ("Gaussians", "MiB"):
            table.add_column(column, justify="right", no_wrap=True)
        rows = [summarize(node) for node in asset.nodes]
        for row in rows:
            extent = " x ".join(f"{size:.1f}" if size < 100.0 else f"{size:.0f}" for size in row.extent)
            table.add_row(
                row.name,
                row.kind,
                str(row.degree),
                row.frames,
                extent,
                f"{row.count:,}",
                _mib(row.nbytes),
            )
        table.add_section()
        total = sum(row.nbytes for row in rows)
        table.add_row("total", "", "", "", "", f"{asset.num_gaussians:,}", _mib(total))
        console.print(table)
        ground = "with" if asset.height_map is not None else "without"
        size = f"{_mib(path.stat().st_size)} MiB on disk, " if path.is_file() else ""
        console.print(f"{size}origin ({east:.2f}, {north:.2f}, {up:.2f}) m on the map, {ground} height map\n")
    return 0


def _check(files: list[Path]) -> int:
    failed = 0
    for path in files:
        try:
            asset = read_asset(path)
        except AssetError as error:
            failed += 1
            print(error, file=sys.stderr)
            continue
        for sentence in doubts(asset):
            print(f"{path}: {sentence}")
        print(f"{path}: good, {len(asset.nodes)} nodes, {asset.num_gaussians:,} Gaussians")
    return 1 if failed else 0


def _convert(source: Path, target: Path, node: str | None) -> int:
    note = write_asset(target, read_asset(source), node)
    if note:
        print(note)
    before = source.stat().st_size if source.is_file() else None
    sizes = f" ({_mib(before)} -> {_mib(target.stat().st_size)} MiB)" if before else ""
    print(f"wrote {target}{sizes}")
    return 0


def _mib(count: int) -> str:
    return f"{count / 2**20:.2f}"
