from __future__ import annotations

import datetime as dt
import decimal
import enum
from typing import Annotated, ClassVar, Literal, NamedTuple

import polars as pl
import pyarrow as pa
import pydantic
import pytest

from io_managers.column_contract import ColumnContract
from warehouse_assets.errors import ColumnContractError, InvalidDefinitionError
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import TableOptions, snapshot

KEY = AssetKey("orders")


class Kind(enum.Enum):
    A = "a"


class Model(pydantic.BaseModel):
    known: ClassVar[int] = 3
    id: int = pydantic.Field(description="counted from 1")
    kind: Kind | None = None
    at: Annotated[dt.datetime, pl.Datetime("ms", "UTC")]


class Row(NamedTuple):
    id: int
    tags: list[str] | None
    of: Literal["a", "b"]


def contract(columns, **more):
    return ColumnContract.of(KEY, TableOptions(columns=columns, **more))


@pytest.mark.parametrize(
    ("hint", "holding", "not_holding"),
    [
        (int, pl.UInt8, pl.Float64),
        (float, pl.Float32, pl.Int64),
        (str, pl.Enum(["a"]), pl.Binary),
        (bool, pl.Boolean, pl.Int8),
        (bytes, pl.Binary, pl.String),
        (decimal.Decimal, pl.Decimal(10, 2), pl.Float64),
        (dt.date, pl.Date, pl.Datetime("us")),
        (dt.datetime, pl.Datetime("ns", "UTC"), pl.Date),
        (dt.timedelta, pl.Duration("ms"), pl.Time),
        (list[int], pl.List(pl.Int8), pl.Struct({"a": pl.Int8})),
        (dict, pl.Struct({"a": pl.Int8}), pl.List(pl.Int8)),
        (Kind, pl.String, pl.Int8),
        (Literal["a"], pl.String, pl.Int8),
        (int | None, pl.Int8, pl.String),
        (pl.Datetime, pl.Datetime("ms"), pl.Date),
        (pl.Datetime("us"), pl.Datetime("us"), pl.Datetime("ms")),
        (pa.int32(), pl.Int32, pl.Int64),
        (pa.timestamp("ms", "UTC"), pl.Datetime("ms", "UTC"), pl.Datetime("ms")),
    ],
    ids=str,
)
def test_a_type_stands_for_column_types(hint, holding, not_holding):
    schemas = [pl.Schema({"x": dtype}) for dtype in (holding, not_holding)]

    assert [bool(contract({"x": hint}).differences(schema)) for schema in schemas] == [False, True]


def test_models_say_what_may_be_null_and_what_columns_hold():
    columns = {column.name: (column.nullable, column.description) for column in contract(Model).columns}

    assert columns == {"id": (False, "counted from 1"), "kind": (True, None), "at": (False, None)}
    assert contract(Model).differences(pl.Schema({"id": pl.Int8, "kind": pl.String, "at": pl.Datetime("ms", "UTC")})) == []


def test_named_tuples_are_contracts():
    assert contract(Row).required == ["id", "of"]


def test_fields_of_arrow_say_what_columns_hold():
    field = pa.field("id", pa.int64(), nullable=False, metadata={"description": "of the shop"})
    [column] = contract(pa.schema([field])).columns

    assert (column.nullable, column.description) == (False, "of the shop")


def test_options_describe_columns_before_contracts():
    [column, *_] = contract(Model, descriptions={"id": "another"}).columns

    assert column.description == "another"


def test_all_differences_are_told():
    with pytest.raises(ColumnContractError) as caught:
        contract({"id": int, "at": pl.Date, "kind": str}).check_types(
            pl.Schema({"id": pl.String, "kind": pl.String, "more": pl.Int8})
        )

    assert caught.value.message == (
        "asset 'orders' made another table than it promises: 'at' (Date) is missing; 'more' (Int8) is not in it; "
        "'id' is String, not int"
    )


def test_nulls_are_counted():
    with pytest.raises(
        ColumnContractError, match=r"'id' has 1,000 NULLs, and may have none; 'of' has 1 NULL, and may have none"
    ):
        contract(Row).check_nulls({"id": 1000, "of": 1})


def test_the_times_of_a_snapshot_need_not_be_promised():
    options = {"mode": snapshot("id")}

    assert contract({"id": int, "valid_from": dt.datetime}, **options).columns == contract({"id": int}, **options).columns


@pytest.mark.parametrize("columns", [{"x": object}, {"x": "texxt"}, {"x": int | str}, {"x": None}])
def test_what_is_no_type_is_refused(columns):
    with pytest.raises(InvalidDefinitionError, match=r"the contract of asset 'orders' names 'x' as .*Give types of"):
        contract(columns)


def test_an_annotation_that_cannot_be_resolved_is_refused():
    class Later:
        x: Unknown  # noqa: F821

    with pytest.raises(InvalidDefinitionError, match=r"the contract of asset 'orders' names .*Later: name 'Unknown'"):
        contract(Later)
