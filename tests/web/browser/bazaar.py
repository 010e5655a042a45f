"""A made-up project that the pages are opened on: some of everything that they show, with names and texts that are hard to show."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import polars as pl

from io_managers import DuckDBIOManager
from warehouse_assets import (
    SQL,
    AssetCheckResult,
    AssetKey,
    AutomationCondition,
    Config,
    ConfigurableResource,
    DailyPartitionsDefinition,
    Definitions,
    EnvVar,
    FreshnessPolicy,
    RunRequest,
    ScheduleDefinition,
    SourceAsset,
    StaticPartitionsDefinition,
    Table,
    asset,
    asset_check,
    define_asset_job,
    sensor,
)

WRITTEN_PASSWORD = "hunter2-as-it-was-written"
HOSTILE = '"><script>alert(1)</script>'


class Bank(ConfigurableResource):
    """Where the money is."""

    host: str = "bank.invalid"
    user: str = "till"
    password: str


class Size(Config):
    """How much to make."""

    rows: int = 6
    api_key: str = "hush"


@asset(
    key_prefix="staging",
    group_name="staging",
    kinds={"polars"},
    owners=["team:bazaar"],
    tags={"tier": "gold"},
    deps=["raw/stalls"],
)
def orders(config: Size) -> pl.DataFrame:
    """Orders as they come in, one row each, from all stalls of the bazaar."""
    return pl.DataFrame({"id": range(config.rows), "customer": ["ann", "bob", HOSTILE] * (config.rows // 3)})


@asset(key_prefix="staging", group_name="staging", resource_defs={"bank": Bank(password=WRITTEN_PASSWORD)})
def payments(orders: pl.DataFrame, bank: Bank) -> pl.DataFrame:
    """What was paid."""
    return orders.with_columns(amount=pl.col("id") * 2.5)


@asset(key_prefix="marts", group_name="marts", kinds={"sql"}, freshness_policy=FreshnessPolicy.time_window(timedelta(days=2)))
def per_customer(orders: Table) -> SQL:
    """How many orders each customer has."""
    return SQL("select customer, count(*) as orders from {o} group by customer", o=orders)


@asset(key_prefix="marts", group_name="marts", deps=[payments, per_customer], automation_condition=AutomationCondition.eager())
def report_with_a_name_that_is_much_longer_than_any_column_of_a_list_would_like_it_to_be() -> SQL:
    """All that is known of a customer."""
    return SQL(
        "select c.customer, sum(p.amount) as paid from marts.per_customer c join staging.payments p using (customer) group by 1"
    )


@asset(group_name="trouble", deps=[orders])
def failing() -> None:
    """Fails until the file `mended` is there."""
    if not Path("mended").exists():
        raise ValueError(f"no such luck {HOSTILE}")


@asset(group_name="trouble")
def slow() -> None:
    """Takes long, until the file `enough` is there."""
    began = time.monotonic()
    while not Path("enough").exists() and time.monotonic() < began + 60:
        time.sleep(0.05)


@asset(group_name="trouble", deps=[slow])
def patient() -> None:
    """Waits for what takes long."""


@asset(group_name="trouble")
def never() -> None:
    """Was never made."""


@asset(key=AssetKey(['odd " key', "a/b", HOSTILE, "\u202eright to left"]), group_name="trouble")
def odd() -> None:
    """Has <b>a</b> name that is hard to write. <script>alert(1)</script>"""


@asset(
    group_name="days",
    partitions_def=DailyPartitionsDefinition("2024-01-01", end_date="2024-03-01"),
    metadata={"partition_expr": "day"},
)
def daily(context) -> pl.DataFrame:
    """A day at the bazaar."""
    return pl.DataFrame({"day": [context.partition_key], "n": [1]})


@asset(group_name="days", partitions_def=StaticPartitionsDefinition(["east", "west"]), metadata={"partition_expr": "region"})
def regions(context) -> pl.DataFrame:
    """East and west."""
    return pl.DataFrame({"region": [context.partition_key], "n": [1]})


@asset(group_name="quick")
def quick() -> None:
    """Does nothing."""


@asset(group_name="days")
def told() -> pl.DataFrame:
    """Was only told of."""
    return pl.DataFrame({"n": [1]})


@asset_check(asset=per_customer, description=f"There are rows. {HOSTILE}")
def has_rows(per_customer: pl.DataFrame) -> AssetCheckResult:
    return AssetCheckResult(passed=per_customer.height > 0, metadata={"rows": per_customer.height})


@asset_check(asset=orders)
def no_quotes(orders: pl.DataFrame) -> AssetCheckResult:
    """No customer has a quote in the name."""
    odd = orders.filter(pl.col("customer").str.contains('"', literal=True)).height
    return AssetCheckResult(passed=odd == 0, metadata={"odd": odd})


@sensor(target="staging/orders")
def arrivals(context):
    """Looks for new stalls."""
    return RunRequest(run_key="one")


nightly = define_asset_job("nightly", selection="staging/orders+", description="What is made at night.")
defs = Definitions(
    [
        orders, payments, per_customer, report_with_a_name_that_is_much_longer_than_any_column_of_a_list_would_like_it_to_be, failing, slow, patient,
        never, odd, daily, regions, quick, told, SourceAsset("raw/stalls", description="Where they stand.", group_name="raw"),
    ],
    asset_checks=[has_rows, no_quotes],
    jobs=[nightly],
    schedules=[ScheduleDefinition("every_night", cron_schedule="0 3 * * *", target=nightly, execution_timezone="Europe/Berlin")],
    sensors=[arrivals],
    resources={
        "io_manager": DuckDBIOManager(database="bazaar.duckdb"),
        "till": Bank(password=EnvVar("BAZAAR_PASSWORD")),
    },
)  # fmt: skip
