"""Options that several commands share, and what they lead to."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.errors import InvalidDefinitionError, WarehouseAssetsError

LOCATION_VARIABLE = (
    "WAREHOUSE_ASSETS_CLI_LOCATION"  # of a process that does a command for one of several: its code location, as JSON
)
_LOCATION = "warehouse_assets.location"

if TYPE_CHECKING:
    from warehouse_assets.cli.together import Across
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.events import CodeLocation
    from warehouse_assets.instance import Instance
    from warehouse_assets.keys import AssetKey

__all__ = [
    "LOCATION_VARIABLE",
    "current_location",
    "find_key",
    "json_option",
    "key_among",
    "load",
    "load_location",
    "module_option",
    "module_option_across",
    "modules_option",
    "named_locations",
    "open_instance",
    "project_locations",
    "tag_option",
    "the_location",
    "verbose_option",
]


def module_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-m MODULE`: where the assets are declared; where it is not given, the project in the current folder, or above it, says so."""
    return _located(command, None)


def module_option_across(across: Across) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The same, several times, or as `-w FILE`, for a command that is then done across the locations; see `together`."""
    return lambda command: _located(command, across)


def modules_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-m MODULE`, several times, and `-w FILE`: a command that takes these is given the `locations` that they name."""

    @functools.wraps(command)
    def called(*args: Any, modules: Sequence[str], workspace: str | None, **options: Any) -> Any:
        return command(*args, locations=named_locations(modules, workspace), **options)

    return _module_options(called)


def _located(command: Callable[..., Any], across: Across | None) -> Callable[..., Any]:
    @functools.wraps(command)
    def called(*args: Any, modules: Sequence[str], workspace: str | None, **options: Any) -> Any:
        ctx = click.get_current_context()
        if (part := os.environ.get(LOCATION_VARIABLE)) is not None:
            locations: Sequence[CodeLocation] = [_location_from(part)]
        else:
            locations = named_locations(modules, workspace)
            if across is not None and (len(locations) > 1 or locations[0].python is not None):
                from warehouse_assets.cli.together import run_across

                named = options.get("key") or options.get("name")
                run_across(ctx, across, locations, named)
        location = the_location(locations)
        os.chdir(location.working_directory)
        ctx.meta[_LOCATION] = location
        return command(*args, module=location.module, **options)

    return _module_options(called)


def _module_options(command: Callable[..., Any]) -> Callable[..., Any]:
    modules = click.option(
        "-m",
        "--module",
        "modules",
        metavar="MODULE",
        multiple=True,
        help="Module (my.assets) or file (assets.py) with a Definitions, or assets; that of the project unless given.",
    )
    return modules(
        click.option("-w", "--workspace", "workspace", metavar="FILE", help="A workspace.toml, which names several.")(command)
    )


def _location_from(text: str) -> CodeLocation:
    import json

    from warehouse_assets.events import CodeLocation

    return CodeLocation(**json.loads(text))


def current_location(module: str) -> CodeLocation:
    """The code location that a command was called for, by the name that its workspace gives it."""
    from warehouse_assets.code_location.workspace_file import location_of

    return click.get_current_context().meta.get(_LOCATION) or location_of(module)


def named_locations(modules: Sequence[str], workspace: str | None) -> Sequence[CodeLocation]:
    """The code locations that are given, or those of the project. The command goes on in the folder of the project, or of the only location."""
    from warehouse_assets.code_location.workspace_file import location_of, read_workspace

    given = [location_of(module) for module in modules]
    given += read_workspace(Path(workspace)) if workspace is not None else ()
    return given or project_locations()


def load_location(location: CodeLocation, *, verbose: bool) -> Definitions:
    """The Definitions of the only location that is meant, in whose folder the command goes on."""
    os.chdir(location.working_directory)
    return load(location.module, verbose=verbose)


def project_locations() -> Sequence[CodeLocation]:
    """The code locations of the project that the current folder is in."""
    from warehouse_assets.code_location.workspace_file import find_project

    project = find_project(Path.cwd())
    if project is None:
        raise click.UsageError(
            'No module is given. Give it with -m, or write module = "…" under [tool.warehouse_assets] in pyproject.toml.'
        )
    return project.locations


def the_location(locations: Sequence[CodeLocation]) -> CodeLocation:
    """The only one of some code locations, for what is done in one of them."""
    if len(locations) > 1:
        names = ", ".join(location.name for location in locations)
        raise click.UsageError(f"The workspace has several locations: {names}. Give the module of one with -m, in its folder.")
    return locations[0]


def verbose_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-v`: tracebacks instead of one line for an error."""
    return click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`: for programs that read the output."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON.")(command)


def tag_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--tag NAME=VALUE`, several times."""
    return click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, callback=_read_tags, help=help_text)


def _read_tags(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    for text in given:
        if "=" not in text:
            raise click.BadParameter(f"{text!r} is no NAME=VALUE.", ctx, param)
    return dict(text.split("=", 1) for text in given)


def load(module: str, *, verbose: bool) -> Definitions:
    """The Definitions of a module; what the module itself raises becomes one line that says where."""
    from warehouse_assets.code_location.loading import load_definitions

    try:
        return load_definitions(module)
    except WarehouseAssetsError:
        raise
    except (Exception, SystemExit) as error:
        if verbose:
            traceback.print_exception(error)
            sys.exit(2)
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
        if isinstance(error, SyntaxError) and error.filename:
            where = f"{error.filename}:{error.lineno}"
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise InvalidDefinitionError(
            f"the module {module!r} cannot be loaded: {type(error).__name__}: {text}",
            where=where,
            hint="Run again with --verbose for the traceback.",
        ) from error


def open_instance(*, create: bool = False) -> Instance:
    """The instance of the project in the current folder; a command that only reads leaves no new one behind."""
    from warehouse_assets.instance import Instance

    return Instance.get(Path.cwd(), create=create)


def find_key(definitions: Definitions, text: str) -> AssetKey:
    """The asset that a person names: its key, or its last segment where only one asset has it."""
    return key_among(definitions.graph.nodes, text)


def key_among(nodes: Mapping[AssetKey, Any], text: str) -> AssetKey:
    """The one of these keys that a person names, as `find_key` finds it."""
    from warehouse_assets.errors import InvalidSelectionError
    from warehouse_assets.graph.asset_graph import suggest_keys
    from warehouse_assets.keys import AssetKey

    for key in (AssetKey.from_user_string(text), AssetKey(text)):
        if key in nodes:
            return key
    ending = [key for key in nodes if key.path[-1] == text]
    if len(ending) == 1:
        return ending[0]
    key = AssetKey.from_user_string(text)
    raise InvalidSelectionError(f"there is no asset {text!r}", hint=suggest_keys(key, nodes))
