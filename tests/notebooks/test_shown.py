"""What objects show of themselves in a notebook, without a notebook."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import pytest

from warehouse_assets import (
    AssetKey,
    AssetOut,
    AssetSpec,
    Definitions,
    RunResult,
    SourceAsset,
    Table,
    TableColumn,
    TableSchema,
    asset,
    materialize,
    multi_asset,
)
from warehouse_assets.definitions.assets import AssetsDefinition

HOSTILE = """<script>alert("x")</script>'&\0"""


def words(thing: Any) -> list[str]:
    """All that is to be read; fails where anything is not escaped or closed."""
    page = ElementTree.fromstring(f"<page>{thing._repr_html_()}</page>")

    assert not any(element.tag.endswith("script") for element in page.iter())

    return list(page.itertext())


@asset(key_prefix="staging", group_name="staging", owners=["team:sales"], kinds={"polars"}, tags={"tier": "1"})
def orders() -> list[int]:
    """Orders as they were placed."""
    return [1]


@asset
def totals(orders: Any) -> int:
    return sum(orders)


@asset
def broken(orders: Any) -> None:
    raise ValueError(HOSTILE)


@asset
def report(broken: Any) -> None: ...


@pytest.fixture(scope="module")
def result() -> RunResult:
    return materialize([orders, totals, broken, report], raise_on_error=False)


def test_definitions_and_their_graph_show_the_lineage() -> None:
    defs = Definitions([SourceAsset("raw"), orders, totals])

    assert {"raw", "staging/orders", "totals"} <= set(words(defs))
    assert words(defs.graph) == words(defs)


def test_a_selection_is_drawn() -> None:
    drawn = words(Definitions([orders, totals]).lineage("key:totals"))

    assert "totals" in drawn
    assert "staging/orders" not in drawn


def test_a_large_graph_says_how_a_part_is_drawn() -> None:
    defs = Definitions([AssetSpec(f"t{number}", group_name="raw") for number in range(61)])

    assert words(defs)[:5] == ["group", "assets", "sources", "raw", "61"]
    assert ".lineage(" in words(defs)[-1]


def test_a_result_is_a_table_of_its_steps(result: RunResult) -> None:
    shown = words(result)

    assert shown[:5] == ["step", "status", "rows", "bytes", "time"]
    assert [shown[shown.index(name) + 1] for name in ("staging/orders", "totals", "broken", "report")] == [
        "success",
        "success",
        "failure",
        "skipped",
    ]
    assert any("ValueError: <script>" in text for text in shown)


def test_an_asset_is_a_card() -> None:
    shown = words(orders)

    assert shown[:2] == ["staging/orders", "Orders as they were placed."]
    assert {"staging", "team:sales", "polars", "tier=1"} <= set(shown)


def test_a_multi_asset_names_all_it_makes() -> None:
    @multi_asset(outs={"good": AssetOut(), "bad": AssetOut()})
    def split(orders: Any) -> Any: ...

    assert words(split)[:3] == ["split", "makes", "bad, good"]


def test_a_source_and_a_table_are_cards() -> None:
    assert words(SourceAsset("raw/orders", description="From the shop."))[:2] == ["raw/orders (source)", "From the shop."]
    assert '"raw"."orders"' in words(Table(AssetKey(["raw", "orders"])))


def test_a_schema_is_a_table_of_columns() -> None:
    schema = TableSchema((TableColumn("id", "BIGINT", nullable=False), TableColumn("name", "VARCHAR", description="Of whom")))

    assert words(schema) == ["column", "type", "description", "id", "BIGINT", "not null", "name", "VARCHAR", "Of whom"]


@pytest.mark.parametrize(
    "thing",
    [
        SourceAsset(AssetKey([HOSTILE]), description=HOSTILE),
        Definitions([SourceAsset(AssetKey([HOSTILE]), description=HOSTILE)]),
        Table(AssetKey(["a", "<b>"])),
        TableSchema((TableColumn(HOSTILE, HOSTILE, description=HOSTILE),)),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_hostile_text_is_only_text(thing: Any) -> None:
    assert any("<" in text for text in words(thing))


@pytest.mark.parametrize(
    "thing",
    [
        Table(AssetKey(["no\0table"])),
        TableSchema((1, 2)),
        object.__new__(AssetsDefinition),
        object.__new__(RunResult),
        object.__new__(Definitions),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_cannot_be_shown_says_what_it_is(thing: Any) -> None:
    assert type(thing).__name__ in words(thing)[0]


def test_showing_loads_no_storage_library() -> None:
    program = """
import sys
from warehouse_assets import AssetKey, Definitions, SourceAsset, Table, TableSchema, asset
@asset
def a(): return 1
for thing in (a, Definitions([a]), SourceAsset("s"), Table(AssetKey("t")), TableSchema()):
    assert thing._repr_html_().startswith("<div")
print(sorted({"IPython", "duckdb", "polars", "pyarrow", "pydantic", "rich", "sqlglot"} & sys.modules.keys()))
"""

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout == "[]\n"
