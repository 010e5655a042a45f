"""Every command that reads tells programs what it found."""

from __future__ import annotations

import click
import pytest

from tests.docs.test_pages import COMMANDS

ACTING = {
    "completion",
    "daemon",
    "dev",
    "init",
    "materialize",
    "runs cancel",
    "runs rerun",
    "runs submit",
    "schedule start",
    "schedule stop",
    "sensor start",
    "sensor stop",
    "web",
}


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ACTING))
def test_every_command_that_reads_has_json(name: str) -> None:
    command = COMMANDS[name]
    assert command is not None
    options = {option for param in command.params if isinstance(param, click.Option) for option in param.opts}

    assert "--json" in options


def test_those_that_act_are_there() -> None:
    assert ACTING - COMMANDS.keys() == set()
