"""Show records, runs and scenarios in a browser page."""

from __future__ import annotations

import argparse
import webbrowser
from dataclasses import replace

from rich.console import Console

from simengine.cli.episodes import TARGETS, find_drives
from simengine.errors import ConfigError
from simengine.render.build import BACKEND_NAMES, make_backend
from simengine.view.drive import DriveSource
from simengine.view.server import close_server, directions, open_server
from simengine.view.viewer import Viewer

EXAMPLE = """examples:
  simengine view experiments/closed_loop_exps/vadv2_demo/demo_NR            # every record of a run
  simengine view run/records/demo_0003.npz other/records/demo_0003.npz      # two drives in one world
  simengine view demo_0003 --port 9000 --open
  simengine view run --token demo_0003 --backend none                       # recorded images only"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine view`."""
    parser.add_argument("targets", nargs="+", metavar="WHAT", help=TARGETS)
    parser.add_argument("--token", default=None, help="scenario to begin with (default: the first)")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: this machine only)")
    parser.add_argument(
        "--port", type=int, default=8080, help="where to listen, 0 for any free port (default: 8080)"
    )
    parser.add_argument("--open", action="store_true", help="open a browser here")
    parser.add_argument(
        "--backend",
        choices=[*BACKEND_NAMES, "none"],
        default="auto",
        help="what draws camera images; none shows those that the run kept (default: auto)",
    )
    parser.add_argument("--width", type=int, default=320, help="of camera images in pixels (default: 320)")
    parser.add_argument("--height", type=int, default=180, help="of camera images in pixels (default: 180)")
    parser.add_argument(
        "--max-splats",
        type=int,
        default=400_000,
        help="Gaussians of the surroundings that the page gets at most (default: 400000)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    check_size(arguments.width, arguments.height)
    if arguments.max_splats < 1:
        raise ConfigError(f"--max-splats is {arguments.max_splats}, expected at least 1")
    sources = find_drives(arguments.targets, arguments.width, arguments.height)
    first = choose(sources, arguments.token)
    second = _second(arguments, first)
    backend = None if arguments.backend == "none" else make_backend(arguments.backend)
    with Console(stderr=True).status(f"opening {first.title}"):
        # A drive that cannot be opened is said before a port is taken.
        drive = first.open()
        opened = replace(first, open=lambda: drive)
        server = open_server(arguments.host, arguments.port)
    try:
        viewer = Viewer(
            server,
            [opened, *(source for source in sources if source is not first)],
            backend,
            second,
            arguments.max_splats,
        )
        for line in directions(arguments.host, server.get_port()):
            print(line, flush=True)
        if arguments.open:
            webbrowser.open(f"http://localhost:{server.get_port()}")
        viewer.run()
    except KeyboardInterrupt:
        print("viewer ended")
    finally:
        close_server(server)
    return 0


def choose(sources: list[DriveSource], token: str | None) -> DriveSource:
    """Return the first drive, or the first one of scenario `token`."""
    for source in sources:
        if token in (None, source.token):
            return source
    raise ConfigError(
        f"--token is {token!r}, expected one of {len(sources)} scenarios such as {sources[0].token!r}"
    )


def check_size(width: int, height: int) -> None:
    """Raise `ConfigError` if images would be too small or too large to draw."""
    if min(width, height) < 16 or max(width, height) > 8192:
        raise ConfigError(
            f"images are {width} x {height} pixels, expected at least 16 x 16, at most 8192 x 8192"
        )


def _second(arguments: argparse.Namespace, first: DriveSource) -> str | None:
    """Return the title of the drive to compare with: of two targets the second, same scenario if it has it."""
    if len(arguments.targets) != 2:
        return None
    others = find_drives(arguments.targets[1:], arguments.width, arguments.height)
    others = [source for source in others if source.title != first.title]
    same = [source for source in others if source.token == first.token]
    return (same or others)[0].title if others else None
