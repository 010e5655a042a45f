from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from io_managers import DuckDBIOManager
from io_managers.engine import relation_of
from warehouse_assets import (
    SQL,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetOut,
    Config,
    ConfigurableResource,
    DailyPartitionsDefinition,
    Definitions,
    MaterializeResult,
    Output,
    RunConfig,
    SourceAsset,
    Table,
    TimeWindowPartitionMapping,
    asset,
    graph_asset,
    multi_asset,
    op,
)
from warehouse_assets.errors import InvalidInvocationError, InvalidSelectionError
from warehouse_assets.testing import check_asset

pytestmark = pytest.mark.semantics(34)

RAW = {"id": [1, 2, 3], "customer": ["ann", "bob", "ann"], "amount": [1.5, 2.0, 3.0]}


class Least(Config):
    amount: float = 0.0


class Rate(ConfigurableResource):
    factor: float


@asset(key_prefix="staging")
def orders(config: Least, raw_orders: pl.LazyFrame, rate: Rate) -> pl.LazyFrame:
    return raw_orders.filter(pl.col("amount") >= config.amount).with_columns(pl.col("amount") * rate.factor)


@asset(key_prefix="marts", deps=[orders])
def revenue() -> SQL:
    return SQL("select customer, sum(amount) as total from staging.orders group by all")


@asset(key_prefix="marts")
def best(revenue: Table) -> SQL:
    return SQL("select customer from {r} order by total desc limit {n}", r=revenue, n=1)


def shop(folder: Path) -> Definitions:
    return Definitions(
        [orders, revenue, best, SourceAsset("lake/raw_orders")],
        resources={"rate": Rate(factor=1.0), "io_manager": DuckDBIOManager(database=str(folder / "shop.duckdb"))},
    )


def test_python_and_sql_run_on_what_is_given_and_touch_nothing_else(tmp_path: Path) -> None:
    defs = shop(tmp_path)

    check_asset(defs, "staging/orders", given={"lake/raw_orders": RAW}, expect=RAW)
    check_asset(defs, "marts/revenue", given={"staging/orders": RAW}, expect={"total": [2, 4.5], "customer": ["bob", "ann"]})
    check_asset(defs, best, given={revenue: {"customer": ["ann", "bob"], "total": [1, 2]}}, expect={"customer": ["bob"]})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "made_by",
    [dict, pl.DataFrame, pl.LazyFrame, pa.table, pd.DataFrame, lambda columns: relation_of(pa.table(columns))],
    ids=["dict", "polars", "lazy", "arrow", "pandas", "relation"],
)
def test_frames_of_any_library_are_given_and_expected(made_by: Any, tmp_path: Path) -> None:
    check_asset(shop(tmp_path), "staging/orders", given={"raw_orders": made_by(RAW)}, expect=made_by(RAW))


def test_resources_and_configuration_are_given(tmp_path: Path) -> None:
    expect = {"id": [2, 3], "customer": ["bob", "ann"], "amount": [4.0, 6.0]}

    check_asset(
        shop(tmp_path),
        "staging/orders",
        given={"raw_orders": RAW},
        expect=expect,
        resources={"rate": Rate(factor=2.0)},
        config=Least(amount=2.0),
    )


def test_a_resource_that_the_asset_brings_can_be_replaced() -> None:
    @asset(resource_defs={"rate": Rate(factor=1.0)})
    def rated(rate: Rate) -> pl.DataFrame:
        return pl.DataFrame({"factor": [rate.factor]})

    check_asset(rated, "rated", expect={"factor": [1.0]})
    check_asset(rated, "rated", expect={"factor": [3.0]}, resources={"rate": Rate(factor=3.0)})


def test_assets_stand_alone_or_in_lists() -> None:
    @asset(ins={"source": AssetIn("lake/raw", metadata={"columns": ["id"]})})
    def ids(source: pl.DataFrame, extra: pl.DataFrame | None = None) -> pl.DataFrame:
        assert extra is None
        return source

    check_asset(ids, "ids", given={"lake/raw": RAW}, expect={"id": [1, 2, 3]})
    check_asset([ids, [revenue]], ids, given={AssetKey(["lake", "raw"]): RAW}, expect={"id": [3, 2, 1]})


def test_a_multi_asset_is_compared_table_by_table() -> None:
    @multi_asset(outs={"small": AssetOut("x"), "large": AssetOut("x")})
    def parts(raw: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        return raw.filter(pl.col("n") < 3), raw.filter(pl.col("n") >= 3)

    given = {"raw": {"n": [1, 3, 5]}}

    check_asset(parts, parts, given=given, expect={"x/small": {"n": [1]}, "large": {"n": [3, 5]}})
    check_asset(parts, "x/large", given=given, expect={"n": [5, 3]})
    with pytest.raises(AssertionError, match="asset 'x/small' is not as expected"):
        check_asset(parts, parts, given=given, expect={"x/small": {"n": [2]}})
    with pytest.raises(InvalidInvocationError, match=r"makes several assets, and one table is expected"):
        check_asset(parts, parts, given=given, expect={"n": [5, 3]})
    with pytest.raises(InvalidInvocationError, match=r"'parts' does not make 'huge'\. It makes x/large, x/small"):
        check_asset(parts, parts, given=given, expect={"huge": {"n": [5, 3]}})


def test_of_a_subsettable_one_only_what_is_needed_runs() -> None:
    @multi_asset(
        outs={name: AssetOut(is_required=False) for name in "abc"},
        internal_asset_deps={"a": [], "b": ["a"], "c": []},
        can_subset=True,
    )
    def several(context: AssetExecutionContext) -> Iterator[Output[pl.DataFrame]]:
        assert context.selected_output_names == {"a", "b"}
        for name in sorted(context.selected_output_names):
            yield Output(pl.DataFrame({"name": [name]}), name)

    check_asset(several, "b", expect={"name": ["b"]})


def test_a_graph_asset_runs_its_ops() -> None:
    @op
    def doubled(config: Least, rows: pl.DataFrame) -> pl.DataFrame:
        return rows * 2 + config.amount

    @graph_asset
    def twice(raw):
        return doubled(raw)

    config = {"ops": {"doubled": {"config": {"amount": 1.0}}}}

    check_asset(twice, "twice", given={"raw": {"n": [1.0, 2.0]}}, expect={"n": [2.0, 4.0]})
    check_asset(twice, "twice", given={"raw": {"n": [1.0]}}, expect={"n": [3.0]}, config=config)
    check_asset(
        twice, "twice", given={"raw": {"n": [1.0]}}, expect={"n": [3.0]}, config=RunConfig({"doubled": Least(amount=1)})
    )


def test_plain_values_are_given_and_compared_too() -> None:
    @asset
    def count(numbers: list[int], factor: int) -> int:
        return len(numbers) * factor

    check_asset(count, "count", given={"numbers": [1, 2], "factor": 3}, expect=6)
    with pytest.raises(AssertionError, match="asset 'count' is not as expected\n  made      6\n  expected  7"):
        check_asset(count, "count", given={"numbers": [1, 2], "factor": 3}, expect=7)


def test_what_is_missing_or_no_input_is_said_at_once(tmp_path: Path) -> None:
    @asset
    def joined(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
        return left

    with pytest.raises(InvalidInvocationError) as caught:
        check_asset(joined, "joined", given={"lefft": RAW}, expect=RAW)

    assert str(caught.value).startswith(
        "asset 'joined': 'lefft' is given, and is no input of it; the input 'left' is not given; the input 'right' is not given ("
    )
    assert str(caught.value).endswith("Its inputs are left, right.")
    with pytest.raises(InvalidInvocationError, match=r"asset 'marts/revenue' reads 'staging/orders', which is not given"):
        check_asset(shop(tmp_path), "marts/revenue", expect=RAW)


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("orders", InvalidSelectionError, "there is no asset 'orders'. Did you mean 'staging/orders'"),
        ("lake/raw_orders", InvalidInvocationError, "'lake/raw_orders' is filled by something else, and cannot be run"),
    ],
)
def test_a_key_has_to_be_that_of_an_asset(key: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        check_asset(shop(tmp_path), key, expect=RAW)

    assert str(caught.value).startswith(message)


def test_an_asset_without_a_table_is_refused_with_the_reason() -> None:
    @asset
    def sent() -> None: ...

    @asset
    def written() -> MaterializeResult[None]:
        return MaterializeResult(metadata={"rows": 3})

    with pytest.raises(InvalidInvocationError, match=r"asset 'sent' stores nothing, .*Call it instead"):
        check_asset(sent, "sent", expect=None)
    with pytest.raises(AssertionError, match="asset 'written' gave no table to compare"):
        check_asset(written, "written", expect=RAW)
    with pytest.raises(InvalidInvocationError, match="makes a table, and a value of type int is expected"):
        check_asset(asset(name="n")(lambda: pl.DataFrame(RAW)), "n", expect=3)


def test_errors_of_the_asset_are_raised_as_themselves() -> None:
    @asset
    def broken() -> pl.DataFrame:
        raise ZeroDivisionError("by nothing")

    with pytest.raises(ZeroDivisionError, match="by nothing"):
        check_asset(broken, "broken", expect=RAW)


def test_it_needs_no_pytest() -> None:
    program = (
        "import sys; from warehouse_assets.testing import check_asset; print('pytest' in sys.modules, check_asset.__name__)"
    )

    done = subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout == "False check_asset\n"


def test_one_partition_is_made() -> None:
    days = DailyPartitionsDefinition("2024-05-01")

    @asset(partitions_def=days)
    def events() -> pl.DataFrame:
        return pl.DataFrame()

    @asset(partitions_def=days, metadata={"partition_expr": "day"})
    def counts(context: AssetExecutionContext, events: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame({"day": [context.partition_key], "rows": [events.height]})

    given = {"events": {"n": [1, 2]}}

    check_asset([events, counts], counts, given=given, expect={"day": ["2024-05-03"], "rows": [2]}, partition_key="2024-05-03")
    with pytest.raises(InvalidInvocationError, match="no partition is given"):
        check_asset([events, counts], counts, given=given, expect={})


def test_an_asset_made_from_itself_is_given_what_was_before() -> None:
    @asset(
        partitions_def=DailyPartitionsDefinition("2024-05-01"),
        ins={"before": AssetIn("balance", partition_mapping=TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))},
    )
    def balance(before: pl.DataFrame) -> pl.DataFrame:
        return before + 1

    check_asset(balance, balance, given={"balance": {"n": [1]}}, expect={"n": [2]}, partition_key="2024-05-03")
