"""`wa status`: what is missing, stale or fresh, and why."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.format import console, count_text, new_table
from warehouse_assets.cli.options import json_option, load, module_option_across, open_instance, verbose_option
from warehouse_assets.execution.freshness import asset_freshness
from warehouse_assets.graph.causes import cause_text

if TYPE_CHECKING:
    from rich.console import Console

    from warehouse_assets.graph.freshness import Freshness
    from warehouse_assets.graph.staleness import AssetStatus, PartitionCounts, StaleCause
    from warehouse_assets.keys import AssetKey

__all__ = ["cause_as_json", "cause_text", "counts_text", "freshness_text", "nothing_to_do", "status"]

SHOWN_CAUSES = 3

_STYLES = {"missing": "red", "stale": "yellow", "fresh": "green"}


@click.command()
@module_option_across("each")
@click.option("-s", "--select", "selection", metavar="SELECTION", help='Which assets, such as "group:marts".')
@click.option("--partition", metavar="KEY", help="Which partition of partitioned assets; all of them unless given.")
@json_option
@verbose_option
def status(module: str, selection: str | None, partition: str | None, as_json: bool, verbose: bool) -> None:
    """Say which assets of MODULE are missing, stale or fresh, and why they are stale. Nothing is made.

    An asset is stale when its code, its dependencies, or the data it was made from changed since, or when something upstream is
    missing or stale. Of a partitioned asset that is told of all its partitions together, or of one. `wa materialize --stale` makes
    what is not fresh. What is older than its freshness policy allows is told too.
    """
    definitions = load(module, verbose=verbose)
    with open_instance() as instance:
        found = definitions.status(selection, instance=instance, partition_key=partition)
        ages = asset_freshness(definitions.graph, instance, time.time(), found)
    if as_json:
        told = [{**_as_json(key, found[key]), **({"freshness": asdict(ages[key])} if key in ages else {})} for key in found]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _print(console(), found, ages)


def _print(out: Console, found: Mapping[AssetKey, AssetStatus], ages: Mapping[AssetKey, Freshness]) -> None:
    from rich.text import Text

    table = new_table("asset", "status", "why")
    for key, asset in found.items():
        why = [cause_text(cause, key) for cause in asset.causes[:SHOWN_CAUSES]]
        if more := len(asset.causes) - len(why):
            why.append(f"and {more} more")
        if asset.partitions is not None and asset.state != "fresh":
            why.insert(0, counts_text(asset.partitions))
        if key in ages and ages[key].state in ("WARN", "FAIL"):
            why.append(freshness_text(ages[key]))
        table.add_row(key.to_user_string(), Text(asset.state, _STYLES[asset.state]), "\n".join(why))
    out.print(table)
    counts = Counter(str(asset.state) for asset in found.values())
    told = ", ".join(f"{counts[state]} {state}" for state in _STYLES if counts[state])
    out.print(f"\n{len(found)} {'asset' if len(found) == 1 else 'assets'}: {told or 'none to make'}", style="bold")


def freshness_text(age: Freshness) -> str:
    """How fresh a table is by its policy.

    >>> from warehouse_assets.graph.freshness import Freshness
    >>> freshness_text(Freshness("WARN", "it was made more than 1 hour ago", 0.0))
    'freshness WARN: it was made more than 1 hour ago'
    """
    return f"freshness {age.state}: {age.reason}"


def counts_text(partitions: PartitionCounts) -> str:
    """How many partitions are not fresh.

    >>> from warehouse_assets.graph.staleness import PartitionCounts
    >>> counts_text(PartitionCounts(missing=3, stale=1, fresh=2))
    '3 of 6 partitions missing, 1 stale'
    """
    if not partitions.total:
        return "there are no partitions yet"
    of = f" of {count_text(partitions.total)} partitions"
    if not partitions.missing:
        return f"{count_text(partitions.stale)}{of} stale"
    stale = f", {count_text(partitions.stale)} stale" if partitions.stale else ""
    return f"{count_text(partitions.missing)}{of} missing{stale}"


def _as_json(key: AssetKey, asset: AssetStatus) -> dict[str, Any]:
    causes = [cause_as_json(cause) for cause in asset.causes]
    told = {"key": key.to_user_string(), "status": asset.state, "causes": causes}
    if (counts := asset.partitions) is None:
        return told
    return {**told, "partitions": {"total": counts.total, "materialized": counts.stale + counts.fresh, **asdict(counts)}}


def cause_as_json(cause: StaleCause) -> dict[str, Any]:
    """A cause for programs."""
    root = cause_as_json(cause.root) if cause.root is not None else None
    told = {"kind": cause.kind, "key": cause.key.to_user_string(), "old": cause.old, "new": cause.new, "root": root}
    some = {"partitions": cause.partitions, "of": cause.of}
    return told | {name: asdict(partitions) for name, partitions in some.items() if partitions is not None}


def nothing_to_do(found: Mapping[AssetKey, AssetStatus]) -> str:
    """Why a run of what is stale has no steps."""
    stale = sum(asset.state != "fresh" for asset in found.values())
    if stale:
        return (
            f"Nothing to do: {stale} of {len(found)} selected assets are stale for what is upstream of them, and not selected"
        )
    return f"Nothing to do: {'the asset is' if len(found) == 1 else f'all {len(found)} assets are'} fresh"
