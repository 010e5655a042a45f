"""`wa status`: what is missing, stale or fresh, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.format import console, new_table
from warehouse_assets.cli.options import json_option, load, module_option, open_instance, verbose_option
from warehouse_assets.cli.partitions import partition_facts

if TYPE_CHECKING:
    from rich.console import Console

    from warehouse_assets.graph.staleness import AssetStatus, StaleCause
    from warehouse_assets.keys import AssetKey

__all__ = ["cause_text", "nothing_to_do", "status"]

SHOWN_CAUSES = 3
SHOWN_OF_A_VERSION = 8  # characters of one that is long, as hashes are

_STYLES = {"missing": "red", "stale": "yellow", "fresh": "green"}


@click.command()
@module_option
@click.option("-s", "--select", "selection", metavar="SELECTION", help='Which assets, such as "group:marts".')
@json_option
@verbose_option
def status(module: str, selection: str | None, as_json: bool, verbose: bool) -> None:
    """Say which assets of MODULE are missing, stale or fresh, and why they are stale. Nothing is made.

    An asset is stale when its code, its dependencies, or the data it was made from changed since, or when something upstream is
    missing or stale. `wa materialize --stale` makes what is not fresh. A partitioned asset is judged by the partition made last;
    how many there are is told too.
    """
    definitions = load(module, verbose=verbose)
    with open_instance() as instance:
        found = definitions.status(selection, instance=instance)
        partitions = {key: facts for key in found if (facts := partition_facts(definitions.graph[key], instance)) is not None}
    if as_json:
        told = [_as_json(key, found[key]) | ({"partitions": partitions[key]} if key in partitions else {}) for key in found]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _print(console(), found, partitions)


def _print(out: Console, found: Mapping[AssetKey, AssetStatus], partitions: Mapping[AssetKey, Mapping[str, Any]]) -> None:
    from rich.text import Text

    table = new_table("asset", "status", "why")
    for key, asset in found.items():
        causes = [cause_text(cause, key) for cause in asset.causes[:SHOWN_CAUSES]]
        if more := len(asset.causes) - len(causes):
            causes.append(f"and {more} more")
        if (facts := partitions.get(key)) and facts["materialized"] < facts["total"]:
            causes.append(f"{facts['materialized']:,} of {facts['total']:,} partitions were made")
        table.add_row(key.to_user_string(), Text(asset.state, _STYLES[asset.state]), "\n".join(causes))
    out.print(table)
    counts = Counter(str(asset.state) for asset in found.values())
    told = ", ".join(f"{counts[state]} {state}" for state in _STYLES if counts[state])
    out.print(f"\n{len(found)} {'asset' if len(found) == 1 else 'assets'}: {told or 'none to make'}", style="bold")


def cause_text(cause: StaleCause, of: AssetKey | None = None) -> str:
    """Why the asset `of` is stale, in a few words."""
    name = cause.key.to_user_string()
    match cause.kind:
        case "code":
            return f"{'its code' if cause.key == of else f'the code of {name}'} changed{_from_to(cause)}"
        case "data":
            return f"{name} changed{_from_to(cause)}"
        case "dependency added":
            return f"{name} became a dependency"
        case "dependency removed":
            return f"{name} is no dependency any more"
    if cause.root is None:
        return f"{name} is missing"
    return f"{name} is stale: {cause_text(cause.root, cause.key)}"


def _from_to(cause: StaleCause) -> str:
    if cause.old is None:
        return ""
    return f" ({_short(cause.old)} → {_short(cause.new)})"


def _short(version: str | None) -> str:
    text = version or "none"
    return text if len(text) < 2 * SHOWN_OF_A_VERSION else f"{text[:SHOWN_OF_A_VERSION]}…"


def _as_json(key: AssetKey, asset: AssetStatus) -> dict[str, Any]:
    return {
        "key": key.to_user_string(),
        "status": asset.state,
        "causes": [_cause_as_json(cause) for cause in asset.causes],
    }


def _cause_as_json(cause: StaleCause) -> dict[str, Any]:
    root = _cause_as_json(cause.root) if cause.root is not None else None
    return {"kind": cause.kind, "key": cause.key.to_user_string(), "old": cause.old, "new": cause.new, "root": root}


def nothing_to_do(found: Mapping[AssetKey, AssetStatus]) -> str:
    """Why a run of what is stale has no steps."""
    stale = sum(asset.state != "fresh" for asset in found.values())
    if stale:
        return (
            f"Nothing to do: {stale} of {len(found)} selected assets are stale for what is upstream of them, and not selected"
        )
    return f"Nothing to do: {'the asset is' if len(found) == 1 else f'all {len(found)} assets are'} fresh"
