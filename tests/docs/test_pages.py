"""Every example on a page runs, and every name in it is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from warehouse_assets.cli.app import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {str(page.relative_to(DOCS)): page.read_text() for page in sorted(DOCS.rglob("*.md"))}


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command | None]]:
    """All commands, those of groups with the name of the group before theirs."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(commands(app))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def options(command: click.Command | None) -> set[str]:
    """All options of a command, in each of their spellings."""
    assert command is not None
    return {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }


def called(text: str) -> Iterator[tuple[str, set[str]]]:
    """The commands that the console blocks of a page call, each with its options."""
    for line in re.sub(r"\\\n", " ", "\n".join(blocks(text, "console"))).splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:1] == ["wa"] and not words[1].startswith("-"):
            name = " ".join(words[1:3]) if " ".join(words[1:3]) in COMMANDS else words[1]
            yield name, {word.partition("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)}


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs_as_one_program_and_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    program = "\n".join(blocks(PAGES[page], "python"))

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=False, capture_output=True, text=True, encoding="utf-8"
    )

    assert (done.stderr, done.stdout) == ("", "".join(blocks(PAGES[page], "text")))


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_exists(page: str) -> None:
    unknown = [
        (command, option)
        for command, given in called(PAGES[page])
        for option in given - (options(COMMANDS[command]) if command in COMMANDS else set()) - {"--help"}
    ]

    assert (unknown, {command for command, _ in called(PAGES[page])} - COMMANDS.keys()) == ([], set())


def test_the_page_of_the_command_line_names_every_command_and_option() -> None:
    sections = re.split(r"^## `wa ([\w -]+)`$", PAGES["command_line.md"], flags=re.MULTILINE)
    named = {
        name: {
            option for row in re.findall(r"^\| (`-.*?) \|", section, re.MULTILINE) for option in re.findall(r"--?[\w-]+", row)
        }
        for name, section in zip(sections[1::2], sections[2::2], strict=True)
    }

    assert named == {name: options(command) for name, command in COMMANDS.items()}
