from __future__ import annotations

import logging
from typing import Any

import polars as pl
import pytest

from warehouse_assets import AssetExecutionContext, AssetKey, Instance, SourceAsset, asset, materialize
from warehouse_assets.errors import InvalidInvocationError, TableNotFoundError


@pytest.mark.semantics(20)
def test_a_context_knows_its_run(instance: Instance, new_manager: Any) -> None:
    seen: list[AssetExecutionContext] = []

    @asset(key_prefix="x", required_resource_keys={"rate"})
    def a(context: AssetExecutionContext) -> int:
        seen.append(context)
        return context.load_asset_value("raw/orders") + context.resources.rate

    result = materialize(
        [a, SourceAsset("raw/orders")],
        resources={"io_manager": new_manager(**{"raw/orders": 3}), "rate": 2},
        instance=instance,
        tags={"why": "test"},
    )
    (context,) = seen

    assert (result.asset_value("x/a"), context.run_id, context.run.run_id) == (5, result.run_id, result.run_id)
    assert (context.asset_key, context.selected_asset_keys) == (a.key, {a.key})
    assert (context.selected_output_names, context.step_key, context.retry_number) == ({"result"}, "x/a", 0)
    assert (context.instance, context.run_tags, context.has_partition_key) == (instance, {"why": "test"}, False)
    assert (context.assets_def, context.op_execution_context, context.op_config) == (a, context, None)


@pytest.mark.semantics(20)
def test_what_a_context_logs_is_logged(store: Any, caplog: pytest.LogCaptureFixture) -> None:
    @asset
    def a(context: AssetExecutionContext) -> None:
        context.log.warning("%d rows are late", 3)

    materialize([a], resources={"io_manager": store})

    assert ("warehouse_assets", logging.WARNING, "3 rows are late") in caplog.record_tuples


@pytest.mark.semantics(20)
def test_progress_is_told_to_those_who_watch_and_not_stored(store: Any, instance: Instance) -> None:
    @asset
    def a(context: AssetExecutionContext) -> None:
        context.report_progress(1, 4)
        context.report_progress(2)

    result = materialize([a], resources={"io_manager": store}, instance=instance)

    assert [event.message for event in result.events if event.event_type == "LOG"] == ["progress: 1 of 4", "progress: 2"]
    assert instance.get_event_records(event_types="LOG") == []


@pytest.mark.semantics(20, 43)
def test_a_part_of_a_table_is_loaded() -> None:
    from io_managers import DuckDBIOManager

    @asset
    def orders() -> pl.DataFrame:
        return pl.DataFrame({"id": [1, 2, 3], "amount": [10, 20, 30]})

    @asset(deps=["orders"])
    def dear(context: AssetExecutionContext) -> pl.DataFrame:
        return context.load_asset_value("orders", as_type=pl.DataFrame, columns=["amount"], where="id > 1", limit=1)

    result = materialize([orders, dear], resources={"io_manager": DuckDBIOManager()})

    assert result.asset_value("dear").rows() in ([(20,)], [(30,)])
    assert result.asset_value("dear").columns == ["amount"]


@pytest.mark.semantics(20)
def test_loading_what_is_not_there_is_an_error_with_close_keys(store: Any) -> None:
    @asset
    def a(context: AssetExecutionContext) -> None:
        context.load_asset_value("order")

    with pytest.raises(TableNotFoundError, match=r"'order'.* Did you mean 'orders'"):
        materialize([a, SourceAsset("orders")], resources={"io_manager": store})


@pytest.mark.semantics(20)
@pytest.mark.parametrize("name", ["run", "instance", "run_tags"])
def test_a_context_made_by_hand_belongs_to_no_run(name: str) -> None:
    context = AssetExecutionContext(assets_def=asset(name="a")(lambda: None), selected=(AssetKey("a"),))

    with pytest.raises(InvalidInvocationError, match="belongs to no run"):
        getattr(context, name)
