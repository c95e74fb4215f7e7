"""Look after training data: `data check` says what is there and what is missing."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """examples:
  algengine data check worldengine/e2e_vadv2_50pct        # what this config needs
  algengine data check vadv2_demo
  algengine data check /data/worldengine                  # a root in the original's layout
  algengine data check ROOT --config simscale/e2e_vadv2_simscale_co_train_pdm_1round_8epoch
"""
FULL_CONFIG = "navformer/e2e_hydramdp"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "action", choices=("check",), help="check: walk through infos, splits, sensors, caches"
    )
    parser.add_argument("target", metavar="CONFIG_OR_ROOT", help="a config, or a folder as WORLDENGINE_ROOT")
    parser.add_argument(
        "--config", default=FULL_CONFIG, help=f"with ROOT: whose data to look for (default: {FULL_CONFIG})"
    )
    parser.add_argument(
        "--examples", type=int, default=3, metavar="N", help="missing things to name (default: 3)"
    )
    parser.add_argument(
        "--cfg-options", nargs="*", default=[], metavar="KEY=VALUE", help="override keys of the config"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Print the table; exit code 1 if something needed is missing."""
    from rich.console import Console
    from rich.table import Table

    from algengine.datasets.openscene.check import DataCheck
    from algengine.engine.configs import load_config
    from simengine.errors import ConfigError

    is_root = Path(arguments.target).is_dir()
    config = load_config(arguments.config if is_root else arguments.target, arguments.cfg_options)
    check = DataCheck(arguments.target if is_root else None, arguments.examples)
    rows = check.config(config.to_dict())
    if not rows:
        raise ConfigError(
            f"the config {arguments.target} names no data sets, expected the config of a planner such as {FULL_CONFIG}"
        )
    table = Table(title=f"Data of {arguments.config if is_root else arguments.target}", title_justify="left")
    for heading in ("set", "what"):
        table.add_column(heading)
    table.add_column("there", justify="right")
    table.add_column("")
    table.add_column("where, and what is missing", overflow="fold")
    style = {"ok": "green", "missing": "bold red", "absent": "yellow"}
    for row in rows:
        there = f"{row.found}" if row.total is None else f"{row.found} / {row.total}"
        where = row.note if row.path in row.note else f"{row.path}\n{row.note}".strip()
        table.add_row(row.part, row.what, there, f"[{style[row.verdict]}]{row.verdict}[/]", where)
    Console().print(table)
    missing = [row for row in rows if row.verdict == "missing"]
    names = ", ".join(f"{row.part} {row.what}" for row in missing)
    print(f"missing: {names}" if missing else "everything needed is there")
    return 1 if missing else 0
