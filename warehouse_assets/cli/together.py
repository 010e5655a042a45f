"""A command over several code locations: it is done in a process of each, by the location's own interpreter, in its own folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

import click

from warehouse_assets.cli.options import LOCATION_VARIABLE, key_among, open_instance
from warehouse_assets.errors import InvalidSelectionError

if TYPE_CHECKING:
    from warehouse_assets.code_location.workspace import Workspace
    from warehouse_assets.events import CodeLocation

__all__ = ["NOT_HERE", "Across", "run_across"]

Across: TypeAlias = Literal["each", "owner", "in turn"]
NOT_HERE = 3  # the exit code of such a process where nothing that is named is there
_MODULE_OPTIONS = ("-m", "--module", "-w", "--workspace")
_FILE_OPTIONS = ("-c", "--config")


def run_across(ctx: click.Context, across: Across, locations: Sequence[CodeLocation], named: str | None) -> NoReturn:
    """Do the command of `ctx` in these locations, and end with its exit code: in each, what they write being joined; in the owner of what is `named`;
    or in turn, where what is selected is found."""
    arguments = _without_modules(ctx, ctx.find_root().obj or sys.argv[1:])
    environment = _environment(create=across != "each")
    if across == "each":
        sys.exit(_each(locations, arguments, environment))
    if across == "owner":
        locations = [_owner(locations, str(named), environment, kind=ctx.command_path.split()[1])]
    sys.exit(_in_turn(locations, arguments, environment))


def _each(locations: Sequence[CodeLocation], arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    def ask(location: CodeLocation) -> subprocess.CompletedProcess[str]:
        return _run(location, arguments, environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    with ThreadPoolExecutor(min(len(locations), os.cpu_count() or 1)) as threads:
        answers = dict(zip(locations, threads.map(ask, locations), strict=True))
    found = {location: answer for location, answer in answers.items() if answer.returncode != NOT_HERE} or answers
    said = {location: answer.stdout for location, answer in found.items() if answer.stdout}
    if "--json" in arguments:
        rows = [row for location, text in said.items() for row in _rows(location, json.loads(text))]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        click.echo(
            "\n".join(f"{click.style(f'{location.name}:', bold=True)}\n{text}" for location, text in said.items()), nl=False
        )
    for location, answer in found.items():
        for line in answer.stderr.splitlines():
            click.echo(line.replace("Error: ", f"Error: {location.name}: ", 1), err=True)
    return _code([answer.returncode for answer in found.values()])


def _rows(location: CodeLocation, told: Any) -> Iterator[Any]:
    """What one location wrote, each object with its name."""
    for row in told if isinstance(told, list) else [told]:
        yield {"location": location.name, **row} if isinstance(row, dict) else row


def _in_turn(locations: Sequence[CodeLocation], arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """In one location after the other, until it fails in one; what those where nothing is found say is told where it is found in none."""
    missed: list[str] = []
    for location in locations:
        with subprocess.Popen(**_command(location, arguments, environment), stderr=subprocess.PIPE, text=True) as process:
            try:
                said = _passed_on(process)
                code = process.wait()
            except KeyboardInterrupt:
                return process.wait() or 130
        if code not in (0, NOT_HERE):
            return code
        if code == NOT_HERE:
            missed.append(said)
    if len(missed) == len(locations):
        click.echo(missed[0], err=True, nl=False)
        return 2
    return 0


def _passed_on(process: subprocess.Popen[str]) -> str:
    """Its standard error, line by line, but for the last one, which may say that nothing is here; that is what is returned."""
    assert process.stderr is not None
    kept = ""
    for line in process.stderr:
        if kept:
            click.echo(kept, err=True, nl=False)
        kept = line
    if process.wait() != NOT_HERE:
        click.echo(kept, err=True, nl=False)
    return kept


def _owner(locations: Sequence[CodeLocation], named: str, environment: Mapping[str, str], *, kind: str) -> CodeLocation:
    """The location that makes an asset, or declares a schedule or sensor; what cannot be loaded is told."""
    from warehouse_assets.cli.app import relative_paths
    from warehouse_assets.code_location.workspace import Workspace

    with Workspace(locations, environment=environment) as workspace:
        assets, errors = workspace.assets(), workspace.errors()
        try:
            if kind not in ("schedule", "sensor"):
                return workspace[assets[key_among(assets, named)].location].location
            return _declaring(workspace, named, kind)
        finally:
            for error in errors.values():
                click.echo(f"Error: {relative_paths(str(error))}", err=True)


def _declaring(workspace: Workspace, named: str, kind: str) -> CodeLocation:
    from warehouse_assets.errors import close_matches

    known = {
        name: {one.name for one in (facts.schedules if kind == "schedule" else facts.sensors)}
        for name, facts in workspace.snapshots().items()
    }
    having = [name for name, names in known.items() if named in names]
    if len(having) > 1:
        raise InvalidSelectionError(
            f"{' and '.join(having)} have a {kind} {named!r} each", hint="Give the module of one with -m."
        )
    if not having:
        hint = close_matches(named, sorted({name for names in known.values() for name in names}))
        raise InvalidSelectionError(f"there is no {kind} {named!r}", hint=hint)
    return workspace[having[0]].location


def _run(
    location: CodeLocation, arguments: Sequence[str], environment: Mapping[str, str], **options: Any
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(**_command(location, arguments, environment), check=False, text=True, **options)
    except OSError as error:
        return subprocess.CompletedProcess([], 2, "", f"Error: {location.python} cannot be started: {error.strerror}\n")


def _command(location: CodeLocation, arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """How the process of one of the locations is started."""
    variables = {**os.environ, **environment, LOCATION_VARIABLE: json.dumps(asdict(location))}
    if location.python is not None:  # it finds packages of its own
        variables.pop("PYTHONPATH", None)
    command = [location.python or sys.executable, "-P", "-c", "from warehouse_assets.cli import script; script()", *arguments]
    return {"args": command, "cwd": location.working_directory, "env": variables}


def _environment(*, create: bool) -> Mapping[str, str]:
    """What has all locations read and write the record of the project in the current folder."""
    from warehouse_assets.instance.instance import HOME_VARIABLE

    with open_instance(create=create) as instance:
        if instance.is_ephemeral:  # there is none yet: it would be here
            return {HOME_VARIABLE: str(Path.cwd() / ".warehouse_assets")}
        return instance.environment


def _without_modules(ctx: click.Context, given: Sequence[str]) -> list[str]:
    """The command line without what names modules, and with files named from everywhere."""
    valued = {name for param in ctx.command.params if not getattr(param, "is_flag", False) for name in param.opts}
    kept: list[str] = []
    rest = iter(given)
    for word in rest:
        if word == "--":
            return [*kept, word, *rest]
        if word in _MODULE_OPTIONS:
            next(rest, None)
        elif word.startswith(("--module=", "--workspace=")) or (word[:2] in _MODULE_OPTIONS and word[2:]):
            continue
        elif word.startswith("-") and word in valued:
            value = next(rest, "")
            kept += [word, str(Path(value).absolute()) if word in _FILE_OPTIONS and Path(value).is_file() else value]
        else:
            kept.append(word)
    return kept


def _code(codes: Sequence[int]) -> int:
    """The worst of some exit codes."""
    return max((2 if code == NOT_HERE else code for code in codes), default=0)
