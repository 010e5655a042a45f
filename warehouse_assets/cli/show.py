"""`wa show`: one asset, its definition and what was last recorded of it."""

from __future__ import annotations

import datetime as dt
import json
import time
from dataclasses import asdict
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.app import relative_paths
from warehouse_assets.cli.format import ago, byte_text, console, count_text, new_table
from warehouse_assets.cli.options import find_key, json_option, load, module_option_across, open_instance, verbose_option
from warehouse_assets.cli.partitions import partition_facts, partition_text
from warehouse_assets.column_lineage import TableColumnLineage
from warehouse_assets.events import INPUT_DATA_VERSION_TAG
from warehouse_assets.execution.freshness import asset_freshness
from warehouse_assets.tables import TableSchema

if TYPE_CHECKING:
    from rich.console import Console

    from warehouse_assets.events import Event
    from warehouse_assets.graph.asset_graph import AssetNode

__all__ = ["show"]


@click.command()
@click.argument("key")
@module_option_across("owner")
@json_option
@verbose_option
def show(key: str, module: str, as_json: bool, verbose: bool) -> None:
    """Show the asset KEY of MODULE: its definition, its neighbours, and its latest materialization."""
    definitions = load(module, verbose=verbose)
    node = definitions.graph[find_key(definitions, key)]
    with open_instance() as instance:
        event = instance.get_latest_materialization_event(node.key)
        partitions = partition_facts(node, instance)
        age = asset_freshness(definitions.graph, instance, time.time(), [node.key]).get(node.key)
    if as_json:
        told = {**_as_json(node, event), "partitions": partitions, "freshness": None if age is None else asdict(age)}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    out = console()
    _print_definition(out, node)
    if partitions is not None:
        out.print(f"{'partitions':<14}{partition_text(partitions)}", soft_wrap=True)
    if age is not None:
        out.print(f"{'freshness':<14}{age.state}: {age.reason}", soft_wrap=True)
    _print_latest(out, event)


def _definition(node: AssetNode) -> dict[str, Any]:
    spec = node.spec
    return {
        "key": node.key.to_user_string(),
        "kind": "asset" if node.is_executable else "source",
        "description": spec.description,
        "group": node.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "tags": dict(spec.tags),
        "code_version": spec.code_version,
        "io_manager": node.io_manager_key,
        "automation": None if spec.automation_condition is None else spec.automation_condition.name,
        "declared": relative_paths(node.place),
        "upstream": [key.to_user_string() for key in node.parents],
        "downstream": sorted(key.to_user_string() for key in node.children),
        "metadata": {name: repr(value) for name, value in spec.metadata.items()},
    }


def _as_json(node: AssetNode, event: Event | None) -> dict[str, Any]:
    from warehouse_assets.metadata import metadata_to_json

    latest = None
    if event is not None and (made := event.asset_materialization) is not None:
        latest = {
            "run_id": event.run_id,
            "timestamp": event.timestamp,
            "partition": made.partition,
            "tags": dict(made.tags),
            "metadata": {name: value for name, (_, value) in metadata_to_json(made.metadata).items()},
        }
    return {**_definition(node), "latest_materialization": latest}


def _print_definition(out: Console, node: AssetNode) -> None:
    facts = _definition(node)
    out.print(facts.pop("key"), style="bold")
    if description := facts.pop("description"):
        out.print(description, soft_wrap=True)
    out.print()
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key}={text}" for key, text in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        if value:
            out.print(f"{name.replace('_', ' '):<13} {value}", soft_wrap=True)


def _print_latest(out: Console, event: Event | None) -> None:
    out.print()
    made = event.asset_materialization if event is not None else None
    if event is None or made is None:
        out.print("never materialized here", style="yellow")
        return
    moment = dt.datetime.fromtimestamp(event.timestamp, dt.UTC).astimezone()
    what = f"partition {made.partition} " if made.partition is not None else ""
    out.print(f"{what}materialized {ago(event.timestamp)} ({moment:%Y-%m-%d %H:%M:%S %Z}) in run {event.run_id}", style="bold")
    schema, lineage = None, None
    for name, value in made.metadata.items():
        if isinstance(value.value, TableSchema):
            schema = value.value
        elif isinstance(value.value, TableColumnLineage):
            lineage = value.value
        else:
            text = {"row_count": count_text, "byte_size": byte_text}.get(name, str)(value.value).strip()
            out.print(f"{name.replace('_', ' '):<13} {indent(text, ' ' * 14).lstrip()}", soft_wrap=True)
    for name, text in made.tags.items():
        label, upstream = name.removeprefix("warehouse_assets/").replace("_", " "), ""
        if name.startswith(INPUT_DATA_VERSION_TAG):
            label, upstream = "made from", f"{name.removeprefix(INPUT_DATA_VERSION_TAG)} at "
        out.print(f"{label:<13} {upstream}{text}", soft_wrap=True)
    if schema is not None:
        table = new_table("column", "type", "description", *(["made from"] if lineage is not None else []))
        for column in schema:
            sources = [_made_from(lineage, column.name)] if lineage is not None else []
            table.add_row(column.name, column.type, column.description or "", *sources)
        out.print()
        out.print(table)


def _made_from(lineage: TableColumnLineage, column: str) -> str:
    deps = [f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in lineage.deps_by_column.get(column, ())]
    return ", ".join([*deps, *(["?"] if lineage.opaque or column in lineage.opaque_by_column else [])])
