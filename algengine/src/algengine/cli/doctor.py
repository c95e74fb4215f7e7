"""Find wrong axes, units, rates, frames, orders and cameras of a planner before it is simulated with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from algengine.doctor.target import Target

EXAMPLE = """examples:
  algengine doctor --address ipc:///tmp/planner.ipc                  # any planner that listens there
  algengine doctor --in-process my_package.planners:make_planner     # a function without arguments
  algengine doctor --model vadv2_demo --output findings.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--address", help="ipc://... or tcp://... of a planner")
    which.add_argument("--in-process", metavar="MODULE:FUNCTION", help="makes a planner in this process")
    which.add_argument("--model", help="name of shipped weights")
    add("--server-key", type=Path, metavar="FILE", help="public key file, for planners on other hosts")
    add(
        "--timeout",
        type=float,
        default=60.0,
        help="longest wait for a plan, and for the planner [s] (default: 60)",
    )
    add("--history", type=int, default=4, help="entries of the ego history (default: 4)")
    add("--horizon", type=float, default=4.0, help="that plans must reach [s] (default: 4)")
    add(
        "--image-size",
        default="320x180",
        metavar="WxH",
        help="pixels of the eight cameras (default: 320x180); 0x0 shows none",
    )
    add("--output", type=Path, metavar="FILE.json", help="write the findings")


def execute(arguments: argparse.Namespace) -> int:
    """Examine and print; exit code 1 if a mistake was found."""
    from rich.console import Console

    from algengine.doctor.examine import examine, is_sound
    from algengine.doctor.report import render_findings, write_findings
    from algengine.doctor.road import make_rig
    from algengine.doctor.show import Stage
    from simengine.errors import ConfigError

    width, height = _size(arguments.image_size)
    if arguments.history < 2 or arguments.horizon <= 0:
        raise ConfigError(
            f"--history is {arguments.history} and --horizon {arguments.horizon}, expected 2 or more and seconds > 0"
        )
    if (
        arguments.output is not None and arguments.output.suffix != ".json"
    ):  # said before minutes of questions
        raise ConfigError(f"--output is {arguments.output}, expected a name that ends in .json")
    target = _target(arguments)
    try:
        stage = Stage(target, arguments.history, make_rig(width, height) if width else ())
        findings = examine(stage, arguments.horizon)
    finally:
        target.close()
    Console().print(render_findings(target.name, findings))
    if arguments.output is not None:
        write_findings(arguments.output, target.name, findings)
    return 0 if is_sound(findings) else 1


def _size(text: str) -> tuple[int, int]:
    from simengine.errors import ConfigError

    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        width = height = -1
    if (width, height) != (0, 0) and min(width, height) < 16:
        raise ConfigError(f"--image-size is {text!r}, expected WIDTHxHEIGHT of at least 16 px, or 0x0")
    return width, height


def _target(arguments: argparse.Namespace) -> Target:
    from algengine.doctor.target import InProcessTarget, SocketTarget

    if arguments.address is not None:
        from simengine.bridge.client import PlannerClient
        from simengine.bridge.curve import load_public_key

        key = load_public_key(arguments.server_key.expanduser()) if arguments.server_key else None
        wait = arguments.timeout
        return SocketTarget(lambda: PlannerClient(arguments.address, wait, wait, server_key=key))
    if arguments.in_process is not None:
        from simengine.bridge.in_process import make_planner

        return InProcessTarget(make_planner("--in-process", arguments.in_process))
    from algengine.serving.load import load_shipped

    return InProcessTarget(load_shipped(arguments.model))
