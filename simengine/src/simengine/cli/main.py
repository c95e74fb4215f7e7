"""Entry point of `simengine`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from simengine import __version__
from simengine.cli import (
    asset,
    convert,
    explain,
    export,
    generate,
    keys,
    merge,
    report,
    run,
    score,
    video,
    view,
)
from simengine.entry import run_command

COMMANDS = {
    "run": run,
    "score": score,
    "explain": explain,
    "report": report,
    "view": view,
    "video": video,
    "merge": merge,
    "export": export,
    "convert": convert,
    "asset": asset,
    "generate": generate,
    "keys": keys,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return run_command(
        "simengine",
        "Closed-loop simulation of driving models; `simengine COMMAND --help` has examples.",
        __version__,
        COMMANDS,
        argv,
    )


if __name__ == "__main__":
    sys.exit(main())
