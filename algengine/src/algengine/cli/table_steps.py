"""Stages of `algengine table` as processes of their own: `python -m algengine.cli.table_steps STEP ...`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from algengine.table.steps import fill_features, join_splits, make_base, mine, write_variants
from simengine.errors import SimEngineError


def main(argv: Sequence[str] | None = None) -> int:
    """Do one step and return the exit code."""
    parser = argparse.ArgumentParser(prog="algengine.cli.table_steps")
    verbs = parser.add_subparsers(dest="step", required=True)
    words = {
        "base": ("out", "checkpoint"),
        "join": ("out", "parts"),
        "mine": ("out", "run", "split"),
        "variants": ("out", "failures", "split", "count"),
        "features": ("base", "run"),
        "open-loop": ("out", "base", "run", "planners"),
    }
    for name, positional in words.items():
        verb = verbs.add_parser(name)
        for word in positional:
            kind = {"count": int, "planners": str}.get(word, Path)
            verb.add_argument(word, type=kind, nargs="+" if word in ("parts", "planners") else None)
        verb.add_argument("--device", default="auto")
        verb.add_argument("--only", type=Path, default=None)
    given = parser.parse_args(argv)
    try:
        _do(given)
    except SimEngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _do(given: argparse.Namespace) -> None:
    if given.step == "base":
        make_base(given.out, given.checkpoint)
    elif given.step == "join":
        join_splits(given.out, given.parts)
    elif given.step == "mine":
        mine(given.out, given.run, given.split)
    elif given.step == "variants":
        write_variants(given.out, given.failures, given.split, given.count)
    elif given.step == "features":
        fill_features(
            given.base, given.run, given.device, given.only, lambda path: print(path.stem, flush=True)
        )
    else:
        from algengine.table.open_loop import score_open_loop

        planners = {name: Path(path) for name, path in (word.split("=", 1) for word in given.planners)}
        score_open_loop(given.out, given.base, given.run, planners, given.device)


if __name__ == "__main__":
    sys.exit(main())
