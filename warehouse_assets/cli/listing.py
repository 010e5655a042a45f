"""`wa list`: the assets and sources of a module."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.format import ago, byte_text, console, count_text, new_table
from warehouse_assets.cli.options import json_option, load, module_option_across, open_instance, verbose_option

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.events import Event
    from warehouse_assets.graph.asset_graph import AssetNode

__all__ = ["list_assets"]


@click.command("list")
@module_option_across("each")
@click.option("-s", "--select", "selection", metavar="SELECTION", help='Which assets, such as "group:marts".')
@json_option
@verbose_option
def list_assets(module: str, selection: str | None, as_json: bool, verbose: bool) -> None:
    """List the assets and sources of MODULE, each after all it depends on, and its jobs."""
    from warehouse_assets.graph.selection import AssetSelection

    definitions = load(module, verbose=verbose)
    graph = definitions.graph
    wanted = AssetSelection.of(selection).resolve(graph) if selection else set(graph.nodes)
    nodes = [node for node in graph if node.key in wanted]
    with open_instance() as instance:
        latest = instance.get_latest_materialization_events([node.key for node in nodes])
    rows = [_row(node, latest.get(node.key)) for node in nodes]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = new_table("asset", "group", "kind", "made from", "rows", "bytes", "materialized", numeric=("rows", "bytes"))
    for row in rows:
        made = ago(row["materialized"]) if row["materialized"] else ("source" if row["source"] else "never")
        upstream = ", ".join(row["upstream"])
        table.add_row(
            row["key"],
            row["group"],
            ", ".join(row["kinds"]),
            upstream,
            count_text(row["row_count"]),
            byte_text(row["byte_size"]),
            made,
        )
    out = console()
    out.print(table)
    if definitions.jobs and selection is None:
        out.print(_table_of_jobs(definitions))


def _table_of_jobs(definitions: Definitions) -> Any:
    from warehouse_assets.graph.selection import AssetSelection

    table = new_table("job", "assets", "selection", "description", numeric=("assets",))
    for job in definitions.jobs:
        count = len(definitions.get_job_def(job.name).asset_keys)
        table.add_row(job.name, count_text(count), str(AssetSelection.of(job.selection)), job.description or "")
    return table


def _row(node: AssetNode, event: Event | None) -> dict[str, Any]:
    made = event.asset_materialization if event is not None else None
    values = {name: value.value for name, value in made.metadata.items()} if made is not None else {}
    return {
        "key": node.key.to_user_string(),
        "group": node.group_name,
        "kinds": sorted(node.spec.kinds),
        "description": node.spec.description,
        "source": not node.is_executable,
        "upstream": [key.to_user_string() for key in node.parents],
        "row_count": values.get("row_count"),
        "byte_size": values.get("byte_size"),
        "materialized": event.timestamp if event is not None else None,
        "run_id": event.run_id if event is not None else None,
    }
