"""Blocking checks on real stores: the old table is what everybody sees until the new one has passed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from io_managers import DuckDBIOManager, InMemoryIOManager, ParquetIOManager
from io_managers.fsspec import FsspecIOManager
from warehouse_assets import AssetCheckExecutionContext, AssetKey, Definitions, Instance, asset, asset_check
from warehouse_assets.checks import column_checks, row_count, schema_unchanged
from warehouse_assets.execution.run import RunResult

pytestmark = pytest.mark.semantics(36)

GOOD = pl.DataFrame({"id": [1, 2], "customer": [1, 1]})
BAD = pl.DataFrame({"id": [3, 3, 4], "customer": [1, 9, None]})

STORES: dict[str, Callable[[Path], Any]] = {
    "duckdb": lambda folder: DuckDBIOManager(database=str(folder / "w.duckdb")),
    "parquet": lambda folder: ParquetIOManager(base_path=str(folder / "lake")),
    "memory": lambda folder: InMemoryIOManager(),
    "pickle": lambda folder: FsspecIOManager(base_path=str(folder)),
}


@pytest.fixture(params=STORES)
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return STORES[request.param](tmp_path)


def made(manager: Any, frame: pl.DataFrame, instance: Instance) -> RunResult:
    @asset(key_prefix="staging")
    def orders() -> pl.DataFrame:
        return frame

    @asset
    def customers() -> pl.DataFrame:
        return pl.DataFrame({"id": [1]})

    @asset
    def report(orders: pl.DataFrame) -> pl.DataFrame:
        return orders

    @asset_check(asset=orders, blocking=True)
    def is_seen(context: AssetCheckExecutionContext, orders: pl.DataFrame) -> bool:
        assert context.staged is not None
        return orders.equals(frame)

    checks = [
        column_checks(
            orders, unique=["id"], not_null=["customer"], relationships={"customer": (customers, "id")}, blocking=True
        ),
        row_count(orders, minimum=1, blocking=True),
        schema_unchanged(orders, {"id": None, "customer": None}, blocking=True),
        is_seen,
    ]
    definitions = Definitions([orders, customers, report], asset_checks=checks, resources={"io_manager": manager})
    return definitions.materialize(instance=instance, raise_on_error=False)


def test_a_faulty_table_leaves_the_old_one_and_a_sample_of_its_rows(manager: Any, instance: Instance) -> None:
    first = made(manager, GOOD, instance)
    second = made(manager, BAD, instance)

    assert (first.success, first.asset_value("report").rows()) == (True, GOOD.rows())
    assert (second.steps("failure"), second.steps("skipped")) == (["staging/orders"], ["report"])
    assert second.asset_value("staging/orders").rows() == GOOD.rows()
    found = {evaluation.check_name: evaluation for evaluation in second.get_asset_check_evaluations()}
    assert {name: evaluation.passed for name, evaluation in found.items()} == {
        "not_null_customer": False,
        "unique_id": False,
        "relationship_customer": False,
        "row_count": True,
        "schema_unchanged": True,
        "is_seen": True,
    }
    assert found["relationship_customer"].metadata["failed_rows"].value == [{"id": 3, "customer": 9}]
    events = instance.get_event_records(asset_key="staging/orders", event_types="ASSET_MATERIALIZATION")
    assert [event.run_id for event in events] == [first.run_id]
    assert str(second.failures["staging/orders"]).startswith(
        "asset 'staging/orders' failed 3 blocking checks: 'not_null_customer': 1 of 3 rows have no 'customer'; "
    )


def test_a_first_table_that_is_faulty_is_never_there(manager: Any, instance: Instance) -> None:
    result = made(manager, BAD, instance)

    with pytest.raises(LookupError):
        result.asset_value("staging/orders")
    assert instance.get_latest_materialization_event(AssetKey(["staging", "orders"])) is None


def test_a_good_table_replaces_the_old_one_after_a_faulty_one(manager: Any, instance: Instance) -> None:
    for frame in (GOOD, BAD, GOOD.head(1)):
        result = made(manager, frame, instance)

    assert (result.success, result.asset_value("report").rows()) == (True, [(1, 1)])
