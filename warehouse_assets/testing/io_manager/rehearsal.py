"""The promises of managers that tell the columns of a table before it is made."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import ColumnContractError, InvalidSQLError, SchemaChangedError, TableNotFoundError
from warehouse_assets.io_manager import RehearsesWrites
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.sql import SQL
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.use import (
    KEY,
    ORDERS,
    Partitions,
    input_context,
    load,
    options,
    output_context,
    source,
    store,
)

__all__ = ["RehearsalContract"]

MART = AssetKey(["shop", 'odd "mart"; --'])
REGIONS = Partitions(StaticPartitionsDefinition(["eu", "us"]), "region")


class RehearsalContract(Contract):
    """What a write would make of the columns of a table is told before it, by the engine of the store, and nothing is written."""

    QUERY = "select id, max(kind) as k, sum(amount) as total, {more} as more from shop.orders group by id"
    """SQL over the table `shop.orders`, with a bound value, in the SQL of the store."""

    @pytest.fixture
    def manager(self) -> Any:
        """A manager over an empty store, with the power `RehearsesWrites`."""
        raise NotImplementedError

    def test_it_says_that_it_rehearses(self, manager: Any) -> None:
        assert isinstance(manager, RehearsesWrites)

    def test_the_columns_of_sql_are_those_that_the_write_records(self, manager: Any) -> None:
        stored, query = store(manager, ORDERS)["column_schema"], SQL(self.QUERY, more=3)
        with manager.rehearsal() as rehearsal:
            recalled = rehearsal.recall(input_context())
            told = rehearsal.write(output_context(MART, sources={KEY: source(rehearsal.io_manager, KEY)}), query)
        made = store(manager, query, MART, sources={KEY: source(manager, KEY)})["column_schema"]

        assert (recalled, told) == (stored, made)

    def test_the_columns_of_a_lazy_frame_are_those_that_the_write_records(self, manager: Any) -> None:
        def summed(frame: pl.LazyFrame) -> pl.LazyFrame:
            return frame.group_by("kind").agg(pl.len(), pl.col("amount").mean(), day=pl.lit("2024-05-01").str.to_date().first())

        store(manager, ORDERS)
        with manager.rehearsal() as rehearsal:
            rehearsal.recall(input_context())
            empty = load(rehearsal.io_manager, pl.LazyFrame)
            rows = empty.collect().height
            told = rehearsal.write(output_context(MART), summed(empty))

        assert (rows, told) == (0, store(manager, summed(ORDERS.lazy()), MART)["column_schema"])

    def test_nothing_is_computed(self, manager: Any) -> None:
        def fail(frame: pl.DataFrame) -> pl.DataFrame:
            raise AssertionError("this is not to be called")

        with manager.rehearsal() as rehearsal:
            frame = pl.LazyFrame({"id": [1]}).map_batches(fail, schema={"id": pl.Int64})

            assert rehearsal.write(output_context(), frame).names == ("id",)

    def test_what_was_rehearsed_is_read_on(self, manager: Any) -> None:
        with manager.rehearsal() as rehearsal:
            rehearsal.write(output_context(), ORDERS.lazy().rename({"amount": "price"}))
            sources = {KEY: source(rehearsal.io_manager, KEY)}
            told = rehearsal.write(output_context(MART, sources=sources), SQL("select price from shop.orders"))
            with pytest.raises(InvalidSQLError, match="amount"):
                rehearsal.write(output_context(MART, sources=sources), SQL("select amount from shop.orders"))
            with pytest.raises(SchemaChangedError, match="amount"):
                rehearsal.write(output_context(MART), load(rehearsal.io_manager, pl.LazyFrame).select("amount"))

        assert told.names == ("price",)

    def test_no_table_is_made_or_changed(self, manager: Any) -> None:
        store(manager, ORDERS)
        with manager.rehearsal() as rehearsal:
            rehearsal.recall(input_context())
            rehearsal.write(output_context(), ORDERS.lazy().select("id"))
            rehearsal.write(output_context(MART), ORDERS.lazy())
            with suppress(InvalidSQLError):
                sources = {KEY: source(rehearsal.io_manager, KEY)}
                rehearsal.write(output_context(MART, sources=sources), SQL("select nothing from shop.orders"))
        with manager.rehearsal() as rehearsal, pytest.raises(TableNotFoundError):
            rehearsal.recall(input_context(MART))

        assert_frame_equal(load(manager), ORDERS)

    def test_columns_can_be_left_out(self, manager: Any) -> None:
        store(manager, ORDERS)
        with manager.rehearsal() as rehearsal:
            less = rehearsal.recall(input_context(), without=("amount", "none of them")).names
            again = rehearsal.recall(input_context()).names

        assert (less, again) == (("id", "kind"), ("id", "amount", "kind"))

    @pytest.mark.parametrize("policy", ["fail", "append", "sync"])
    def test_a_partition_is_held_to_the_policy(self, manager: Any, policy: str) -> None:
        metadata = options(partition_expr="region", schema_policy=policy)
        metadata.pop("partition_expr")  # which the partitions of the test say
        store(manager, pl.DataFrame({"region": ["eu"], "id": [1]}), partitions=REGIONS("eu"), **metadata)
        changed = pl.LazyFrame({"region": ["us"], "number": [2]})
        stored, written = input_context(partitions=REGIONS("eu")), output_context(partitions=REGIONS("us"), **metadata)
        with manager.rehearsal() as rehearsal:
            rehearsal.recall(stored)
            if policy == "fail":
                with pytest.raises(SchemaChangedError, match="'number'"):
                    rehearsal.write(written, changed)
                return
            told = rehearsal.write(written, changed)
        made = store(manager, changed, partitions=REGIONS("us"), **metadata)["column_schema"]

        assert told == made
        assert set(told.names) == {"region", "number"} | ({"id"} if policy == "append" else set())

    def test_a_contract_is_told_or_held(self, manager: Any) -> None:
        metadata = options(columns={"id": pl.Int64, "day": pl.Date})
        with manager.rehearsal() as rehearsal:
            promised = rehearsal.promised(output_context(**metadata))
            told = rehearsal.write(output_context(**metadata), promised)
            open_ones = [rehearsal.promised(output_context(**more)) for more in ({}, options(columns={"id": int}))]
            with pytest.raises(ColumnContractError, match="'day'"):
                rehearsal.write(output_context(**metadata), pl.LazyFrame({"id": [1]}))

        assert (promised.columns, told.names, open_ones) == (["id", "day"], ("id", "day"), [None, None])
