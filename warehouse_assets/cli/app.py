"""The group of all commands, and how errors become one clear line and an exit code.

Exit codes: 0 all is well, 1 a run or a query failed, 2 the command cannot be meant (unknown module, key or option, a faulty
declaration), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from warehouse_assets._version import __version__
from warehouse_assets.errors import (
    ExtraRequiredError,
    InvalidConfigError,
    InvalidDefinitionError,
    InvalidInvocationError,
    InvalidSelectionError,
    InvalidSQLError,
    PartitionNotFoundError,
    ResourceError,
    WarehouseAssetsError,
    close_matches,
)

__all__ = ["app", "fail"]

COMPLETING = "_WA_COMPLETE"  # what a shell sets that asks for completions

_COMMANDS = {
    "automation": (
        "warehouse_assets.cli.automation",
        "automation",
        "Say why automation conditions ask for an asset, or do not.",
    ),
    "backfill": ("warehouse_assets.cli.backfill", "backfill", "Make many partitions, in runs of their own."),
    "check": ("warehouse_assets.cli.check", "check", "Evaluate the checks of stored tables."),
    "daemon": ("warehouse_assets.cli.daemon", "daemon", "Evaluate schedules and sensors, and run what they ask for."),
    "completion": (
        "warehouse_assets.cli.completion",
        "completion",
        "Print what makes a shell complete commands, keys and jobs.",
    ),
    "dev": ("warehouse_assets.cli.web", "dev", "Open the web UI, with a daemon that runs what it asks for."),
    "init": ("warehouse_assets.cli.init", "init", "Begin a project that runs."),
    "instance": ("warehouse_assets.cli.instance", "instance", "Show and tend the record of runs."),
    "io-managers": ("warehouse_assets.cli.io_managers", "io_managers", "List the I/O managers, and what to install for them."),
    "lineage": ("warehouse_assets.cli.lineage", "lineage", "Show what a table or a column is made from, and what from it."),
    "list": ("warehouse_assets.cli.listing", "list_assets", "List the assets and sources of a module."),
    "materialize": ("warehouse_assets.cli.materialize", "materialize", "Make assets, in the order of their dependencies."),
    "plan": ("warehouse_assets.cli.plan", "plan", "Show what a run would make, and what would break, before it does."),
    "query": ("warehouse_assets.cli.query", "query", "Answer SQL over stored assets, whatever store they are in."),
    "rollback": ("warehouse_assets.cli.versions", "rollback", "Make an earlier version of a table the present one again."),
    "schedule": ("warehouse_assets.cli.instigators", "schedule", "List, switch and try schedules."),
    "sensor": ("warehouse_assets.cli.instigators", "sensor", "List, switch and try sensors."),
    "runs": ("warehouse_assets.cli.runs", "runs", "Show runs and what they said, cancel them, and have them done again."),
    "show": ("warehouse_assets.cli.show", "show", "Show one asset: its definition and what was last recorded of it."),
    "status": ("warehouse_assets.cli.status", "status", "Say what is missing, stale or fresh, and why."),
    "test": ("warehouse_assets.cli.test", "test", "Run the tests beside SQL files, in memory."),
    "versions": ("warehouse_assets.cli.versions", "versions", "Show the versions of a table that its store keeps."),
    "web": ("warehouse_assets.cli.web", "web", "Serve the web UI alone, for a team."),
    "wipe": ("warehouse_assets.cli.wipe", "wipe", "Forget what was recorded of assets, and drop their tables if asked."),
    "workspace": ("warehouse_assets.cli.workspace", "workspace", "Show code locations, and the assets of all of them."),
}

_MISTAKES = (
    ExtraRequiredError,
    InvalidConfigError,
    InvalidDefinitionError,
    InvalidInvocationError,
    InvalidSQLError,
    InvalidSelectionError,
    PartitionNotFoundError,
    ResourceError,
)


class _App(click.Group):
    """Loads a command when it is called, and guesses what an unknown one was meant to be."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        if COMPLETING in os.environ:
            from warehouse_assets.cli.completion import taught

            return taught(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][2]) for name in self.list_commands(ctx)])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            hint = close_matches(args[0], list(_COMMANDS)) or f"Known are {', '.join(sorted(_COMMANDS))}."
            raise click.UsageError(f"There is no command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def run(self, args: Sequence[str] | None = None) -> NoReturn:
        """Run a command and end the process with its exit code."""
        given = list(args) if args is not None else sys.argv[1:]
        verbose = "--verbose" in given or "-v" in given
        try:
            code = self.main(given, prog_name="wa", complete_var=COMPLETING, standalone_mode=False, obj=given)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help() if error.ctx is not None else "")
            sys.exit(0)
        except click.ClickException as error:
            _say(f"Error: {error.format_message()}")
            sys.exit(2)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(130)
        except BrokenPipeError:
            _leave_closed_pipe()
        except WarehouseAssetsError as error:
            fail(error, verbose=verbose, code=_code_of(error))
        except Exception as error:  # noqa: BLE001 - a person gets one line, and the traceback when they ask for it
            fail(error, verbose=verbose, code=1)
        sys.exit(code if isinstance(code, int) else 0)


def _code_of(error: WarehouseAssetsError) -> int:
    from warehouse_assets.cli.options import LOCATION_VARIABLE

    if isinstance(error, InvalidSelectionError) and LOCATION_VARIABLE in os.environ:
        from warehouse_assets.cli.together import NOT_HERE

        return NOT_HERE  # it may be in another
    return 2 if isinstance(error, _MISTAKES) else 1


def fail(error: BaseException, *, verbose: bool, code: int) -> NoReturn:
    """End with one clear line for an error, or its traceback where that was asked for."""
    if verbose:
        traceback.print_exception(error)
    else:
        known = isinstance(error, WarehouseAssetsError)
        text = str(error) if known else f"{type(error).__name__}: {error} (run again with --verbose for the traceback)"
        _say(f"Error: {relative_paths(text)}")
    sys.exit(code)


def relative_paths(text: str) -> str:
    """The text with files in the current folder named from there."""
    return text.replace(f"{Path.cwd()}/", "")


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - this is what the user sees


def _leave_closed_pipe() -> NoReturn:
    """What reads our output has gone, as `head` does: no reason for a traceback when Python flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


app = _App(
    help="Declare each table once; this makes, shows and queries them.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, message="warehouse-assets %(version)s")(app)
