"""What a plan tells of a run, before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from io_managers import (
    DuckDBIOManager,
    ParquetIOManager,
)
from tests.planning.shop import ORDERS, PER_CUSTOMER, RENAMED, columns, names, shop
from warehouse_assets import (
    SQL,
    AssetDep,
    AssetKey,
    DailyPartitionsDefinition,
    Definitions,
    Instance,
    Table,
    TableOptions,
    TimeWindowPartitionMapping,
    asset,
    sql_asset,
)
from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.planning.changes import ColumnChange


def test_what_is_missing_is_told_in_the_order_of_the_run_with_its_columns(store: Any, instance: Instance) -> None:
    @asset(key_prefix="marts")
    def lazily(per_customer: pl.LazyFrame) -> pl.LazyFrame:
        return per_customer.select(pl.col("customer").str.len_chars().alias("n"), pl.lit(1.5).alias("x"))

    @asset(key_prefix="marts")
    def returning(per_customer: Table) -> SQL:
        return SQL("select spent from {t} where spent > {n}", t=per_customer, n=2)

    defs = shop(returning, lazily, sql_asset("marts/per_customer", PER_CUSTOMER), store=store)
    plan = defs.plan(instance=instance)

    assert names(plan.runs) == ["staging/orders", "marts/per_customer", "marts/returning", "marts/lazily"]
    assert [one.state for one in plan.runs] == ["missing"] * 4
    assert [columns(plan, key) for key in ("staging/orders", "marts/per_customer", "marts/returning", "marts/lazily")] == [
        ("id", "customer", "amount"),
        ("customer", "spent"),
        ("spent",),
        ("n", "x"),
    ]
    assert (plan.broken, plan["marts/lazily"].stored) == ([], None)


def test_what_is_predicted_is_what_the_run_then_stores(store: Any, instance: Instance) -> None:
    @asset(key_prefix="marts")
    def lazily(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.group_by("customer").agg(pl.len(), pl.col("amount").mean())

    defs = shop(lazily, sql_asset("marts/per_customer", PER_CUSTOMER), store=store)
    plan = defs.plan(instance=instance)
    defs.materialize(instance=instance)
    after = defs.plan(instance=instance, everything=True)

    assert [one.predicted for one in plan.assets] == [one.stored for one in after.assets]
    assert [one.changes for one in after.assets] == [()] * 3


def test_nothing_is_to_do_when_all_is_fresh(duckdb_store: Any, instance: Instance) -> None:
    defs = shop(store=duckdb_store)
    defs.materialize(instance=instance)
    plan = defs.plan(instance=instance)

    assert (plan.assets, str(plan)) == ((), "Nothing to do: the asset is fresh")


def test_what_waits_for_others_is_told(duckdb_store: Any, instance: Instance) -> None:
    mart = sql_asset("marts/per_customer", PER_CUSTOMER)
    shop(mart, store=duckdb_store).materialize(instance=instance)
    plan = shop(mart, orders=f"{ORDERS} limit 2", store=duckdb_store).plan("marts/per_customer", instance=instance)

    assert str(plan) == "Nothing to do: the asset waits for what is upstream and not selected"


def test_a_renamed_column_breaks_all_that_asks_for_it(any_store: Any, instance: Instance) -> None:
    @asset(key_prefix="marts", code_version="1")
    def lazily(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.group_by("customer").agg(pl.len())

    @asset(key_prefix="marts", code_version="1")
    def untouched(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.select("id")

    every = [
        sql_asset("marts/per_customer", "select customer, sum(amount) as spent from staging.orders group by customer"),
        sql_asset("marts/best", "select spent from marts.per_customer"),
        lazily,
        untouched,
    ]
    shop(*every, store=any_store).materialize(instance=instance)
    plan = shop(*every, orders=RENAMED, store=any_store).plan(instance=instance)
    faults = {one.key.to_user_string(): [(fault.upstream, fault.column) for fault in one.faults] for one in plan.broken}

    orders = AssetKey(["staging", "orders"])
    assert [(change.kind, change.name) for change in plan["staging/orders"].changes] == [
        ("removed", "customer"),
        ("added", "client"),
    ]
    assert plan["staging/orders"].causes[0].kind == "code"
    assert faults == {"marts/per_customer": [(orders, "customer")], "marts/lazily": [(orders, "customer")]}
    assert list(map(str, plan["marts/per_customer"].faults[0].reaches)) == ["marts/per_customer.customer", "marts/per_customer"]
    assert plan["marts/best"].unknown == "marts/per_customer breaks"
    assert (plan["marts/untouched"].faults, columns(plan, "marts/untouched")) == ((), ("id",))
    assert Path(plan["marts/per_customer"].faults[0].where.partition(":")[0]) == Path(__file__)


def test_each_column_that_is_missed_is_named(duckdb_store: Any, instance: Instance) -> None:
    every = sql_asset("marts/every", "select amount, customer, id from staging.orders")
    shop(every, store=duckdb_store).materialize(instance=instance)
    plan = shop(every, orders="select amount, 1 as other from raw.events", store=duckdb_store).plan(instance=instance)

    assert [fault.column for fault in plan["marts/every"].faults] == ["id", "customer"]


def test_what_is_not_selected_breaks_too(duckdb_store: Any, instance: Instance) -> None:
    marts = [sql_asset("marts/per_customer", PER_CUSTOMER), sql_asset("marts/ids", "select id from staging.orders")]
    shop(*marts, store=duckdb_store).materialize(instance=instance)
    plan = shop(*marts, orders=RENAMED, store=duckdb_store).plan("staging/orders", instance=instance)

    assert (names(plan.runs), names(plan.assets)) == (["staging/orders"], ["staging/orders", "marts/per_customer"])
    assert "not made by this run" in str(plan)


def test_the_sql_that_changed_is_shown_and_its_form_is_not(duckdb_store: Any, instance: Instance) -> None:
    shop(store=duckdb_store).materialize(instance=instance)
    reformatted = shop(orders=ORDERS.replace(" from", "\n-- all of it\nFROM"), store=duckdb_store).plan(instance=instance)
    plan = shop(orders=RENAMED, store=duckdb_store).plan(instance=instance)
    change = plan["staging/orders"].sql

    assert reformatted.assets == ()
    assert change is not None
    assert [line.strip() for line in change.diff if line.startswith(("+", "-"))] == ["-  customer,", "+  customer AS client,"]


def test_a_retyped_column_and_a_query_that_does_not_go_with_it(duckdb_store: Any, instance: Instance) -> None:
    mart = sql_asset("marts/per_customer", PER_CUSTOMER)
    shop(mart, store=duckdb_store).materialize(instance=instance)
    text = "select id, customer, [amount] as amount from raw.events"
    plan = shop(mart, orders=text, store=duckdb_store).plan(instance=instance)

    assert plan["staging/orders"].changes == (ColumnChange("retyped", "amount", "BIGINT", "BIGINT[]"),)
    assert [fault.column for fault in plan["marts/per_customer"].faults] == [None]
    assert "sum(BIGINT[])" in plan["marts/per_customer"].faults[0].message


def test_faulty_sql_breaks_before_it_was_ever_made(store: Any, instance: Instance) -> None:
    plan = shop(sql_asset("marts/faulty", "select nothing from staging.orders"), store=store).plan(instance=instance)

    assert names(plan.broken) == ["marts/faulty"]
    assert "nothing" in plan["marts/faulty"].faults[0].message


CALLED: list[str] = []


def test_a_contract_and_a_write_mode_downstream_are_held(store: Any, instance: Instance) -> None:
    options = TableOptions(columns={"customer": pl.String})
    plan = shop(sql_asset("marts/few", "select * from staging.orders", table=options), store=store).plan(instance=instance)

    assert "'id'" in plan["marts/few"].faults[0].message


def test_a_partition_with_other_columns_is_refused_or_taken_as_the_policy_says(tmp_path: Path, instance: Instance) -> None:
    days = DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-04")

    def project(text: str, policy: Any) -> Definitions:
        options = TableOptions(partition_expr="day", schema_policy=policy)
        daily = sql_asset("marts/daily", text, partitions_def=days, table=options)
        return Definitions([daily], resources={"io_manager": DuckDBIOManager(database=f"{tmp_path}/shop.duckdb")})

    before, after = "select date '2024-01-01' as day, 1 as n", "select date '2024-01-02' as day, 'x' as other"
    project(before, "fail").materialize(instance=instance, partition_key="2024-01-01")
    refused = project(after, "fail").plan(instance=instance, partition_key="2024-01-02")
    taken = project(after, "append").plan(instance=instance, partition_key="2024-01-02")
    every = project(before, "fail").plan(instance=instance)

    assert "'other' (VARCHAR) is new" in refused["marts/daily"].faults[0].message
    assert columns(taken, "marts/daily") == ("day", "n", "other")
    assert (names(every.runs), every["marts/daily"].state, every.broken) == (["marts/daily"], "stale", [])
    assert "some partitions are missing" in str(every)


def test_sql_may_name_the_partition(store: Any, instance: Instance) -> None:
    days = DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-04")

    def project(column: str) -> Definitions:
        text = f"select $partition_start as day, $partition_key as {column}, id from staging.orders"
        options = TableOptions(partition_expr="day", schema_policy="append")
        return shop(sql_asset("marts/daily", text, partitions_def=days, table=options), store=store)

    project("name").materialize(instance=instance, partition_key="2024-01-01")
    chosen = project("named").plan(instance=instance, partition_key="2024-01-02")
    last = project("name").plan(instance=instance)

    assert columns(chosen, "marts/daily") == ("day", "name", "id", "named")
    assert (columns(last, "marts/daily"), last.broken) == (("day", "name", "id"), [])


def test_stores_of_several_kinds_are_planned_together(tmp_path: Path, instance: Instance, duckdb_store: Any) -> None:
    lake = ParquetIOManager(base_path=f"{tmp_path}/lake")

    @asset(key_prefix="marts", io_manager_key="lake", code_version="1")
    def lazily(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.select("customer")

    back = sql_asset("marts/back", "select l.customer, id from marts.lazily as l, staging.orders")
    shop(lazily, back, store=duckdb_store, lake=lake).materialize(instance=instance)
    plan = shop(lazily, back, orders=RENAMED, store=duckdb_store, lake=lake).plan(instance=instance)

    assert names(plan.broken) == ["marts/lazily"]
    assert plan["marts/back"].unknown == "marts/lazily breaks"


def test_a_plan_writes_nothing(tmp_path: Path, duckdb_store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WAREHOUSE_ASSETS_HOME", raising=False)
    before = (tmp_path / "shop.duckdb").read_bytes()
    shop(sql_asset("marts/per_customer", PER_CUSTOMER), store=duckdb_store).plan()

    assert [path.name for path in tmp_path.iterdir()] == ["shop.duckdb"]
    assert (tmp_path / "shop.duckdb").read_bytes() == before


def test_hostile_names(store: Any, instance: Instance) -> None:
    key = AssetKey(["marts", 'per "customer"; drop'])
    name = 'cus"tomer; -- x'
    quoted = name.replace('"', '""')
    first = sql_asset(key, f'select customer as "{quoted}", id from staging.orders')
    second = sql_asset("marts/second", f'select "{quoted}" as x from marts."per ""customer""; drop"')
    shop(first, second, store=store).materialize(instance=instance)
    renamed = sql_asset(key, "select customer as y, id from staging.orders")
    plan = shop(renamed, second, store=store).plan(instance=instance)

    assert plan[key].changes[0].name == name
    assert [fault.column for fault in plan["marts/second"].faults] == [name]


def test_a_table_that_reads_itself(duckdb_store: Any, instance: Instance) -> None:
    days = DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-04")
    text = "select $partition_start::date as day, count(*) as n from staging.orders"
    options = TableOptions(partition_expr="day")
    defs = shop(sql_asset("marts/growing", text, partitions_def=days, table=options), store=duckdb_store)
    defs.materialize(instance=instance, partition_key="2024-01-01")
    again = shop(
        sql_asset(
            "marts/growing",
            "select $partition_start::date as day, count(*) as n from marts.growing",
            deps=[AssetDep("marts/growing", partition_mapping=TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))],
            partitions_def=days,
            table=options,
        ),
        store=duckdb_store,
    ).plan(instance=instance, partition_key="2024-01-02")

    assert (columns(again, "marts/growing"), again.broken) == (("day", "n"), [])


@pytest.mark.parametrize("store", ["duckdb", "postgres"], indirect=True)
@pytest.mark.parametrize("kind", ["table", "view"])
def test_views_are_planned_as_tables_are(kind: Any, instance: Instance, store: Any) -> None:
    def project(text: str) -> Definitions:
        middle = sql_asset("marts/middle", text, materialized=kind)
        marts = [middle, sql_asset("marts/last", "select customer from marts.middle", materialized="table")]
        return shop(*marts, store=store)

    first = project("select * from staging.orders").plan(instance=instance)
    project("select * from staging.orders").materialize(instance=instance)
    plan = project("select id, customer as client from staging.orders").plan(instance=instance)
    turned = shop(sql_asset("marts/middle", "select id from staging.orders"), store=store).plan(
        "marts/middle", instance=instance
    )

    assert (first.broken, names(plan.broken), turned.broken) == ([], ["marts/last"], [])
    assert [change.name for change in plan["marts/middle"].changes] == ["customer", "amount", "client"]
    assert [fault.column for fault in plan["marts/last"].faults] == ["customer"]


def test_an_unknown_selection_and_an_asset_that_is_not_in_it(duckdb_store: Any, instance: Instance) -> None:
    defs = shop(store=duckdb_store)
    with pytest.raises(InvalidSelectionError, match="nothing"):
        defs.plan("nothing", instance=instance)
    with pytest.raises(LookupError, match="does not concern 'raw/events'"):
        defs.plan(instance=instance)["raw/events"]


def test_a_long_chain_is_planned_to_its_end(tmp_path: Path, instance: Instance) -> None:
    store = DuckDBIOManager(database=f"{tmp_path}/many.duckdb")
    chain = [
        sql_asset("t/t0", "select 1 as n"),
        *(sql_asset(f"t/t{i}", f"select n + 1 as n from t.t{i - 1}") for i in range(1, 60)),
    ]
    plan = Definitions(chain, resources={"io_manager": store}).plan(instance=instance)

    assert {asset.predicted.names for asset in plan.assets if asset.predicted is not None} == {("n",)}
    assert len(plan.runs) == 60
