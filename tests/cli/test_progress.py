from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import AssetKey, AssetMaterialization
from warehouse_assets.cli.format import console
from warehouse_assets.cli.progress import RunDisplay
from warehouse_assets.events import Event


def made(asset: str, partition: str | None = None, **metadata: Any) -> Event:
    data = AssetMaterialization(AssetKey(asset), partition=partition, metadata=metadata)
    return Event("ASSET_MATERIALIZATION", "r1", 0.0, "step", data=data)


@pytest.mark.parametrize(
    ("events", "rows"),
    [
        ([made("a", row_count=3), made("b", row_count=4)], 7),
        ([made("a", "mon", row_count=9, partition_row_count=5), made("a", "tue", row_count=9, partition_row_count=5)], 5),
        ([made("a", "mon", row_count=9), made("b", "mon", row_count=2)], 11),
        ([made("a")], None),
    ],
    ids=["two_assets", "two_partitions_of_one_write", "two_assets_of_a_partition", "nothing_measured"],
)
def test_the_rows_of_each_write_are_counted_once(events: list[Event], rows: int | None) -> None:
    display = RunDisplay(console(), 1)
    for event in events:
        display(event)

    assert (display.views["step"].rows, display.totals.rows) == (rows, rows or 0)
