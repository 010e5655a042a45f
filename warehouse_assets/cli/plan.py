"""`wa plan`: what a run would make, and what would break, before it does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.app import relative_paths
from warehouse_assets.cli.format import console
from warehouse_assets.cli.options import json_option, load, module_option_across, open_instance, verbose_option

if TYPE_CHECKING:
    from rich.console import Console

    from warehouse_assets.planning.plan import Plan, PlannedAsset
    from warehouse_assets.tables import TableSchema

__all__ = ["plan"]


@click.command()
@click.argument("selection", required=False)
@module_option_across("each")
@click.option("--partition", metavar="KEY", help="Which partition of partitioned assets; all of them unless given.")
@click.option("--all", "everything", is_flag=True, help="Plan to make what is fresh, too.")
@json_option
@verbose_option
def plan(selection: str | None, module: str, partition: str | None, everything: bool, as_json: bool, verbose: bool) -> int:
    """Show what `wa materialize --stale` would make and why, with which columns, and what would break. Nothing is made.

    Queries are judged by the engine of their store, LazyFrames by polars, on tables without rows. Functions are called only where
    they take nothing but LazyFrames and Tables, and return a LazyFrame or SQL. Exit code 0 when all is well, 2 when an asset would
    break.
    """
    definitions = load(module, verbose=verbose)
    with open_instance() as instance:
        found = definitions.plan(selection, instance=instance, partition_key=partition, everything=everything)
    if as_json:
        click.echo(json.dumps(_as_json(found), indent=2, ensure_ascii=False))
    else:
        _print(console(), found)
    return 2 if found.broken else 0


def _print(out: Console, found: Plan) -> None:
    from rich.text import Text

    from warehouse_assets.planning.text import lines_of

    for line in lines_of(found):
        pieces = ((relative_paths(text), style) for text, style in line)
        out.print(Text.assemble(*pieces), soft_wrap=True)


def _as_json(found: Plan) -> dict[str, Any]:
    return {
        "runs": [asset.key.to_user_string() for asset in found.runs],
        "broken": [asset.key.to_user_string() for asset in found.broken],
        "assets": [_asset(asset) for asset in found.assets],
    }


def _asset(asset: PlannedAsset) -> dict[str, Any]:
    from warehouse_assets.cli.status import cause_as_json

    return {
        "key": asset.key.to_user_string(),
        "place": relative_paths(asset.place),
        "runs": asset.runs,
        "status": asset.state,
        "causes": [cause_as_json(cause) for cause in asset.causes],
        "sql": None if asset.sql is None else {"old": asset.sql.old, "new": asset.sql.new},
        "stored": _columns(asset.stored),
        "predicted": _columns(asset.predicted),
        "changes": [
            {"kind": change.kind, "column": change.name, "old": change.old, "new": change.new} for change in asset.changes
        ],
        "unknown": asset.unknown,
        "faults": [
            {
                "message": fault.message,
                "where": relative_paths(fault.where),
                "upstream": None if fault.upstream is None else fault.upstream.to_user_string(),
                "column": fault.column,
                "reaches": [{"key": node.asset_key.to_user_string(), "column": node.column} for node in fault.reaches],
            }
            for fault in asset.faults
        ],
    }


def _columns(schema: TableSchema | None) -> list[dict[str, str]] | None:
    return None if schema is None else [{"name": column.name, "type": column.type} for column in schema]
