"""Entry point of `simengine`: parses the verb, runs it, and turns user errors into one sentence."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from simengine import __version__
from simengine.cli import convert, generate, report, run
from simengine.errors import SimEngineError

COMMANDS = {"run": run, "convert": convert, "generate": generate, "report": report}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with one sub-command per verb."""
    parser = argparse.ArgumentParser(
        prog="simengine", description="Closed-loop simulation of driving models."
    )
    parser.add_argument("--version", action="version", version=f"simengine {__version__}")
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary = module.__doc__.split("\n")[0]
        verb = verbs.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=module.EXAMPLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(verb)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 user error or failed scenarios, 130 Ctrl-C."""
    arguments = build_parser().parse_args(argv)
    # A shell starts background jobs with SIGINT ignored; Ctrl-C must reach us there too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return COMMANDS[arguments.command].execute(arguments)
    except SimEngineError as error:
        print(f"simengine {arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"simengine {arguments.command}: interrupted; run it again to resume", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
