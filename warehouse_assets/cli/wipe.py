"""`wa wipe`: forget what was recorded of assets, and drop their tables where that is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from warehouse_assets.cli.options import find_key, json_option, load, module_option, open_instance, verbose_option
from warehouse_assets.errors import InvalidSelectionError

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.instance import Instance
    from warehouse_assets.keys import AssetKey

__all__ = ["wipe"]


@click.command()
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@module_option
@click.option("--tables", "with_tables", is_flag=True, help="Drop the tables, too. That cannot be undone.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before tables are dropped.")
@json_option
@verbose_option
def wipe(keys: Sequence[str], module: str, with_tables: bool, yes: bool, as_json: bool, verbose: bool) -> None:
    """Forget what was recorded of the assets KEY of MODULE: their materializations, observations and checks.

    Tables stay where they are, unless --tables is given. A KEY that is not declared any more may be given while it is recorded.
    """
    from warehouse_assets.execution.wiping import wipe_assets

    definitions = load(module, verbose=verbose)
    with open_instance(create=False) as instance:
        wanted = list(dict.fromkeys(_named(definitions, instance, text, with_tables=with_tables) for text in keys))
        names = [key.to_user_string() for key in wanted]
        if not with_tables:
            wipe_assets(instance, wanted)
            dropped = []
        else:
            if not yes:
                _ask(names)
            with definitions.stored_tables(instance=instance) as tables:
                dropped = [key.to_user_string() for key in wipe_assets(instance, wanted, tables)]
    if as_json:
        click.echo(json.dumps({"forgotten": names, "dropped": dropped}, indent=2, ensure_ascii=False))
        return
    for name in names:
        table = "; its table is dropped" if name in dropped else "; there was no table" if with_tables else "; its table stays"
        click.echo(f"{name} is forgotten{table}")


def _named(definitions: Definitions, instance: Instance, text: str, *, with_tables: bool) -> AssetKey:
    """The asset that is meant; one that only the record knows, where no table is to be dropped."""
    from warehouse_assets.keys import AssetKey

    try:
        return find_key(definitions, text)
    except InvalidSelectionError:
        key = AssetKey.from_user_string(text)
        known = instance.get_latest_materialization_event(key) or instance.get_latest_observation_event(key)
        if known is None or with_tables:
            raise
        return key


def _ask(names: Sequence[str]) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("Tables are only dropped without asking with --yes, and nobody can be asked here.")
    what = f"the table of {names[0]}" if len(names) == 1 else f"the {len(names)} tables of {', '.join(names)}"
    click.confirm(f"Drop {what}, which cannot be undone?", abort=True, err=True)
