"""What `--help` and the pages promise: every default is said, and every command that is shown is one."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from algengine.cli.main import COMMANDS as PLANNER_COMMANDS
from simengine.cli.main import COMMANDS as SIMULATOR_COMMANDS
from simengine.entry import make_parser

REPOSITORY = Path(__file__).resolve().parents[2]
ALL = [
    (prog, name, command)
    for prog, commands in (("algengine", PLANNER_COMMANDS), ("simengine", SIMULATOR_COMMANDS))
    for name, command in commands.items()
]
UNSAID = (None, False, [], "", argparse.SUPPRESS)


def options(command) -> list[argparse.Action]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser._actions


@pytest.mark.parametrize(("prog", "name", "command"), ALL)
def test_every_option_says_what_it_is_and_its_default(prog, name, command):
    for action in options(command):
        if isinstance(action, argparse._SubParsersAction):
            continue
        assert action.help, (prog, name, action.dest)
        if action.default not in UNSAID:
            assert "default" in action.help, (prog, name, action.dest)


def shown_commands() -> list[tuple[str, str]]:
    """Commands in the pages' code blocks and in the help's examples, with where they stand."""
    pages = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
    texts = [(page.name, page.read_text()) for page in pages]
    texts += [(name, command.EXAMPLE) for _, name, command in ALL]
    found = []
    for where, text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            if line.startswith("  ") or line.startswith(("simengine ", "algengine ")):
                words = line.strip().removeprefix("$ ")
                if re.match(r"(simengine|algengine) [a-z-]+( |$)", words):
                    found.append((where, words))
    return found


@pytest.mark.parametrize(("where", "line"), shown_commands())
def test_every_command_that_is_shown_parses(where, line, capsys):
    prog, *words = shlex.split(re.sub(r" [|>&;] .*", "", line), comments=True)
    commands = PLANNER_COMMANDS if prog == "algengine" else SIMULATOR_COMMANDS
    try:
        make_parser(prog, "", "", commands).parse_args([word for word in words if word != "..."])
    except SystemExit:
        pytest.fail(f"{where}: {line}\n{capsys.readouterr().err}")
