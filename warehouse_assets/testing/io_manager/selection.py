"""The promises of managers that read a part of a table: some columns, the rows for which a condition holds, no more than a number."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.io_manager import IOManager, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.partitions import BY_DAY, MON, TUE, days
from warehouse_assets.testing.io_manager.use import KEY, ORDERS, input_context, load, store

__all__ = ["SelectionContract"]

KINDS = [pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader]


def _whole(loaded: Any) -> pl.DataFrame:
    return loaded.collect() if isinstance(loaded, pl.LazyFrame) else pl.DataFrame(loaded)


class SelectionContract(Contract):
    """Columns, a condition in DuckDB's SQL and a limit, as `AssetIn` has them, are answered in each type of frame."""

    @pytest.fixture
    def manager(self) -> IOManager:
        """The manager under test, new and empty: override this."""
        raise NotImplementedError

    @pytest.mark.parametrize("kind", KINDS)
    def test_rows_fulfil_a_condition(self, manager: IOManager, kind: Any) -> None:
        store(manager, ORDERS)
        loaded = load(manager, kind, where="id > 1 and amount is not null")

        assert isinstance(loaded, kind)
        assert_frame_equal(_whole(loaded), ORDERS[2:])

    @pytest.mark.parametrize("kind", KINDS)
    def test_rows_are_limited(self, manager: IOManager, kind: Any) -> None:
        store(manager, ORDERS)

        for limit in (0, 2, 7):
            assert _whole(load(manager, kind, limit=limit)).shape == (min(limit, 3), 3)

    @pytest.mark.parametrize("kind", KINDS)
    def test_columns_come_in_the_order_in_which_they_are_asked_for(self, manager: IOManager, kind: Any) -> None:
        store(manager, ORDERS)
        loaded = load(manager, kind, columns=["kind", "id"], where="amount > 8 -- not asked for", limit=5)

        assert_frame_equal(_whole(loaded), ORDERS[:1].select("kind", "id"))

    @pytest.mark.parametrize("kind", KINDS)
    def test_no_row_keeps_the_columns(self, manager: IOManager, kind: Any) -> None:
        store(manager, ORDERS)

        assert_frame_equal(_whole(load(manager, kind, where="false")), ORDERS.clear())

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_condition_goes_with_partitions(self, manager: IOManager, kind: Any) -> None:
        store(manager, days(d1=[1, 2], d2=[2, 3]), partitions=BY_DAY(MON, TUE))
        found = [
            sorted(_whole(load(manager, kind, partitions=partitions, where="n > 1"))["n"])
            for partitions in (BY_DAY(MON), BY_DAY(MON, TUE), None)
        ]

        assert found == [[2], [2, 2, 3], [2, 2, 3]]

    def test_the_metadata_of_a_source_says_it_too(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        context = input_context(where="id = 2")
        context.upstream_output = OutputContext(KEY, definition_metadata={"columns": ["kind"]})

        assert manager.load_input(context).rows() == [("b",)]

    @pytest.mark.parametrize("name", ['a "quoted" one', "it's; --", "select", "a.b", "ünï 表", "{x} $y %z"])
    def test_names_may_hold_anything(self, manager: IOManager, name: str) -> None:
        store(manager, ORDERS.rename({"id": name}))
        quoted = '"' + name.replace('"', '""') + '"'

        assert load(manager, columns=["kind", name], where=f"{quoted} = 2").rows() == [("b", 2)]

    @pytest.mark.parametrize(
        "where", ["amonut > 3", "id >", "id > 1; drop table shop.orders", "id > 1) or (true", "sum(id) > 1"]
    )
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_no_condition_is_refused(self, manager: IOManager, kind: Any, where: str) -> None:
        store(manager, ORDERS)
        with pytest.raises(InvalidSQLError, match="'shop/orders'"):
            _whole(load(manager, kind, where=where))

        assert load(manager).height == 3

    def test_a_missing_column_is_named_with_close_ones(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        with pytest.raises(ValueError, match=r"'shop/orders' has no column 'amonut'. Did you mean 'amount'"):
            load(manager, columns=["amonut"], where="id > 1")

    def test_sql_reads_the_rows_that_are_meant(self, manager: IOManager) -> None:
        from warehouse_assets.io_manager import TableSource

        made = AssetKey(["shop", "made"])
        store(manager, ORDERS)
        for more in ({"where": "id > 1"}, {"where": "id > 1", "limit": 1}, {"limit": 0}):
            sources = {KEY: TableSource(manager, input_context(**more))}
            store(manager, SQL("select id from shop.orders"), made, sources=sources)

            assert load(manager, key=made).height == {"where": 2, "wherelimit": 1, "limit": 0}["".join(more)]
