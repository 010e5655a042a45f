"""Partitions and blocking checks from end to end, on every store that comes with the project."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from io_managers import DuckDBIOManager, FsspecIOManager, InMemoryIOManager, ParquetIOManager
from warehouse_assets import (
    SQL,
    AssetCheckResult,
    AssetDep,
    AssetExecutionContext,
    AssetIn,
    BackfillPolicy,
    DailyPartitionsDefinition,
    Definitions,
    Instance,
    IOManager,
    MultiPartitionsDefinition,
    PartitionKeyRange,
    StaticPartitionsDefinition,
    TableOptions,
    TimeWindowPartitionMapping,
    asset,
    asset_check,
    sql_asset,
)
from warehouse_assets.checks import column_checks, not_null
from warehouse_assets.errors import InvalidDefinitionError, TableNotFoundError

DAYS = DailyPartitionsDefinition("2024-02-27", "2024-03-04")
BY_DAY = {"partition_expr": "day"}
ALL_STORES = ["duckdb", "memory_duckdb", "parquet", "pickle", "memory"]
TABLE_STORES = ["duckdb", "memory_duckdb", "parquet"]


@pytest.fixture(params=ALL_STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> IOManager:
    return make_store(request.param, tmp_path)


@pytest.fixture(params=TABLE_STORES)
def table_store(request: pytest.FixtureRequest, tmp_path: Path) -> IOManager:
    return make_store(request.param, tmp_path)


def make_store(name: str, folder: Path) -> IOManager:
    match name:
        case "duckdb":
            return DuckDBIOManager(database=str(folder / "w.duckdb"))
        case "memory_duckdb":
            return DuckDBIOManager()
        case "parquet":
            return ParquetIOManager(base_path=str(folder / "lake"))
        case "pickle":
            return FsspecIOManager(base_path=str(folder / "values"))
    return InMemoryIOManager()


def rows(day: str, amount: int) -> pl.DataFrame:
    return pl.DataFrame({"day": [date.fromisoformat(day)] * 2, "amount": [amount, amount + 1]})


def daily(**options: Any) -> Any:
    """An asset of a day, with amounts that tell which run made it."""

    @asset(name="orders", partitions_def=DAYS, metadata=BY_DAY, **options)
    def orders(context: AssetExecutionContext) -> pl.DataFrame:
        number = int(context.run_tags.get("number", "1"))
        return pl.concat([rows(key, 10 * number) for key in context.partition_keys])

    return orders


@pytest.mark.semantics(20, 37, 44)
def test_partitions_are_made_again_and_loaded_by_their_mappings(store: IOManager) -> None:
    orders = daily(backfill_policy=BackfillPolicy.single_run())

    @asset(partitions_def=DAYS, metadata=BY_DAY)
    def totals(orders: pl.DataFrame) -> pl.DataFrame:
        return orders.group_by("day").agg(pl.col("amount").sum()).sort("day")

    @asset(
        ins={"orders": AssetIn(partition_mapping=TimeWindowPartitionMapping(start_offset=-1))},
        partitions_def=DAYS,
        metadata=BY_DAY,
    )
    def last_two(context: AssetExecutionContext, orders: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame({"day": [date.fromisoformat(context.partition_key)], "seen": [orders["day"].n_unique()]})

    @asset
    def everything(totals: pl.LazyFrame) -> pl.DataFrame:
        return totals.select(pl.col("amount").sum()).collect()

    defs = Definitions([orders, totals, last_two, everything], resources={"io_manager": store})
    with Instance.ephemeral() as instance:
        defs.materialize("orders", partition_key_range=PartitionKeyRange("2024-02-27", "2024-02-29"), instance=instance)
        for key in ("2024-02-28", "2024-02-29"):
            defs.materialize("totals or last_two", partition_key=key, instance=instance)
        defs.materialize("orders", partition_key="2024-02-29", tags={"number": "7"}, instance=instance)
        defs.materialize("totals", partition_key="2024-02-29", instance=instance)
        defs.materialize("everything", instance=instance)

        assert instance.get_materialized_partitions("orders") == {"2024-02-27", "2024-02-28", "2024-02-29"}
        assert defs.load_asset_value("everything", as_type=pl.DataFrame, instance=instance).item() == 21 + 141
        assert (
            defs.load_asset_value("last_two", as_type=pl.DataFrame, partition_key="2024-02-29", instance=instance)[
                "seen"
            ].item()
            == 2
        )
        assert_frame_equal(
            defs.load_asset_value("orders", as_type=pl.DataFrame, partition_key="2024-02-28", instance=instance),
            rows("2024-02-28", 10),
        )


@pytest.mark.semantics(8)
def test_a_running_total_begins_with_nothing(store: IOManager) -> None:
    before = TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

    @asset(ins={"total": AssetIn(partition_mapping=before)}, partitions_def=DAYS, metadata=BY_DAY)
    def total(context: AssetExecutionContext, total: pl.DataFrame) -> pl.DataFrame:
        old = 0 if total.is_empty() else total["total"].item()
        return pl.DataFrame({"day": [date.fromisoformat(context.partition_key)], "total": [old + 1]})

    defs = Definitions([total], resources={"io_manager": store})
    with Instance.ephemeral() as instance:
        for key in ("2024-02-27", "2024-02-28", "2024-02-29"):
            defs.materialize(partition_key=key, instance=instance)
        found = defs.load_asset_value("total", as_type=pl.DataFrame, partition_key="2024-02-29", instance=instance)

    assert found["total"].item() == 3


@pytest.mark.semantics(8)
def test_a_running_total_in_sql_begins_with_nothing(store: IOManager) -> None:
    total = running_total(columns={"day": pl.Date, "total": pl.Int32})
    defs = Definitions([total], resources={"io_manager": store})
    with Instance.ephemeral() as instance:
        for key in ("2024-02-27", "2024-02-28", "2024-02-29", "2024-02-28"):
            defs.materialize(partition_key=key, instance=instance)
        found = defs.load_asset_value("total", as_type=pl.DataFrame, partition_key="2024-02-29", instance=instance)

    assert found.rows() == [(date(2024, 2, 29), 3)]


def test_a_running_total_in_sql_says_what_it_needs_to_begin(table_store: IOManager) -> None:
    for columns in (None, {"day": date, "total": int}):
        defs = Definitions([running_total(columns=columns)], resources={"io_manager": table_store})

        with pytest.raises(TableNotFoundError, match=r"the SQL of asset 'total' reads it.*Say what columns it has"):
            defs.materialize(partition_key="2024-02-27", instance=Instance.ephemeral())


def test_a_plan_tells_the_first_columns_of_a_running_total(table_store: IOManager) -> None:
    defs = Definitions([running_total(columns={"day": pl.Date, "total": pl.Int32})], resources={"io_manager": table_store})
    plan = defs.plan(instance=Instance.ephemeral())

    assert plan["total"].predicted is not None
    assert (plan["total"].predicted.names, plan.broken) == (("day", "total"), [])


def running_total(**options: Any) -> Any:
    """How many partitions there are so far, told by the one before."""
    return sql_asset(
        "total",
        "select $partition_start as day, 1 + coalesce(max(total), 0) as total from total",
        deps=[AssetDep("total", partition_mapping=TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))],
        partitions_def=DAYS,
        table=TableOptions(partition_expr="day", **options),
    )


@pytest.mark.semantics(44)
def test_sql_makes_and_reads_partitions(table_store: IOManager) -> None:
    orders = daily()

    @asset(deps=[orders], partitions_def=DAYS, metadata=BY_DAY)
    def doubled(context: AssetExecutionContext) -> SQL:
        return SQL("select day, 2 * amount as amount from orders")

    @asset(deps=[AssetDep(doubled)])
    def answer() -> SQL:
        return SQL("select count(*)::bigint as n, count(distinct day)::bigint as days from doubled")

    defs = Definitions([orders, doubled, answer], resources={"io_manager": table_store})
    with Instance.ephemeral() as instance:
        for key in ("2024-02-28", "2024-02-29", "2024-02-28"):
            defs.materialize("orders or doubled", partition_key=key, instance=instance)
        defs.materialize("answer", instance=instance)

        assert defs.load_asset_value("answer", instance=instance).rows() == [(4, 2)]


@pytest.mark.semantics(44)
def test_dimensions_are_slices_too(store: IOManager) -> None:
    grid = MultiPartitionsDefinition({"day": DAYS, "region": StaticPartitionsDefinition(["eu", "it's"])})

    @asset(partitions_def=grid, metadata={"partition_expr": {"day": "day", "region": "region"}})
    def sales(context: AssetExecutionContext) -> pl.DataFrame:
        day, region = context.partition_key.split("|")
        return pl.DataFrame({"day": [date.fromisoformat(day)], "region": [region]})

    defs = Definitions([sales], resources={"io_manager": store})
    with Instance.ephemeral() as instance:
        for key in ("2024-02-28|eu", "2024-02-28|it's", "2024-02-29|eu", "2024-02-28|it's"):
            defs.materialize(partition_key=key, instance=instance)

        assert defs.load_asset_value("sales", as_type=pl.DataFrame, instance=instance).height == 3


@pytest.mark.semantics(44)
def test_a_partitioned_table_says_by_which_column_before_anything_runs() -> None:
    @asset(partitions_def=DAYS)
    def orders() -> pl.DataFrame: ...

    with pytest.raises(InvalidDefinitionError, match="'orders' has partitions, and nothing says which column tells them"):
        Definitions([orders], resources={"io_manager": DuckDBIOManager()})


@pytest.mark.semantics(36, 40)
def test_a_failed_blocking_check_keeps_the_old_table(store: IOManager) -> None:
    frames = [pl.DataFrame({"id": [1, 2]}), pl.DataFrame({"id": [3, None]})]

    @asset
    def orders() -> pl.DataFrame:
        return frames[0]

    @asset
    def report(orders: pl.DataFrame) -> pl.DataFrame:
        return orders

    @asset(deps=[orders])
    def other() -> None: ...

    defs = Definitions(
        [orders, report, other], asset_checks=[not_null(orders, "id", blocking=True)], resources={"io_manager": store}
    )
    with Instance.ephemeral() as instance:
        assert defs.materialize(instance=instance).success

        frames[0] = frames[1]
        result = defs.materialize(instance=instance, raise_on_error=False)
        [failed] = result.get_failed_asset_check_evaluations()

        assert (result.steps("failure"), sorted(result.steps("skipped"))) == (["orders"], ["other", "report"])
        assert failed.metadata["failed_row_count"].value == 1
        assert failed.metadata["failed_rows"].value == [{"id": None}]
        assert result.get_asset_materialization_events() == []
        for key in ("orders", "report"):
            assert_frame_equal(
                defs.load_asset_value(key, as_type=pl.DataFrame, instance=instance), pl.DataFrame({"id": [1, 2]})
            )


@pytest.mark.semantics(36, 44)
def test_a_failed_blocking_check_keeps_the_old_partition(store: IOManager) -> None:
    orders = daily()

    @asset_check(asset=orders, blocking=True)
    def small(orders: pl.DataFrame) -> AssetCheckResult:
        return AssetCheckResult(passed=orders["amount"].max() < 50, metadata={"days": orders["day"].n_unique()})

    defs = Definitions(
        [orders], asset_checks=[small, column_checks(orders, not_null=["day"], blocking=True)], resources={"io_manager": store}
    )
    with Instance.ephemeral() as instance:
        for key in ("2024-02-28", "2024-02-29"):
            assert defs.materialize(partition_key=key, instance=instance).success
        result = defs.materialize(partition_key="2024-02-29", tags={"number": "9"}, instance=instance, raise_on_error=False)
        [failed] = result.get_failed_asset_check_evaluations()

        assert (failed.check_name, failed.partition, failed.metadata["days"].value) == ("small", "2024-02-29", 1)
        for offset in (0, 1):
            key = str(date(2024, 2, 28) + timedelta(offset))
            loaded = defs.load_asset_value("orders", as_type=pl.DataFrame, partition_key=key, instance=instance)
            assert_frame_equal(loaded, rows(key, 10))
