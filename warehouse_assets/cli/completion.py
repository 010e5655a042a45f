"""`wa completion`, and what a shell is told when it asks how a word may go on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from warehouse_assets.cli.app import COMPLETING, app
from warehouse_assets.cli.options import verbose_option

__all__ = ["completion", "taught"]

_KEYS = {"key", "keys", "name", "selection"}
_WATCHED = 2_000


@click.command()
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@verbose_option
def completion(shell: str, verbose: bool) -> None:
    """Print what makes SHELL complete commands, options, asset keys and jobs.

    For bash write `eval "$(wa completion bash)"` in ~/.bashrc, for zsh the same with zsh in ~/.zshrc, and for fish
    `wa completion fish | source` in ~/.config/fish/config.fish.
    """
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found.source_template % found(app, {}, "wa", COMPLETING).source_vars())


def taught(command: click.Command) -> click.Command:
    """The command, whose arguments and options that name assets and jobs know those of the module."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            taught(inner)
    for param in command.params:
        if param.name in _KEYS and any(other.name == "modules" for other in command.params):
            param._custom_shell_complete = _complete_keys
        elif param.name == "job_name":
            param._custom_shell_complete = _complete_jobs
        elif param.name in ("module", "modules"):
            param._custom_shell_complete = _complete_modules
    return command


def _complete_keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The keys that begin like this, or like what stands after the last sign of a selection."""
    kept = 0 if param.name != "selection" else max((incomplete.rfind(sign) + 1 for sign in '+* "('), default=0)
    given, word = incomplete[:kept], incomplete[kept:]
    return [CompletionItem(given + key) for key in _names(ctx)["keys"] if key.startswith(word)]


def _complete_jobs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in _names(ctx)["jobs"] if name.startswith(incomplete)]


def _complete_modules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def _names(ctx: click.Context) -> dict[str, list[str]]:
    """The keys and jobs of the modules that the line names, or of the project; none of those that cannot be loaded."""
    from warehouse_assets.cli.options import named_locations

    found: dict[str, list[str]] = {"keys": [], "jobs": []}
    try:
        locations = named_locations(ctx.params.get("modules") or (), ctx.params.get("workspace"))
    except (Exception, SystemExit):  # noqa: BLE001 - nobody wants a traceback for having pressed Tab
        return found
    for location in locations:
        with contextlib.suppress(Exception, SystemExit):
            known = _remembered(location.module, Path(location.working_directory))
            found = {kind: [*dict.fromkeys([*names, *known[kind]])] for kind, names in found.items()}
    return found


def _remembered(module: str, folder: Path) -> dict[str, list[str]]:
    """The names as they were when the files that declare them were last loaded, while those are as they were."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warehouse_assets"
    file = cache / f"{hashlib.sha256(repr((str(folder), module)).encode()).hexdigest()[:32]}.json"
    try:
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if known["marks"] == _marks(known["marks"]):
            return known
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = _loaded(module, folder)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(found), encoding="utf-8")
        written.replace(file)
    except OSError:
        pass  # then they are loaded again the next time
    return found


def _loaded(module: str, folder: Path) -> dict[str, Any]:
    import sys

    from warehouse_assets.code_location.loading import load_definitions

    known = set(sys.modules)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        definitions = load_definitions(module, folder)
    files = {getattr(sys.modules[name], "__file__", None) for name in sys.modules.keys() - known}
    files |= {node.place.rpartition(":")[0] for node in definitions.graph}
    own = [Path(file) for file in files if file and folder in Path(file).parents]
    watched = dict.fromkeys(str(path) for path in (*own, *(file.parent for file in own)))
    return {
        "keys": [node.key.to_user_string() for node in definitions.graph],
        "jobs": [job.name for job in definitions.jobs],
        "marks": _marks(list(watched)[:_WATCHED]),
    }


def _marks(files: Iterable[str]) -> dict[str, float]:
    """When each file was last changed."""
    return {file: os.stat(file).st_mtime for file in files}
