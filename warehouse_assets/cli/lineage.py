"""`wa lineage`: where a table or a column comes from, and where it goes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from warehouse_assets.cli.app import relative_paths
from warehouse_assets.cli.options import json_option, key_among, load_location, modules_option, open_instance, verbose_option

if TYPE_CHECKING:
    from warehouse_assets.events import CodeLocation
    from warehouse_assets.graph.tracing import Direction, LineageLink, LineageNode, LineageTrace
    from warehouse_assets.keys import AssetKey

__all__ = ["lineage"]

_SIGNS = {"direct": "", "table": "", "rows": "chooses rows", "unknown": "not known"}


@click.command()
@click.argument("name", metavar="KEY[.COLUMN]")
@modules_option
@click.option("--upstream", is_flag=True, help="What it is made from; so unless --downstream is given.")
@click.option("--downstream", is_flag=True, help="What is made from it.")
@click.option("--depth", type=click.IntRange(min=1), help="At most this many tables away.")
@click.option("--rows", is_flag=True, help="Columns that decide which rows a table has, too.")
@click.option("--format", "form", type=click.Choice(["text", "mermaid", "json"]), default="text", help="How to write it.")
@json_option
@verbose_option
def lineage(
    name: str,
    locations: Sequence[CodeLocation],
    upstream: bool,
    downstream: bool,
    depth: int | None,
    rows: bool,
    form: str,
    as_json: bool,
    verbose: bool,
) -> None:
    """Show what a table of MODULE, or one of its columns, is made from, and what is made from it."""
    directions: list[Direction] = ["upstream"] if upstream or not downstream else []
    directions += ["downstream"] if downstream else []
    write = {"text": _as_text, "mermaid": _as_mermaid, "json": _as_json}["json" if as_json else form]
    if len(locations) > 1:
        click.echo(write(_joined(locations, name, directions, depth)))
        return
    definitions = load_location(locations[0], verbose=verbose)
    key, column = _named(definitions.graph.nodes, name)
    if column is None:
        from warehouse_assets.graph.tracing import trace_assets

        traces = [trace_assets(definitions.graph, key, direction, depth) for direction in directions]
    else:
        with open_instance() as instance:
            traces = [
                definitions.column_lineage(key, column, direction=direction, depth=depth, rows=rows, instance=instance)
                for direction in directions
            ]
    click.echo(write(traces))


def _joined(
    locations: Sequence[CodeLocation], name: str, directions: Sequence[Direction], depth: int | None
) -> list[LineageTrace]:
    """The lineage of a table through several code locations; those that cannot be loaded are told, and left out."""
    from warehouse_assets.code_location.workspace import Workspace
    from warehouse_assets.graph.tracing import trace_assets

    with Workspace(locations) as workspace:
        assets, errors = workspace.assets(), workspace.errors()
    for error in errors.values():
        click.echo(f"Warning: {relative_paths(str(error))}", err=True)
    key, column = _named(assets, name)
    if column is not None:
        raise click.UsageError(f"The column {column!r} can be followed in one location only. Give one module.")
    return [trace_assets(assets, key, direction, depth) for direction in directions]


def _named(nodes: Mapping[AssetKey, Any], name: str) -> tuple[AssetKey, str | None]:
    """The table that is meant, and its column; a key or a column may hold dots, and the longest key that is there is meant."""
    from warehouse_assets.errors import InvalidSelectionError

    pieces = name.split(".")
    fault: InvalidSelectionError | None = None
    for count in range(len(pieces), 0, -1):
        try:
            key = key_among(nodes, ".".join(pieces[:count]))
        except InvalidSelectionError as error:
            fault = error
        else:
            return key, ".".join(pieces[count:]) or None
    raise fault or InvalidSelectionError("no asset is named")


def _as_text(traces: list[LineageTrace]) -> str:
    lines: list[str] = []
    for trace in traces:
        if len(traces) > 1:
            lines += ["", f"{trace.direction}:"] if lines else [f"{trace.direction}:"]
        shown: set[LineageNode] = set()
        for node in trace.start:
            lines += [*_tree(trace, node, shown)]
    return "\n".join(lines)


def _tree(trace: LineageTrace, node: LineageNode, shown: set[LineageNode]) -> Iterator[str]:
    """A node with all that follows it; what was shown before is not shown with what follows again."""
    stack: list[tuple[LineageNode, LineageLink | None, str, str]] = [(node, None, "", "")]
    while stack:
        at, link, before, indent = stack.pop()
        links = trace.next(at)
        again = at in shown and bool(links)
        shown.add(at)
        yield before + _line(trace, at, link, again=again)
        following = [] if again else [(trace.ends(each)[1], each) for each in links]
        for number, (far, each) in enumerate(reversed(following)):
            stack.append(
                (far, each, indent + ("└── " if number == 0 else "├── "), indent + ("    " if number == 0 else "│   "))
            )


def _line(trace: LineageTrace, node: LineageNode, link: LineageLink | None, *, again: bool) -> str:
    notes = [_SIGNS.get(link.kind, link.kind)] if link is not None else []
    notes += [trace.opaque[node]] if node in trace.opaque else []
    notes += ["as above"] if again else []
    said = "; ".join(note for note in notes if note)
    return f"{node}  ({said})" if said else str(node)


def _as_mermaid(traces: list[LineageTrace]) -> str:
    nodes = dict.fromkeys(node for trace in traces for node in trace.nodes)
    names = {node: f"n{number}" for number, node in enumerate(nodes)}
    opaque = {node: why for trace in traces for node, why in trace.opaque.items()}
    lines = ["flowchart LR"]
    tables: dict[AssetKey, list[LineageNode]] = {}
    for node in nodes:
        tables.setdefault(node.asset_key, []).append(node)
    for number, (key, members) in enumerate(tables.items()):
        columns = [node for node in members if node.column is not None]
        lines += [f"  {names[node]}[{_quoted(str(node))}]" for node in members if node.column is None]
        if columns:
            lines.append(f"  subgraph t{number}[{_quoted(key.to_user_string())}]")
            lines += [f"    {names[node]}[{_quoted(node.column or '')}]" for node in columns]
            lines.append("  end")
    for link in dict.fromkeys(link for trace in traces for link in trace.links):
        said = _SIGNS.get(link.kind, link.kind)
        lines.append(f"  {names[link.source]} -->{f'|{said}|' if said else ''} {names[link.target]}")
    if opaque:
        lines.append("  classDef opaque stroke-dasharray: 4 3")
        lines.append(f"  class {','.join(names[node] for node in opaque)} opaque")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """A label that mermaid takes as it is."""
    signs = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\n": " "}
    return '"' + "".join(signs.get(sign, sign) for sign in text) + '"'


def _as_json(traces: list[LineageTrace]) -> str:
    return json.dumps({trace.direction: _object(trace) for trace in traces}, indent=2, ensure_ascii=False)


def _object(trace: LineageTrace) -> dict[str, Any]:
    show = _node_object
    return {
        "start": [show(node) for node in trace.start],
        "links": [{"source": show(link.source), "target": show(link.target), "kind": link.kind} for link in trace.links],
        "opaque": [{**show(node), "reason": why} for node, why in trace.opaque.items()],
    }


def _node_object(node: LineageNode) -> dict[str, Any]:
    return {"asset": node.asset_key.to_user_string(), "column": node.column}
