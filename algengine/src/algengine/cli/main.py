"""Entry point of `algengine`: parses the verb, runs it, and turns user errors into one sentence."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from algengine import __version__
from algengine.cli import export, labels, serve, train, vocabulary
from simengine.errors import SimEngineError

COMMANDS = {"train": train, "serve": serve, "export": export, "vocabulary": vocabulary, "labels": labels}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with one sub-command per verb."""
    parser = argparse.ArgumentParser(prog="algengine", description="Learned driving planners.")
    parser.add_argument("--version", action="version", version=f"algengine {__version__}")
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
    """Run one command and return its exit code: 0 done, 1 user error, 130 Ctrl-C."""
    arguments = build_parser().parse_args(argv)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return COMMANDS[arguments.command].execute(arguments)
    except SimEngineError as error:
        print(f"algengine {arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"algengine {arguments.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
