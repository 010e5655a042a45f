from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from io_managers import DuckDBIOManager
from warehouse_assets import (
    SQL,
    AssetExecutionContext,
    AssetKey,
    AssetOut,
    ConfigurableResource,
    DailyPartitionsDefinition,
    EnvVar,
    InitResourceContext,
    Instance,
    IOManager,
    PartitionKeyRange,
    StaticPartitionsDefinition,
    asset,
    build_asset_context,
    build_init_resource_context,
    build_input_context,
    build_op_context,
    build_output_context,
    io_manager,
    multi_asset,
    op,
    resource,
)
from warehouse_assets.errors import InvalidInvocationError, InvalidMetadataError, PartitionNotFoundError, ResourceError
from warehouse_assets.io_manager import TableSource

pytestmark = pytest.mark.semantics(34)

said: list[str] = []


class Database(ConfigurableResource):
    url: str

    def setup_for_execution(self, context: InitResourceContext) -> None:
        said.append(f"open {self.url}")

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        said.append("close")


@pytest.fixture(autouse=True)
def nothing_said() -> None:
    said.clear()


@asset
def orders(context: AssetExecutionContext, db: Database) -> str:
    return db.url


def test_resources_start_with_the_block_and_are_torn_down_with_it() -> None:
    with build_asset_context(resources={"db": Database(url="x")}) as context:
        assert said == ["open x"]
        assert orders(context) == "x"

    assert said == ["open x", "close"]


def test_without_a_block_they_start_on_use_and_are_torn_down_with_the_context() -> None:
    context = build_asset_context(resources={"db": Database(url="x")})
    assert said == []

    assert orders(context) == "x"
    assert said == ["open x"]

    del context
    gc.collect()
    assert said == ["open x", "close"]


def test_a_failure_in_the_block_tears_them_down() -> None:
    with pytest.raises(ValueError, match="no such luck"), build_op_context(resources={"db": Database(url="x")}):
        raise ValueError("no such luck")

    assert said == ["open x", "close"]


def test_variables_are_read_when_a_resource_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    context = build_asset_context(resources={"db": Database(url=EnvVar("DB_URL"))})
    with pytest.raises(ResourceError, match="'DB_URL' is not set"):
        orders(context)

    monkeypatch.setenv("DB_URL", "postgresql://")

    assert orders(context) == "postgresql://"


def test_a_missing_resource_is_named_by_the_context() -> None:
    context = build_asset_context(resources={"db": 1})

    with pytest.raises(AttributeError, match=r"there is no resource 'dbb' here\. Did you mean 'db'"):
        _ = context.resources.dbb
    assert list(context.resources) == ["db"]
    assert repr(context.resources) == "Resources(db)"


def test_a_context_knows_what_it_was_given(instance: Instance) -> None:
    context = build_asset_context(instance=instance, run_tags={"team": "shop"})

    assert (context.instance, context.run_tags, context.run_id) == (instance, {"team": "shop"}, "")
    assert build_asset_context().instance.get_runs() == []
    with pytest.raises(InvalidInvocationError, match="belongs to no run"):
        _ = context.run


def test_a_context_is_about_what_it_is_called_with() -> None:
    @asset(key=["raw", "a"])
    def named(context: AssetExecutionContext) -> AssetKey:
        return context.asset_key

    context = build_asset_context()
    with pytest.raises(InvalidInvocationError, match="is not about an asset"):
        _ = context.asset_key

    assert named(context) == AssetKey(["raw", "a"])


def test_it_logs_where_a_run_logs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        build_asset_context().log.info("hello")

    assert [(record.name, record.message) for record in caplog.records] == [("warehouse_assets", "hello")]


def test_metadata_is_kept_as_it_was_given_and_checked_like_in_a_run() -> None:
    context = build_op_context()
    context.add_output_metadata({"rows": 3})

    assert (context.get_output_metadata(), context.get_output_metadata("other")) == ({"rows": 3}, {})
    with pytest.raises(InvalidMetadataError):
        context.add_output_metadata({"odd": object()})


def test_metadata_of_what_is_not_there_is_an_error() -> None:
    @multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
    def both(context: AssetExecutionContext, **told: Any) -> None:
        context.add_output_metadata({"n": 1}, **told)

    with pytest.raises(InvalidInvocationError, match=r"there is no output 'c'; there are \['a', 'b'\]"):
        both(build_asset_context(), output_name="c")
    with pytest.raises(InvalidInvocationError, match="there are 2 outputs; say which one is meant"):
        both(build_asset_context())
    with pytest.raises(InvalidInvocationError, match="asset 'c' is not made by what is called"):
        both(build_asset_context(), asset_key="c")


def test_the_configuration_of_an_op_has_two_names_and_one_value() -> None:
    assert (build_op_context(op_config=1).op_config, build_op_context(config=1).op_config) == (1, 1)
    with pytest.raises(InvalidInvocationError, match="op_config and config are both given"):
        build_op_context(op_config=1, config=2)


def test_a_resource_function_is_called_with_a_context() -> None:
    @resource(required_resource_keys={"db"})
    def client(context: InitResourceContext) -> tuple[Any, str]:
        return context.resource_config, context.resources.db.url

    @resource
    def session() -> Iterator[str]:
        said.append("begin")
        yield "session"
        said.append("end")

    with build_init_resource_context({"n": 1}, {"db": Database(url="x")}) as context:
        assert client(context) == ({"n": 1}, "x")
        assert client.configured({"n": 2})(build_init_resource_context(resources={"db": Database(url="y")}))[0] == {"n": 2}
        with session() as made:
            assert made == "session"

    assert (said[:1], said[-1:]) == (["open x"], ["close"])
    assert {"begin", "end"} <= {*said}
    with pytest.raises(InvalidInvocationError, match="the resource 'client' takes a context, and none is given"):
        client()


def test_an_io_manager_function_is_called_with_a_context(new_manager: Any) -> None:
    @io_manager
    def shelf(context: InitResourceContext) -> IOManager:
        return new_manager(kept=context.resource_config)

    assert shelf(build_init_resource_context(config=3)).values == {AssetKey("kept"): 3}


def test_an_io_manager_can_be_tested_alone() -> None:
    manager = DuckDBIOManager()
    output = build_output_context(asset_key="staging/orders", definition_metadata={"owner": "shop"})
    manager.handle_output(output, pl.DataFrame({"id": [1, 2], "amount": [3, 4]}))

    part = build_input_context(upstream_output=output, type_hint=pl.LazyFrame, metadata={"columns": ["amount"]})

    assert output.output_metadata["row_count"].value == 2
    assert manager.load_input(part).collect().to_dict(as_series=False) == {"amount": [3, 4]}
    assert part.upstream_output.definition_metadata == {"owner": "shop"}


def test_the_sql_of_an_io_manager_can_be_tested_alone() -> None:
    manager = DuckDBIOManager()
    manager.handle_output(build_output_context(asset_key="orders"), pl.DataFrame({"id": [1, 2]}))
    orders = build_input_context(asset_key="orders")

    total = build_output_context(asset_key="total", sources={orders.asset_key: TableSource(manager, orders)})
    manager.handle_output(total, SQL("select sum(id)::int as n from orders"))

    assert manager.load_input(build_input_context(asset_key="total")).rows() == [(3,)]


def test_contexts_of_tables_say_what_they_are_about() -> None:
    days = StaticPartitionsDefinition(["mon", "tue"])

    assert build_output_context(name="orders").asset_key == AssetKey("orders")
    assert build_input_context(name="orders").asset_key == AssetKey("orders")
    assert build_output_context(asset_key="a", partition_key="mon", partitions_def=days).partition_key == "mon"
    assert build_input_context(asset_key="a", partition_keys=["mon", "tue"]).partitions_def == days
    assert not build_input_context(asset_key="a").has_asset_partitions
    with pytest.raises(InvalidInvocationError, match="nothing says what is read"):
        build_input_context()
    with pytest.raises(InvalidInvocationError, match="partition_key and partition_keys are both given"):
        build_output_context(partition_key="mon", partition_keys=["tue"])


def test_contexts_of_tables_have_resources() -> None:
    with build_output_context(asset_key="a", resources={"db": Database(url="x")}) as context:
        assert context.resources.db.url == "x"

    assert said == ["open x", "close"]


DAYS = DailyPartitionsDefinition("2024-05-01", end_date="2024-06-01")


@asset(partitions_def=DAYS)
def daily(context: AssetExecutionContext) -> tuple[list[str], int]:
    return list(context.partition_keys), context.partition_time_window.duration.days


@pytest.mark.semantics(37)
def test_the_partitions_of_a_context_are_those_of_the_asset_that_is_called() -> None:
    assert daily(build_asset_context(partition_key="2024-05-02")) == (["2024-05-02"], 1)
    several = PartitionKeyRange("2024-05-02", "2024-05-04")
    assert daily(build_asset_context(partition_key_range=several)) == (["2024-05-02", "2024-05-03", "2024-05-04"], 3)


@pytest.mark.semantics(37)
def test_partitions_that_are_not_there_are_refused() -> None:
    with pytest.raises(PartitionNotFoundError, match="2024-07-02"):
        daily(build_asset_context(partition_key="2024-07-02"))
    with pytest.raises(PartitionNotFoundError, match="asset 'daily' has no partition here"):
        daily(build_asset_context())
    with pytest.raises(
        InvalidInvocationError, match="the context has the partition 'mon', and asset 'orders' is not partitioned"
    ):
        orders(build_asset_context(partition_key="mon"))
    with pytest.raises(InvalidInvocationError, match="partition_key and partition_key_range are both given"):
        build_op_context(partition_key="a", partition_key_range=PartitionKeyRange("a", "b"))


@pytest.mark.semantics(37)
def test_an_op_knows_the_partition_that_the_context_was_built_with() -> None:
    assert op(name="told")(lambda context: context.partition_key)(build_op_context(partition_key="mon")) == "mon"
    context = build_op_context(partition_key_range=PartitionKeyRange("a", "b"))
    assert (context.has_partition_key, context.has_partition_key_range, context.partition_keys) == (False, True, ("a", "b"))
