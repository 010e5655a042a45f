"""`wa workspace`: the code locations of a project, which of them can be loaded, and the lineage through all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.app import relative_paths
from warehouse_assets.cli.format import console, count_text, new_table
from warehouse_assets.cli.options import json_option, modules_option, verbose_option

if TYPE_CHECKING:
    from warehouse_assets.events import CodeLocation

__all__ = ["workspace"]


@click.group()
def workspace() -> None:
    """Show the code locations of a workspace, and the assets of all of them. Each is loaded in a process of its own."""


@workspace.command("list")
@modules_option
@json_option
@verbose_option
def list_locations(locations: Sequence[CodeLocation], as_json: bool, verbose: bool) -> int:
    """List the locations, and what is wrong with those that cannot be loaded. Exit code 2 where something is."""
    from warehouse_assets.code_location.workspace import Workspace

    with Workspace(locations) as opened:
        facts, errors, faults = opened.snapshots(), opened.errors(), opened.faults()
        rows = []
        for process in opened:
            one, error = facts.get(process.location.name), errors.get(process.location.name)
            counts = {} if one is None else {"assets": len(one.assets), "jobs": len(one.jobs), "schedules": len(one.schedules)}
            counts |= {} if one is None else {"sensors": len(one.sensors)}
            row = {"name": process.location.name, "module": process.location.module, "python": process.location.python}
            told = None if error is None else {"message": relative_paths(str(error)), "traceback": error.traceback}
            rows.append({**row, "working_directory": process.location.working_directory, **counts, "error": told})
    if as_json:
        click.echo(json.dumps({"locations": rows, "faults": faults}, indent=2, ensure_ascii=False))
    else:
        _print(rows, faults, verbose=verbose)
    return 2 if errors or faults else 0


@workspace.command("assets")
@modules_option
@json_option
@verbose_option
def list_assets(locations: Sequence[CodeLocation], as_json: bool, verbose: bool) -> int:
    """List the assets of all locations: a source in one that is an asset in another is one. Exit code 2 where a location is missing."""
    from warehouse_assets.code_location.workspace import Workspace

    with Workspace(locations) as opened:
        joined, errors = opened.assets(), opened.errors()
    if as_json:
        rows = [
            {
                "key": key.to_user_string(),
                "location": asset.location,
                "also_in": list(asset.sources),
                "source": not asset.facts.is_executable,
                "group": asset.facts.group,
                "upstream": [parent.to_user_string() for parent in asset.parents],
                "downstream": [child.to_user_string() for child in asset.children],
            }
            for key, asset in joined.items()
        ]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        table = new_table("asset", "location", "made from", "used in")
        for key, asset in joined.items():
            made = "" if asset.facts.is_executable else " (source)"
            upstream = ", ".join(parent.to_user_string() for parent in asset.parents)
            table.add_row(key.to_user_string() + made, asset.location, upstream, ", ".join(asset.sources))
        console().print(table)
    for error in errors.values():
        click.echo(f"Error: {relative_paths(str(error))}", err=True)
    return 2 if errors else 0


def _print(rows: Sequence[dict[str, Any]], faults: Sequence[str], *, verbose: bool) -> None:
    out = console()
    table = new_table(
        "location", "module", "assets", "jobs", "schedules", "sensors", "", numeric=("assets", "jobs", "schedules", "sensors")
    )
    for row in rows:
        counts = ["" if name not in row else count_text(row[name]) for name in ("assets", "jobs", "schedules", "sensors")]
        table.add_row(row["name"], row["module"], *counts, "loaded" if row["error"] is None else "cannot be loaded")
    out.print(table)
    for row in rows:
        if row["error"] is not None:
            error = row["error"]["traceback"] if verbose and row["error"]["traceback"] else row["error"]["message"]
            out.print(f"\nError: {error}", style="red", soft_wrap=True)
    for fault in faults:
        out.print(f"\nError: {fault}", style="red", soft_wrap=True)
