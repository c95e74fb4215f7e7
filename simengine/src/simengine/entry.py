"""What both command lines share: one verb per module, user errors as one sentence, exit codes."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from simengine.errors import SimEngineError


class Command(Protocol):
    """A module that is one verb; the first line of its docstring is its summary.

    A verb that can go on where Ctrl-C stopped it says how in its constant `RESUME`.
    """

    __doc__: str
    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        ...

    def execute(self, arguments: argparse.Namespace) -> int:
        """Do it and return the exit code."""
        ...


def run_command(
    prog: str, description: str, version: str, commands: Mapping[str, Command], argv: Sequence[str] | None
) -> int:
    """Run the verb `argv` asks for; exit code 0 done, 1 user error or failed work, 130 Ctrl-C."""
    arguments = make_parser(prog, description, version, commands).parse_args(argv)
    # A shell starts background jobs with SIGINT ignored; Ctrl-C must reach us there too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return commands[arguments.command].execute(arguments)
    except SimEngineError as error:
        sys.stderr.write(f"{prog} {arguments.command}: {error}\n")
        return 1
    except OSError as error:
        if error.filename is None:  # no file of the user: a bug
            raise
        sys.stderr.write(
            f"{prog} {arguments.command}: {error.filename} cannot be read or written ({error.strerror}), expected a "
            "place that can: check the path, its permissions and the space left\n"
        )
        return 1
    except KeyboardInterrupt:
        how = getattr(commands[arguments.command], "RESUME", "")
        sys.stderr.write(f"{prog} {arguments.command}: interrupted{how and '; ' + how}\n")
        return 130


def make_parser(
    prog: str, description: str, version: str, commands: Mapping[str, Command]
) -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--version", action="version", version=f"{prog} {version}")
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in commands.items():
        summary = command.__doc__.split("\n")[0]
        verb = verbs.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=command.EXAMPLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(verb)
    return parser
