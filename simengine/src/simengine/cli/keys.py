"""Make a key pair for a planner that simulators on other hosts may dial."""

from __future__ import annotations

import argparse
from pathlib import Path

from simengine.bridge.curve import make_key_files

EXAMPLE = """example:
  simengine keys ~/keys
  algengine serve --model vadv2_demo --address tcp://0.0.0.0:5555 --key-file ~/keys/planner.secret.json
  simengine run bridge.address=tcp://planner-host:5555 bridge.server_key_file=~/keys/planner.public.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine keys`."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="where the two files go")


def execute(arguments: argparse.Namespace) -> int:
    """Write the planner's and the simulators' file, readable by this user only."""
    secret, public = make_key_files(arguments.directory.expanduser())
    print(f"for the planner: {secret}\nfor simulators: {public}")
    return 0
