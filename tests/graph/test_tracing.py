from __future__ import annotations

import pytest

from warehouse_assets import AssetKey, SourceAsset, TableColumnDep, TableColumnLineage, asset
from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.tracing import Direction, LineageNode, LineageTrace, trace_assets, trace_columns


def graph() -> AssetGraph:
    @asset(deps=["raw"])
    def orders() -> None: ...

    @asset(deps=["orders"])
    def days() -> None: ...

    @asset(deps=["orders", "days"])
    def weeks() -> None: ...

    @asset(deps=["weeks", "days"])
    def plot() -> None: ...

    return AssetGraph.build([SourceAsset("raw"), orders, days, weeks, plot])


def dep(text: str) -> TableColumnDep:
    return TableColumnDep(*text.split("."))


LINEAGES = {
    AssetKey("orders"): TableColumnLineage(
        {"id": [dep("raw.id")], "paid": [dep("raw.PAID")]}, {"id": "direct", "paid": "direct"}
    ),
    AssetKey("days"): TableColumnLineage(
        {"day": [], "paid": [dep("orders.paid")]}, {"paid": "aggregated"}, [dep("orders.id")], {"day": "a function makes it"}
    ),
    AssetKey("weeks"): TableColumnLineage({"paid": [dep("days.paid"), dep("orders.paid")]}, {"paid": "derived"}),
}


def links(trace: LineageTrace) -> list[str]:
    return [f"{link.target} <- {link.source} {link.kind}" for link in trace.links]


def traced(start: str, direction: Direction, depth: int | None = None, *, rows: bool = False) -> LineageTrace:
    key, _, column = start.partition(".")
    columns = {AssetKey("raw"): ["id", "paid"]}
    return trace_columns(graph(), LINEAGES, columns, [LineageNode(AssetKey(key), column)], direction, depth, rows=rows)


def test_a_column_is_followed_to_what_it_is_made_from_each_link_once() -> None:
    assert links(traced("weeks.paid", "upstream")) == [
        "weeks.paid <- days.paid derived",
        "weeks.paid <- orders.paid derived",
        "days.paid <- orders.paid aggregated",
        "orders.paid <- raw.PAID direct",
    ]


def test_a_column_is_followed_to_what_is_made_from_it_up_to_where_nothing_is_known() -> None:
    trace = traced("raw.paid", "downstream")

    assert links(trace) == [
        "orders.paid <- raw.paid direct",
        "days.paid <- orders.paid aggregated",
        "weeks.paid <- orders.paid derived",
        "plot <- days.paid unknown",
        "weeks.paid <- days.paid derived",
        "plot <- weeks.paid unknown",
    ]
    assert trace.opaque == {LineageNode(AssetKey("plot")): "Python makes it from this table"}


@pytest.mark.parametrize(
    ("start", "direction", "expected"),
    [
        ("days.paid", "upstream", ["days.paid <- orders.paid aggregated", "days.paid <- orders.id rows"]),
        ("orders.id", "downstream", ["days <- orders.id rows"]),
    ],
)
def test_columns_that_choose_rows_are_followed_where_asked_for(start: str, direction: Direction, expected: list[str]) -> None:
    assert links(traced(start, direction, 1, rows=True)) == expected


@pytest.mark.parametrize(
    ("start", "reason"),
    [("days.day", "a function makes it"), ("plot.line", "Python makes it: what its columns are made from is not recorded")],
)
def test_it_is_said_where_a_way_is_lost(start: str, reason: str) -> None:
    trace = traced(start, "upstream")

    assert (trace.links, [*trace.opaque.values()]) == ((), [reason])


def test_a_column_is_found_whatever_its_case_and_an_unknown_one_is_refused() -> None:
    assert traced("weeks.PAID", "upstream").start == (LineageNode(AssetKey("weeks"), "paid"),)
    with pytest.raises(InvalidSelectionError, match=r"the table of 'raw' has no column 'pad'. Did you mean 'paid'\?"):
        traced("raw.pad", "downstream")


@pytest.mark.parametrize(
    ("direction", "depth", "expected"),
    [
        ("upstream", 1, ["weeks <- orders table", "weeks <- days table"]),
        ("upstream", None, ["weeks <- orders table", "weeks <- days table", "orders <- raw table", "days <- orders table"]),
        ("downstream", None, ["plot <- weeks table"]),
    ],
)
def test_tables_are_followed_as_far_as_asked_for(direction: Direction, depth: int | None, expected: list[str]) -> None:
    assert links(trace_assets(graph(), AssetKey("weeks"), direction, depth)) == expected
