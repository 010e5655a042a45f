"""The promises of managers on tables whose columns are promised by their assets: none with others is published."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import ColumnContractError, InvalidDefinitionError, TableNotFoundError
from warehouse_assets.io_manager import IOManager
from warehouse_assets.io_manager.powers import ChecksAssets
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TableOptions, snapshot, upsert
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.partitions import BY_DAY, MON, TUE, days, numbers_of
from warehouse_assets.testing.io_manager.use import KEY, ORDERS, load, options, source, store, stream

__all__ = ["ColumnsContract"]

NEW = AssetKey(["shop", "new"])


@dataclass
class Order:
    """An order, as a person would declare its columns."""

    id: int = field(metadata={"description": "counted from 1"})
    amount: float | None
    kind: str | None


ID: Any = pa.field("id", pa.int64(), nullable=False)
PROMISES: dict[str, Any] = {
    "polars": pl.Schema({"id": pl.Int64, "amount": pl.Float64, "kind": pl.String}),
    "arrow": pa.schema([ID, pa.field("amount", pa.float64()), pa.field("kind", pa.string())]),
    "mapping": {"kind": str, "id": int, "amount": float},
    "class": Order,
}
FORMS = ["eager", "lazy", "arrow", "stream", "sql"]


def _in_form(manager: IOManager, frame: pl.DataFrame, form: str) -> tuple[Any, dict[str, Any]]:
    match form:
        case "lazy":
            return frame.lazy(), {}
        case "arrow":
            return frame.to_arrow(), {}
        case "stream":
            return stream(frame), {}
        case "sql":
            store(manager, frame, NEW)
            return SQL("select * from shop.new"), {"sources": {NEW: source(manager, NEW)}}
    return frame, {}


class ColumnsContract(Contract):
    """`TableOptions(columns=…)` holds for every table that is published, whatever it is made from."""

    @pytest.fixture
    def manager(self) -> IOManager:
        """The manager under test, new and empty: override this."""
        raise NotImplementedError

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("promise", PROMISES)
    def test_what_was_promised_is_published(self, manager: IOManager, promise: str, form: str) -> None:
        value, how = _in_form(manager, ORDERS, form)
        store(manager, value, **how, **options(columns=PROMISES[promise]))

        assert_frame_equal(load(manager), ORDERS)

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("promise", PROMISES)
    def test_all_differences_are_told_and_nothing_is_published(self, manager: IOManager, promise: str, form: str) -> None:
        store(manager, ORDERS)
        wrong = ORDERS.select("id", more=pl.lit("x"), amount=pl.lit("much"))
        value, how = _in_form(manager, wrong, form)
        with pytest.raises(ColumnContractError, match="'shop/orders'") as caught:
            store(manager, value, **how, **options(columns=PROMISES[promise]))

        said = str(caught.value)
        assert [text in said for text in ("'kind' (", "is missing", "'more' (", "'amount' is String, not ")] == [True] * 4
        assert_frame_equal(load(manager), ORDERS)

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("promise", ["arrow", "class"])
    def test_nulls_are_counted_where_none_may_be(self, manager: IOManager, promise: str, form: str) -> None:
        value, how = _in_form(manager, ORDERS.with_columns(id=pl.lit(None, pl.Int64)), form)
        with pytest.raises(ColumnContractError, match=r"'shop/orders'.*'id' has 3 NULLs"):
            store(manager, value, **how, **options(columns=PROMISES[promise]))

        with pytest.raises(TableNotFoundError):
            load(manager)

    @pytest.mark.parametrize("form", ["eager", "sql"])
    def test_the_order_of_columns_is_free(self, manager: IOManager, form: str) -> None:
        value, how = _in_form(manager, ORDERS.select("kind", "id", "amount"), form)
        store(manager, value, **how, **options(columns=Order))

        assert load(manager).columns == ["kind", "id", "amount"]

    def test_partitions_keep_it_too(self, manager: IOManager) -> None:
        promise = options(columns=pa.schema([pa.field("day", pa.date32()), ID.with_name("n")]))
        store(manager, days(d1=1), partitions=BY_DAY(MON), **promise)
        with pytest.raises(ColumnContractError, match="'n' has 1 NULL,"):
            store(manager, days(d2=2).with_columns(n=pl.lit(None, pl.Int64)), partitions=BY_DAY(TUE), **promise)

        assert numbers_of(load(manager)) == [1]

    @pytest.mark.parametrize("form", FORMS)
    def test_modes_that_keep_rows_keep_it_too(self, manager: IOManager, form: str) -> None:
        for mode, key in ((upsert("id"), KEY), (snapshot("id"), AssetKey(["shop", "history"]))):
            kept = mode.kind in getattr(manager, "write_modes", ())
            for frame in (ORDERS, ORDERS[:2]) if kept else ():
                value, how = _in_form(manager, frame, form)
                store(manager, value, key, **how, **options(mode, columns=Order))
            assert not kept or load(manager, key=key).height == 3

    @pytest.mark.parametrize("form", ["eager", "sql"])
    def test_descriptions_are_recorded(self, manager: IOManager, form: str) -> None:
        value, how = _in_form(manager, ORDERS, form)
        said = {"amount": 'in "euros", it\'s said'}
        recorded = store(manager, value, **how, **options(columns=Order, descriptions=said))
        schema = {column.name: (column.description, column.nullable) for column in recorded["column_schema"]}

        assert schema == {"id": ("counted from 1", False), "amount": ('in "euros", it\'s said', True), "kind": (None, True)}

    def test_a_promise_that_no_column_keeps_is_refused_on_declaration(self, manager: IOManager) -> None:
        assert isinstance(manager, ChecksAssets)

        with pytest.raises(InvalidDefinitionError, match=r"'shop/orders' names 'id' as .*Thread"):
            manager.check_asset(KEY, TableOptions(columns={"id": threading.Thread}).in_metadata(None), None)

    def test_times_are_promised_as_python_has_them(self, manager: IOManager) -> None:
        store(manager, days(d1=1), **options(columns={"day": dt.date, "n": int}))

        assert load(manager).height == 1
