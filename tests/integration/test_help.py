"""What `--help` promises: every default is said, so nobody has to read the source."""

import argparse

import pytest

from algengine.cli.main import COMMANDS as PLANNER_COMMANDS
from simengine.cli.main import COMMANDS as SIMULATOR_COMMANDS

UNSAID = (None, False, [], "", argparse.SUPPRESS)


def options(command) -> list[argparse.Action]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser._actions


@pytest.mark.parametrize(
    ("name", "command"), [*sorted(PLANNER_COMMANDS.items()), *sorted(SIMULATOR_COMMANDS.items())]
)
def test_every_option_says_what_it_is_and_its_default(name, command):
    for action in options(command):
        if isinstance(action, argparse._SubParsersAction):
            continue
        assert action.help, (name, action.dest)
        if action.default not in UNSAID:
            assert "default" in action.help, (name, action.dest)
