"""`wa instance pool`: how many steps a pool holds at once, and which it holds."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from warehouse_assets.cli.format import ago, console, new_table
from warehouse_assets.cli.options import json_option, open_instance, verbose_option

__all__ = ["pool"]


@click.command()
@click.argument("name", required=False)
@click.argument("limit", type=click.IntRange(min=0), required=False)
@click.option("--unset", is_flag=True, help="Forget the limit: the pool holds any number.")
@json_option
@verbose_option
def pool(name: str | None, limit: int | None, unset: bool, as_json: bool, verbose: bool) -> None:
    """Show the pools, or the pool NAME, and what they hold; or let NAME hold at most LIMIT steps at once.

    Steps name their pool by `pool="NAME"`. A LIMIT of 0 lets none begin.
    """
    if unset and (name is None or limit is not None):
        raise click.UsageError("--unset goes with the NAME of a pool, and no LIMIT.")
    with open_instance(create=limit is not None or unset) as instance:
        log = instance.event_log
        if name is not None and (limit is not None or unset):
            log.set_pool_limit(name, limit)
        limits, slots = log.get_pool_limits(), log.get_slots(name)
    names = sorted({*limits, *(slot.pool for slot in slots)}) if name is None else [name]
    if as_json:
        told = [
            {"pool": one, "limit": limits.get(one), "held": [asdict(slot) for slot in slots if slot.pool == one]}
            for one in names
        ]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    table = new_table("pool", "limit", "held", "step", "run", "since", numeric=("limit", "held"))
    for one in names:
        held = [slot for slot in slots if slot.pool == one]
        table.add_row(one, str(limits.get(one, "none")), str(len(held)), "", "", "")
        for slot in held:
            table.add_row("", "", "", slot.step_key, slot.run_id, ago(slot.claimed))
    console().print(table)
