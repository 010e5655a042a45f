"""`wa instance`: where the record of runs is, how much it holds, and forgetting what is old in it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from warehouse_assets.cli.format import byte_text, count_text
from warehouse_assets.cli.options import json_option, open_instance, verbose_option
from warehouse_assets.cli.pools import pool

__all__ = ["instance"]

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


class _Age(click.ParamType[timedelta]):
    """A length of time such as 90d."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        if (match := re.fullmatch(r"([0-9]+)([wdhms])", value.strip())) is None:
            self.fail(f"{value!r} is no age. Write 90d, or another number of w, d, h, m or s.", param, ctx)
        try:
            return timedelta(**{_UNITS[match[2]]: int(match[1])})
        except OverflowError:
            self.fail(f"{value!r} is longer than there are dates.", param, ctx)


@click.group()
def instance() -> None:
    """Show and tend the record of runs."""


instance.add_command(pool)


@instance.command()
@json_option
@verbose_option
def info(as_json: bool, verbose: bool) -> None:
    """Show where the record is, the room it takes, and how much it holds."""
    with open_instance() as record:
        found = record.info()
    if as_json:
        click.echo(json.dumps({**asdict(found), "runs": found.runs}, indent=2))
        return
    counts = ", ".join(f"{count_text(count)} {status.lower()}" for status, count in found.run_counts.items())
    version = "" if found.version is None else f", version {found.version}"
    lines = {
        "record": found.place,
        "kind": f"{found.kind}{version}",
        "size": None if found.byte_size is None else byte_text(found.byte_size),
        "runs": count_text(found.runs) + (f" ({counts})" if counts else ""),
        "events": count_text(found.events),
        "assets": count_text(found.assets),
        "ticks": count_text(found.ticks),
        "backfills": count_text(found.backfills),
    }
    for name, text in lines.items():
        if text is not None:
            click.echo(f"{name:<9}  {text}")


@instance.command()
@click.option(
    "--older-than", type=_Age(), required=True, metavar="AGE", help="Forget what ended longer ago than this, such as 90d."
)
@click.option("--dry-run", is_flag=True, help="Say what would be forgotten, and forget nothing.")
@json_option
@verbose_option
def prune(older_than: timedelta, dry_run: bool, as_json: bool, verbose: bool) -> None:
    """Forget old runs, their events, ticks and backfills. Stored tables are not touched.

    The latest of every asset, partition and check is kept, with the run that made it; so is all that has not ended.
    """
    with open_instance() as record:
        pruned = asdict(record.prune(older_than, dry_run=dry_run))
    if as_json:
        click.echo(json.dumps({**pruned, "dry_run": dry_run}, indent=2))
        return
    told = [f"{count_text(count)} {name if count != 1 else name.removesuffix('s')}" for name, count in pruned.items() if count]
    listed = ", ".join(told) or "nothing"
    click.echo(f"Would forget {listed}." if dry_run else f"Forgot {listed}.")
