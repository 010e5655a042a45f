"""The promises of managers on tables whose partitions come with other columns than before."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import InvalidDefinitionError, SchemaChangedError
from warehouse_assets.io_manager import IOManager
from warehouse_assets.io_manager.powers import ChecksAssets
from warehouse_assets.keys import AssetKey
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.partitions import BY_DAY, MON, TUE, days
from warehouse_assets.testing.io_manager.use import KEY, load, store

__all__ = ["SchemaPolicyContract"]

OLD = days(d1=1).with_columns(note=pl.lit("old"), size=pl.lit(1, pl.Int32))
CHANGES: dict[str, pl.DataFrame] = {
    "a new column": days(d2=2).with_columns(note=pl.lit("new"), size=pl.lit(2, pl.Int32), more=pl.lit(2.5)),
    "a missing column": days(d2=2).with_columns(size=pl.lit(2, pl.Int32)),
    "another type": days(d2=2).with_columns(note=pl.lit("new"), size=pl.lit("large")),
}


class SchemaPolicyContract(Contract):
    """A changed schema follows the `schema_policy` of the asset: `fail` (the default), `append` or `sync`."""

    def peek(self, manager: IOManager, key: AssetKey) -> pl.DataFrame:
        """All rows of a table, in any order, found out behind the manager's back."""
        raise NotImplementedError

    def _refuses(self, manager: IOManager, change: str, match: str, **metadata: Any) -> None:
        store(manager, OLD, partitions=BY_DAY(MON))
        before = self.peek(manager, KEY)

        with pytest.raises(SchemaChangedError, match=match):
            store(manager, CHANGES[change], partitions=BY_DAY(TUE), **metadata)

        assert_frame_equal(self.peek(manager, KEY), before)

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_change_fails_by_default_and_says_what_changed(self, manager: IOManager, change: str) -> None:
        column = {"a new column": "more", "a missing column": "note", "another type": "size"}[change]
        self._refuses(manager, change, f"'shop/orders' .*'{column}'")

    @pytest.mark.parametrize("change", CHANGES)
    def test_the_partition_that_is_replaced_has_no_say(self, manager: IOManager, change: str) -> None:
        store(manager, OLD, partitions=BY_DAY(MON))
        frame = CHANGES[change].with_columns(OLD["day"])

        with pytest.raises(SchemaChangedError):
            store(manager, frame, partitions=BY_DAY(MON))

        assert_frame_equal(load(manager), OLD)

    def test_append_adds_columns_and_fills_missing_ones(self, manager: IOManager) -> None:
        store(manager, OLD, partitions=BY_DAY(MON))
        new, missing = CHANGES["a new column"], CHANGES["a missing column"].with_columns(day=pl.date(2024, 1, 3))
        store(manager, new, partitions=BY_DAY(TUE), schema_policy="append")
        recorded = store(manager, missing, partitions=BY_DAY("2024-01-03"), schema_policy="append")

        assert_frame_equal(
            load(manager).sort("day"), pl.concat([OLD, new, missing], how="diagonal").sort("day"), check_column_order=False
        )
        assert [column.name for column in recorded["column_schema"]] == ["day", "n", "note", "size", "more"]

    def test_append_does_not_change_types(self, manager: IOManager) -> None:
        self._refuses(manager, "another type", "'size'", schema_policy="append")

    def test_sync_gives_the_table_the_columns_of_the_frame(self, manager: IOManager) -> None:
        store(manager, OLD, partitions=BY_DAY(MON))
        new = days(d2=2).with_columns(more=pl.lit(2.5), size=pl.lit(2**40))
        recorded = store(manager, new, partitions=BY_DAY(TUE), schema_policy="sync")

        old = OLD.select("day", "n", size=pl.col("size").cast(pl.Int64), more=pl.lit(None, pl.Float64))
        assert_frame_equal(load(manager).sort("day"), pl.concat([old, new.select(old.columns)]), check_column_order=False)
        assert {column.name for column in recorded["column_schema"]} == set(new.columns)

    def test_the_policy_of_the_manager_is_that_of_its_assets(self, manager: IOManager) -> None:
        lenient = manager.with_config({"schema_policy": "append"})  # type: ignore[attr-defined]
        store(lenient, OLD, partitions=BY_DAY(MON))
        store(lenient, CHANGES["a new column"], partitions=BY_DAY(TUE))

        assert "more" in load(lenient).columns

    def test_the_order_of_columns_is_no_change(self, manager: IOManager) -> None:
        store(manager, OLD, partitions=BY_DAY(MON))
        store(manager, OLD.select(reversed(OLD.columns)).with_columns(day=pl.date(2024, 1, 2)), partitions=BY_DAY(TUE))

        assert load(manager).height == 2

    @pytest.mark.parametrize("policy", ["fail", "append", "sync"])
    def test_a_number_fits_a_column_of_larger_ones(self, manager: IOManager, policy: str) -> None:
        store(manager, days(d1=1).with_columns(x=pl.lit(1.5)), partitions=BY_DAY(MON))
        narrow = days(d2=2).with_columns(pl.col("n").cast(pl.UInt32), x=pl.lit(2.5, pl.Float32))
        store(manager, narrow, partitions=BY_DAY(TUE), schema_policy=policy)

        assert load(manager).schema == {"day": pl.Date, "n": pl.Int64, "x": pl.Float64}
        assert load(manager, partitions=BY_DAY(TUE)).rows() == [(dt.date(2024, 1, 2), 2, 2.5)]

    @pytest.mark.parametrize("policy", ["fail", "append", "sync"])
    def test_a_column_of_nulls_fits_any_type(self, manager: IOManager, policy: str) -> None:
        store(manager, OLD, partitions=BY_DAY(MON))
        nulls = OLD.with_columns(day=pl.date(2024, 1, 2), note=pl.lit(None), size=pl.lit(None))
        store(manager, nulls, partitions=BY_DAY(TUE), schema_policy=policy)

        assert_frame_equal(load(manager).sort("day"), pl.concat([OLD, nulls.cast(OLD.schema)]))

    def test_an_unknown_policy_is_an_error_on_declaration(self, manager: IOManager) -> None:
        assert isinstance(manager, ChecksAssets)

        with pytest.raises(InvalidDefinitionError, match=r"'shop/orders'.*schema_policy.*'apend'.*append"):
            manager.check_asset(KEY, {"partition_expr": "day", "schema_policy": "apend"}, BY_DAY.definition)
