"""Entry point of `algengine`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from algengine import __version__
from algengine.cli import (
    cache,
    compare,
    data,
    doctor,
    evaluate,
    export,
    fit_ranking,
    labels,
    on_policy,
    post_train,
    rare_cases,
    serve,
    table,
    test,
    train,
    vocabulary,
    weights,
)
from simengine.entry import run_command

COMMANDS = {
    "train": train,
    "test": test,
    "serve": serve,
    "export": export,
    "fit-ranking": fit_ranking,
    "vocabulary": vocabulary,
    "labels": labels,
    "cache": cache,
    "rare-cases": rare_cases,
    "data": data,
    "evaluate": evaluate,
    "compare": compare,
    "post-train": post_train,
    "on-policy": on_policy,
    "table": table,
    "doctor": doctor,
    "weights": weights,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return run_command(
        "algengine",
        "Train, post-train, evaluate and serve driving planners; `algengine COMMAND --help` has examples.",
        __version__,
        COMMANDS,
        argv,
    )


if __name__ == "__main__":
    sys.exit(main())
