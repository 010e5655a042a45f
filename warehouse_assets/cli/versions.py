"""`wa versions` and `wa rollback`: the earlier states of a table, and going back to one."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.format import console, count_text, new_table
from warehouse_assets.cli.options import find_key, json_option, load, module_option_across, open_instance, verbose_option

if TYPE_CHECKING:
    from warehouse_assets.tables import TableVersion

__all__ = ["rollback", "versions"]


@click.command()
@click.argument("key")
@module_option_across("owner")
@json_option
@verbose_option
def versions(key: str, module: str, as_json: bool, verbose: bool) -> None:
    """Show the versions of the table of the asset KEY that its store keeps, the present one last."""
    from warehouse_assets.execution.table_versions import kept_versions

    definitions = load(module, verbose=verbose)
    with open_instance() as instance, definitions.stored_tables(instance=instance) as tables:
        kept = kept_versions(tables, find_key(definitions, key))
    if as_json:
        click.echo(json.dumps([_as_json(version) for version in kept], indent=2))
        return
    if not kept:
        click.echo("None is kept. Declare table=TableOptions(keep_versions=…).")
        return
    table = new_table("version", "published (UTC)", "run", "rows", numeric=("rows",))
    for version in kept:
        rows = "" if version.row_count is None else count_text(version.row_count)
        table.add_row(version.version, f"{version.timestamp.astimezone(UTC):%Y-%m-%d %H:%M:%S}", version.run_id or "", rows)
    console().print(table)


@click.command()
@click.argument("key")
@click.option(
    "--to", help="A version, the id of the run that made it, or a time such as 2024-05-01T12:00; unless given, the one before."
)
@module_option_across("owner")
@json_option
@verbose_option
def rollback(key: str, to: str | None, module: str, as_json: bool, verbose: bool) -> None:
    """Make an earlier version of the table of the asset KEY the present one again. It is a write of its own, and can be undone."""
    from warehouse_assets.execution.table_versions import kept_versions, roll_back

    definitions = load(module, verbose=verbose)
    asset = find_key(definitions, key)
    with open_instance(create=True) as instance, definitions.stored_tables(instance=instance) as tables:
        before = kept_versions(tables, asset)
        state, record = roll_back(tables, asset, to, instance)
    facts = {name: value.value for name, value in record.metadata.items() if name in ("row_count", "table_version")}
    if as_json:
        click.echo(json.dumps({"key": asset.to_user_string(), "rolled_back_to": _as_json(state), **facts}, indent=2))
        return
    count = facts.get("row_count")
    rows = "" if count is None else f", {count_text(count)} row{'' if count == 1 else 's'}"
    made = f" as version {facts['table_version']}" if "table_version" in facts else ""
    click.echo(f"{asset.to_user_string()} is again what it was as version {state.version}{made}{rows}.")
    click.echo(f"To undo this: wa rollback {key} --to {before[-1].version}")


def _as_json(version: TableVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "timestamp": version.timestamp.astimezone(UTC).isoformat(),
        "run_id": version.run_id,
        "row_count": version.row_count,
    }
