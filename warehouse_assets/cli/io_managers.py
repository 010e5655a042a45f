"""`wa io-managers`: which there are, and what is to be installed."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from warehouse_assets.cli.format import console, new_table
from warehouse_assets.cli.options import json_option, verbose_option

__all__ = ["io_managers"]


@click.command("io-managers")
@json_option
@verbose_option
def io_managers(as_json: bool, verbose: bool) -> None:
    """List the I/O managers that are registered, by the scheme of their URIs, and what is to be installed for those that lack something."""
    from warehouse_assets.io_manager.installed import known_io_managers

    known = known_io_managers()
    if as_json:
        rows = [{**asdict(one), "installed": one.is_installed} for one in known]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = new_table("URI", "I/O manager", "from", "installed")
    for one in known:
        uri = "where no other is given" if one.scheme == "default" else f"{one.scheme}://"
        table.add_row(uri, one.name, one.package, "yes" if one.is_installed else f"no: {one.hint}")
    console().print(table)
