from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from io_managers import DuckDBIOManager
from warehouse_assets import (
    AssetOut,
    AssetSpec,
    DailyPartitionsDefinition,
    Definitions,
    SourceAsset,
    TableOptions,
    WriteMode,
    asset,
    delete_insert,
    multi_asset,
    snapshot,
    upsert,
)
from warehouse_assets.errors import InvalidDefinitionError


@dataclass
class Order:
    id: int


def test_a_mode_is_a_word_or_has_columns():
    assert [str(TableOptions(mode).mode) for mode in ("replace", "append", upsert("id"), delete_insert(["day", "shop"]))] == [
        "replace",
        "append",
        "upsert(id)",
        "delete_insert(day, shop)",
    ]
    assert snapshot("id", valid_to="until") == WriteMode("snapshot", ("id",), "valid_from", "until")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TableOptions("upsert"), r"the mode 'upsert' needs the columns.*upsert\(key=\[\"id\"\]\)"),
        (lambda: TableOptions("apend"), "the mode 'apend' is none. Did you mean 'append'"),
        (lambda: TableOptions(3), "the mode 3 is none. It is one of replace"),
        (lambda: upsert([]), r"the key of upsert is \[\], not one or more"),
        (lambda: upsert(["id", "id"]), "not one or more different column names"),
        (lambda: snapshot("valid_to"), "valid_from, valid_to and its key to differ"),
        (lambda: TableOptions(schema_policy="keep"), "the schema_policy is 'keep'. It is one of fail, append, sync"),
        (lambda: TableOptions(keep_versions=0), "keep_versions is 0, not a number of versions"),
        (lambda: TableOptions(keep_versions=True), "keep_versions is True"),
        (lambda: TableOptions(sort_by=["day", 1]), "sort_by is"),
        (lambda: TableOptions(columns=["id"]), r"the columns are \['id'\], which is no contract.*pl.Schema"),
        (lambda: TableOptions(schema=""), "the schema is ''"),
    ],
    ids=lambda value: None if callable(value) else value[:24],
)
def test_what_cannot_be_meant_is_an_error(make, message):
    with pytest.raises(InvalidDefinitionError, match=message):
        make()


@pytest.mark.parametrize(
    "columns",
    [pl.Schema({"id": pl.Int64}), pa.schema({"id": pa.int64()}), {"id": int}, Order],
    ids=["polars", "arrow", "mapping", "class"],
)
def test_a_contract_is_kept_as_it_is_given(columns):
    assert TableOptions(columns=columns).columns is columns


def test_they_are_declared_on_assets_outs_specs_and_sources():
    options = TableOptions("append", partition_expr="day", schema="raw")

    @asset(table=options)
    def one():
        return None

    @multi_asset(outs={"two": AssetOut(table=options)})
    def several():
        return None

    specs = [*one.specs, *several.specs, AssetSpec("three", table=options), SourceAsset("four", table=options).spec]

    assert [spec.table for spec in specs] == [options] * 4
    assert [spec.metadata["partition_expr"] for spec in specs] == ["day"] * 4
    assert specs[2].replace_attributes(group_name="g").table == options


def test_only_what_was_said_is_shown():
    assert repr(TableOptions(upsert("id"), sort_by="day")) == "TableOptions(mode=upsert(id), sort_by=('day',))"


def test_metadata_that_says_otherwise_is_an_error_with_its_place():
    with pytest.raises(
        InvalidDefinitionError, match=r"asset 'a': the partition_expr is 'day' in .* 'hour' in .*test_table_options"
    ):
        AssetSpec("a", table=TableOptions(partition_expr="day"), metadata={"partition_expr": "hour"})


def test_what_is_no_options_is_an_error():
    with pytest.raises(InvalidDefinitionError, match=r"table is 'append', not TableOptions .*Write table="):
        AssetSpec("a", table="append")


def test_modes_have_to_go_with_the_partitions():
    daily = DailyPartitionsDefinition("2024-01-01")

    @asset(table=TableOptions("delete_insert"))
    def whole():
        return None

    @asset(table=TableOptions(snapshot("id"), partition_expr="day"), partitions_def=daily)
    def sliced():
        return None

    for wrong, message in [(whole, "replaces a partition, and no partitions"), (sliced, "is a snapshot")]:
        with pytest.raises(InvalidDefinitionError, match=message):
            Definitions(assets=[wrong], resources={"io_manager": DuckDBIOManager()})


@pytest.mark.semantics(38)
def test_two_assets_in_one_schema_by_metadata_are_an_error():
    @asset(metadata={"schema": "shop"})
    def orders():
        return None

    @asset(key="shop/orders")
    def others():
        return None

    with pytest.raises(InvalidDefinitionError, match=r"would both be kept in shop.orders"):
        Definitions(assets=[orders, others], resources={"io_manager": DuckDBIOManager()})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"materialized": "cube"}, 'materialized is \'cube\'. It is "table" or "view".'),
        ({"materialized": "view", "mode": "append"}, "a view holds no rows, and so has no mode"),
        ({"materialized": "view", "sort_by": "id", "keep_versions": 3}, "and so has no sort_by and no keep_versions"),
        ({"materialized": "view", "partition_expr": "day"}, "and so has no partition_expr"),
        ({"materialized": "view", "schema_policy": "sync"}, "and so has no schema_policy"),
    ],
    ids=["unknown", "mode", "rows", "partitions", "policy"],
)
def test_what_does_not_go_with_a_view_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        TableOptions(**wrong)

    assert message in str(caught.value)
