"""Serve a planner to simulators over the bridge."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = """example:
  algengine serve --model vadv2_demo --address ipc:///tmp/planner.ipc
  algengine serve out/vadv2_demo/weights.pth --address ipc:///tmp/planner.ipc
  algengine serve --model vadv2_demo --transport files --address experiments/closed_loop_exps/vadv2_demo/demo_NR
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "config",
        nargs="?",
        help="config of a training checkpoint; for exported weights give their path alone",
    )
    parser.add_argument("checkpoint", nargs="?", type=Path, help="exported weights or training checkpoint")
    parser.add_argument("--model", help="name of shipped weights, instead of config and checkpoint")
    parser.add_argument(
        "--address",
        required=True,
        help="where to listen: ipc://PATH or tcp://HOST:PORT; with files the folder of the run",
    )
    parser.add_argument(
        "--transport",
        choices=("socket", "files"),
        default="socket",
        help="socket (default), or files: the original's frame pickles and plans in a folder",
    )
    parser.add_argument("--clean", action="store_true", help="with files: delete frames and plans at the end")
    parser.add_argument("--key-file", type=Path, help="secret key file of `simengine keys`, for other hosts")
    parser.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    parser.add_argument(
        "--threads",
        type=int,
        default=2,
        help="CPU threads (default: 2); other numbers may change results in the last bit",
    )
    parser.add_argument(
        "--memory-gib",
        type=float,
        default=4.0,
        help="largest memory for the maps that rollouts remember (default: 4)",
    )
    parser.add_argument(
        "--accelerate",
        choices=("none", "graphs", "compile"),
        default="none",
        help="none (default); graphs: record the backbone as a CUDA graph; compile: torch.compile, slow at first",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Load the planner and answer until told to stop."""
    from algengine.serving.files import serve_files
    from algengine.serving.load import load_planner
    from algengine.serving.server import serve
    from simengine.bridge.curve import load_keys

    keys = load_keys(arguments.key_file.expanduser()) if arguments.key_file else None
    planner = load_planner(
        config=arguments.config,
        checkpoint=arguments.checkpoint,
        model=arguments.model,
        device=arguments.device,
        threads=arguments.threads,
        memory_gib=arguments.memory_gib,
        accelerate=arguments.accelerate,
    )

    def say(address: str) -> None:
        print(f"{planner.name} on {planner.device} listens at {address}", flush=True)

    if arguments.transport == "files":
        say(arguments.address)
        serve_files(planner, Path(arguments.address), arguments.clean)
    else:
        serve(planner, arguments.address, keys, say)
    return 0
