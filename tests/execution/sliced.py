"""Partitions, and assets of them, that the tests of runs share."""

from __future__ import annotations

from typing import Any

from warehouse_assets import (
    AssetExecutionContext,
    AssetIn,
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    MultiPartitionsDefinition,
    PartitionKeyRange,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
)

DAYS = DailyPartitionsDefinition("2024-02-27", "2024-03-04")


LATER_DAYS = DailyPartitionsDefinition("2024-02-29", "2024-03-04")


HOURS = HourlyPartitionsDefinition("2024-02-27-00:00", "2024-03-04-00:00")


REGIONS = StaticPartitionsDefinition(["eu", "us"])


BOTH = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})


CUSTOMERS = DynamicPartitionsDefinition("customers")


DAY_BEFORE = TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)


LEAP_WEEKEND = PartitionKeyRange("2024-02-28", "2024-03-01")


@asset(partitions_def=DAYS)
def orders(context: AssetExecutionContext) -> list[str]:
    return list(context.partition_keys)


@asset(partitions_def=DAYS)
def bills(orders: Any) -> Any:
    return orders


@asset
def rates() -> int:
    return 2


def days_of(partitions_def: Any, mapping: Any = None, name: str = "bills", **options: Any) -> Any:
    """An asset that is made from `orders`."""

    @asset(name=name, partitions_def=partitions_def, ins={"orders": AssetIn(partition_mapping=mapping)}, **options)
    def made(orders: Any) -> Any:
        return orders

    return made
