from __future__ import annotations

import datetime as dt
import enum
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warehouse_assets import AssetKey, MetadataValue, TableColumn, TableColumnDep, TableColumnLineage, TableSchema
from warehouse_assets.errors import InvalidMetadataError
from warehouse_assets.metadata import metadata_from_json, metadata_to_json, normalize_metadata, stats_metadata
from warehouse_assets.tables import TableStats

SCHEMA = TableSchema((TableColumn("id", "BIGINT", nullable=False, description="the number"), TableColumn("day", "DATE")))
LINEAGE = TableColumnLineage({"id": [TableColumnDep("raw/orders", "order_id")]})
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))


class Colour(enum.IntEnum):
    RED = 3


BY_TYPE = [
    (3, "int", 3),
    (True, "bool", True),
    (0.5, "float", 0.5),
    ("text", "text", "text"),
    (None, "null", None),
    ({"a": [1, None]}, "json", {"a": [1, None]}),
    ([1, 2], "json", [1, 2]),
    (Path("a/b"), "path", "a/b"),
    (NOON, "timestamp", NOON.timestamp()),
    (AssetKey("orders"), "asset", AssetKey("orders")),
    (SCHEMA, "table_schema", SCHEMA),
    (LINEAGE, "column_lineage", LINEAGE),
    (np.int64(3), "int", 3),
    (np.float32(0.5), "float", 0.5),
    (np.bool_(True), "bool", True),
]
BY_NAME = [
    (MetadataValue.int(3), "int"),
    (MetadataValue.float(3), "float"),
    (MetadataValue.text("t"), "text"),
    (MetadataValue.md("**b**"), "md"),
    (MetadataValue.json({"a": 1}), "json"),
    (MetadataValue.url("https://a.example"), "url"),
    (MetadataValue.path(Path("a/b")), "path"),
    (MetadataValue.bool(False), "bool"),
    (MetadataValue.null(), "null"),
    (MetadataValue.timestamp(NOON), "timestamp"),
    (MetadataValue.timestamp(3), "timestamp"),
    (MetadataValue.asset("raw/orders"), "asset"),
    (MetadataValue.run("r1"), "run"),
    (MetadataValue.table([{"a": 1}, {"a": None}]), "table"),
    (MetadataValue.table_schema(SCHEMA), "table_schema"),
    (MetadataValue.column_lineage(LINEAGE), "column_lineage"),
]


@pytest.mark.semantics(23)
@pytest.mark.parametrize(("value", "kind", "plain"), BY_TYPE, ids=repr)
def test_the_type_of_a_plain_value_decides(value: Any, kind: str, plain: Any) -> None:
    typed = MetadataValue.of(value)

    assert (typed.kind, typed.value, type(typed.value)) == (kind, plain, type(plain))


@pytest.mark.semantics(23)
@pytest.mark.parametrize(("value", "kind"), BY_NAME, ids=repr)
def test_every_kind_goes_to_json_and_back(value: MetadataValue, kind: str) -> None:
    read = metadata_from_json(json.loads(json.dumps(metadata_to_json({"it": value}))))

    assert (read, read["it"].kind, type(read["it"])) == ({"it": value}, kind, type(value))


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan], ids=str)
def test_numbers_that_json_does_not_have_are_kept(number: float) -> None:
    text = json.dumps(metadata_to_json({"it": MetadataValue.float(number)}), allow_nan=False)

    assert str(metadata_from_json(json.loads(text))["it"].value) == str(number)


def test_a_kind_from_a_later_version_is_kept_as_json() -> None:
    assert metadata_from_json({"it": ["notebook", {"a": 1}]}) == {"it": MetadataValue.json({"a": 1})}


def test_an_enumerated_number_is_a_number() -> None:
    assert json.dumps(metadata_to_json(normalize_metadata({"it": Colour.RED}))) == '{"it": ["int", 3]}'


@pytest.mark.semantics(23)
@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, {"a": object()}, b"x", NOON.replace(tzinfo=None), 1j, np.zeros(2)],
    ids=lambda v: type(v).__name__,
)
def test_a_value_that_cannot_be_recorded_is_an_error_that_names_its_key(value: Any) -> None:
    with pytest.raises(InvalidMetadataError, match="'the key'"):
        normalize_metadata({"the key": value})


def test_a_key_that_is_no_string_is_an_error() -> None:
    with pytest.raises(InvalidMetadataError, match="3"):
        normalize_metadata({3: "x"})


def test_values_of_one_kind_and_value_are_equal() -> None:
    assert MetadataValue.of("x") == MetadataValue.text("x") != MetadataValue.md("x")


def test_what_a_store_measured_has_names_and_leaves_out_what_it_cannot_tell() -> None:
    stats = TableStats(row_count=3, byte_size=None, schema=SCHEMA, table_name="main.orders", extra={"files": 2})

    assert {name: value.value for name, value in stats_metadata(stats).items()} == {
        "row_count": 3,
        "column_schema": SCHEMA,
        "table_name": "main.orders",
        "files": 2,
    }
