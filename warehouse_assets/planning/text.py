"""A plan as lines of text, each a few pieces with a style, which a terminal may show as a colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from warehouse_assets.graph.causes import cause_text
from warehouse_assets.planning.changes import ColumnChange
from warehouse_assets.planning.plan import Fault, Plan, PlannedAsset
from warehouse_assets.tables import TableSchema

__all__ = ["html_of", "lines_of"]

Line: TypeAlias = "tuple[tuple[str, str], ...]"  # text and style, piece by piece

SHOWN_CAUSES = 3
SHOWN_COLUMNS = 12  # of a table that is new
SHOWN_REACHED = 8

_GOOD, _CHANGED, _BAD, _QUIET, _HEAD = "green", "yellow", "red", "dim", "bold"
_SIGNS = {"added": ("+", _GOOD), "removed": ("-", _BAD), "retyped": ("~", _CHANGED)}


def lines_of(plan: Plan) -> Iterator[Line]:
    """The assets of a plan, in their order, and what it comes to."""
    names = max((len(asset.key.to_user_string()) for asset in plan.assets), default=0)
    for asset in plan.assets:
        yield from _asset(asset, names)
    if plan.assets:
        yield ()
    yield from _summary(plan)


def _asset(asset: PlannedAsset, width: int) -> Iterator[Line]:
    sign, style = _sign(asset)
    why = _why(asset)
    head = ((f"{sign} ", style), (asset.key.to_user_string().ljust(width), _HEAD), (f"  {why[0]}", "") if why else ("", ""))
    yield head
    yield from (((" " * (width + 4) + text, ""),) for text in why[1:])
    for fault in asset.faults:
        yield from _fault(fault)
    if asset.sql is not None:
        yield (("    SQL", _QUIET),)
        yield from (((f"      {line}", _style_of(line)),) for line in asset.sql.diff)
    yield from _columns(asset)


def _sign(asset: PlannedAsset) -> tuple[str, str]:
    if asset.faults:
        return "!", _BAD
    return ("+", _GOOD) if _is_new(asset) else ("~", _CHANGED)


def _is_new(asset: PlannedAsset) -> bool:
    return asset.state == "missing" and asset.stored is None


def _why(asset: PlannedAsset) -> Sequence[str]:
    """Why it is made, or that it is not."""
    if not asset.runs:
        return ["not made by this run; it would fail the next time"]
    if asset.state == "fresh":
        return ["fresh"]
    causes = [cause_text(cause, asset.key) for cause in asset.causes[:SHOWN_CAUSES]]
    if more := len(asset.causes) - len(causes):
        causes.append(f"and {more} more")
    return causes or ["some partitions are missing" if asset.state == "stale" else str(asset.state)]


def _fault(fault: Fault) -> Iterator[Line]:
    yield ("    breaks at ", _BAD), (fault.where, _HEAD)
    if fault.column is not None and fault.upstream is not None:
        yield ((f"      {fault.upstream.to_user_string()} has no column {fault.column!r} any more", _BAD),)
    yield from (((f"      {text}", ""),) for text in fault.message.splitlines() if text.strip())
    if fault.reaches:
        more = len(fault.reaches) - SHOWN_REACHED
        each = (str(node) if node.column is not None else f"the rows of {node}" for node in fault.reaches[:SHOWN_REACHED])
        names = ", ".join(each) + (f" and {more} more" if more > 0 else "")
        yield ((f"      reaches {names}", _QUIET),)


def _columns(asset: PlannedAsset) -> Iterator[Line]:
    if asset.unknown is not None:
        yield ("    columns unknown", _QUIET), (f": {asset.unknown.splitlines()[0]}", _QUIET)
    elif asset.predicted is not None and asset.stored is None:
        yield (("    columns", _QUIET),)
        yield from _listed(asset.predicted, "+" if _is_new(asset) else " ")
    elif asset.changes:
        yield (("    columns", _QUIET),)
        width = max(len(change.name) for change in asset.changes)
        yield from (_change(change, width) for change in asset.changes)


def _listed(schema: TableSchema, sign: str) -> Iterator[Line]:
    """The columns of a table that is new, or of which it is not known what it has."""
    shown = schema.columns[:SHOWN_COLUMNS]
    width = max((len(column.name) for column in shown), default=0)
    for column in shown:
        yield ((f"      {sign} {column.name.ljust(width)}  {column.type}", _style_of(sign)),)
    if more := len(schema.columns) - len(shown):
        yield ((f"      and {more} more", _QUIET),)


def _change(change: ColumnChange, width: int) -> Line:
    sign, style = _SIGNS[change.kind]
    kind = f"{change.old} → {change.new}" if change.kind == "retyped" else change.new or change.old
    return ((f"      {sign} {change.name.ljust(width)}  {kind}", style),)


def _style_of(line: str) -> str:
    return {"+": _GOOD, "-": _BAD}.get(line[:1], _QUIET)


def _summary(plan: Plan) -> Iterator[Line]:
    runs, broken = plan.runs, plan.broken
    if not runs:
        yield ((f"Nothing to do: {_nothing_to_do(plan)}", _GOOD),)
        return
    new = sum(map(_is_new, runs))
    parts = [f"{new} new"] * bool(new) + [f"{len(runs) - new} anew"] * bool(len(runs) - new)
    yield ((f"{_count(len(runs), 'asset')} to make: {', '.join(parts)}", _HEAD),)
    if broken:
        names = ", ".join(asset.key.to_user_string() for asset in broken)
        yield ((f"{_count(len(broken), 'asset')} would break: {names}", _BAD),)


def _nothing_to_do(plan: Plan) -> str:
    fresh, waiting = plan.selected - plan.waiting, plan.waiting
    waits = f"wait{'s' * (waiting == 1)} for what is upstream and not selected"
    if not waiting:
        return "the asset is fresh" if fresh == 1 else f"all {fresh} assets are fresh"
    if not fresh:
        return f"the asset {waits}" if waiting == 1 else f"all {waiting} assets {waits}"
    return f"{fresh} of {plan.selected} assets {'is' if fresh == 1 else 'are'} fresh, {waiting} {waits}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def html_of(plan: Plan) -> str:
    """The lines for a notebook."""
    from html import escape

    colours = {_GOOD: "#22a06b", _CHANGED: "#c98a12", _BAD: "#e5484d"}
    text = "\n".join(
        "".join(
            f'<span style="color:{colours[style]}">{escape(piece)}</span>' if style in colours else escape(piece)
            for piece, style in line
        )
        for line in lines_of(plan)
    )
    return f'<pre style="background:none;line-height:1.4">{text}</pre>'
