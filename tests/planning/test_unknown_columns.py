"""Of which assets a plan tells the columns, and what it says of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import create_engine

from io_managers import (
    FsspecIOManager,
    SQLAlchemyIOManager,
)
from io_managers.sqlalchemy.plain import Plain
from tests.planning.shop import RAW, RENAMED, columns, names, shop
from tests.planning.test_planner import CALLED
from warehouse_assets import (
    SQL,
    AssetIn,
    AssetOut,
    Config,
    Definitions,
    Instance,
    TableOptions,
    asset,
    multi_asset,
    sql_asset,
)


class Limit(Config):
    rows: int = 3


@asset(key_prefix="marts")
def eager(orders: pl.DataFrame) -> pl.DataFrame:
    CALLED.append("eager")
    return orders


@asset(key_prefix="marts")
def with_context(context, orders: pl.LazyFrame) -> pl.LazyFrame:  # type: ignore[no-untyped-def]
    CALLED.append("context")
    return orders


@asset(key_prefix="marts")
def with_config(config: Limit, orders: pl.LazyFrame) -> pl.LazyFrame:
    CALLED.append("config")
    return orders.head(config.rows)


@asset(key_prefix="marts")
def unannotated(orders):  # type: ignore[no-untyped-def]
    CALLED.append("unannotated")
    return orders


@asset(key_prefix="marts")
def mixed(orders: pl.LazyFrame, events: pl.DataFrame) -> pl.LazyFrame:
    CALLED.append("mixed")
    return orders


@asset(key_prefix="marts", deps=["staging/orders"])
def by_itself() -> None:
    CALLED.append("by_itself")


@multi_asset(outs={"one": AssetOut(), "two": AssetOut()})
def several(orders: pl.LazyFrame) -> Any:
    CALLED.append("several")
    return orders, orders


NOT_CALLED = {
    eager: "its function is not annotated to return a LazyFrame or SQL",
    with_context: "its function takes a context",
    with_config: "its function takes the config 'config'",
    unannotated: "its function is not annotated to return a LazyFrame or SQL",
    mixed: "its argument 'events' is not annotated as a LazyFrame or a Table",
    by_itself: "its function stores it by itself",
    several: "its function makes several assets",
}


@pytest.mark.parametrize("definition", NOT_CALLED, ids=lambda definition: definition.node_name)
def test_only_functions_that_describe_tables_are_called(definition: Any, duckdb_store: Any, instance: Instance) -> None:
    plan = shop(definition, store=duckdb_store).plan(instance=instance)

    assert {plan[key].unknown for key in definition.keys} == {NOT_CALLED[definition]}
    assert CALLED == []


def test_whatever_a_function_raises_its_columns_are_unknown(
    duckdb_store: Any, instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    @asset(key_prefix="marts")
    def failing(orders: pl.LazyFrame) -> pl.LazyFrame:
        print("asked")  # noqa: T201 - as people do
        first = orders.first().collect().item(0, "id")
        return orders.filter(pl.col("id") == first)

    @asset(key_prefix="marts")
    def leaving(orders: pl.LazyFrame) -> SQL:
        raise SystemExit(3)

    plan = shop(failing, leaving, store=duckdb_store).plan(instance=instance)

    assert "IndexError" in str(plan["marts/failing"].unknown)
    assert plan["marts/leaving"].unknown == "SystemExit: 3"
    assert capsys.readouterr() == ("", "asked\n")


def test_columns_that_an_input_asks_for_are_looked_for_without_a_call(duckdb_store: Any, instance: Instance) -> None:
    @asset(key_prefix="marts", ins={"orders": AssetIn("staging/orders", metadata={"columns": ["customer"]})})
    def picky(orders: pl.DataFrame) -> pl.DataFrame:
        CALLED.append("picky")
        return orders

    shop(picky, store=duckdb_store).materialize(instance=instance)
    CALLED.clear()
    plan = shop(picky, orders=RENAMED, store=duckdb_store).plan(instance=instance)

    assert ([fault.column for fault in plan["marts/picky"].faults], CALLED) == (["customer"], [])


def test_a_contract_tells_the_columns_of_a_function_that_is_not_called(duckdb_store: Any, instance: Instance) -> None:
    options = TableOptions(columns={"id": pl.Int64, "day": pl.Date})

    @asset(key_prefix="marts", table=options)
    def promising(orders: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("this is not to be called")

    more = sql_asset("marts/more", "select day from marts.promising")
    plan = shop(promising, more, store=duckdb_store).plan(instance=instance)

    assert (columns(plan, "marts/promising"), columns(plan, "marts/more")) == (("id", "day"), ("day",))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pivot staging.orders on customer using sum(amount)", "it makes a column of each value that it pivots on"),
        ("select 1 as x from staging.orders", None),
    ],
    ids=["pivot", "plain"],
)
def test_columns_that_rows_tell_are_unknown(text: str, why: str | None, duckdb_store: Any, instance: Instance) -> None:
    plan = shop(sql_asset("marts/wide", text), store=duckdb_store).plan(instance=instance)

    assert plan["marts/wide"].unknown == why


def test_the_sql_that_changed_is_shown_also_where_columns_are_unknown(duckdb_store: Any, instance: Instance) -> None:
    def project(values: str) -> Definitions:
        text = f"from (pivot staging.orders on customer {values} using sum(amount))"
        return shop(sql_asset("marts/wide", text), store=duckdb_store)

    project("in ('ann', 'bob')").materialize(instance=instance)
    wide = project("").plan(instance=instance)["marts/wide"]

    assert (wide.sql is not None, wide.stored is not None, wide.predicted) == (True, True, None)


def test_a_pickle_upstream_leaves_columns_unknown_and_a_lazy_one_does_not(tmp_path: Path, instance: Instance) -> None:
    @asset(code_version="1")
    def numbers() -> pl.DataFrame:
        return pl.DataFrame({"n": [1]})

    @asset(code_version="1")
    def doubled(numbers: pl.LazyFrame) -> pl.LazyFrame:
        return numbers.select(pl.col("n") * 2)

    @asset
    def constant() -> pl.LazyFrame:
        return pl.LazyFrame({"c": [1]})

    @asset
    def later(constant: pl.LazyFrame) -> pl.LazyFrame:
        return constant.rename({"c": "d"})

    defs = Definitions([numbers, doubled, constant, later], resources={"io_manager": FsspecIOManager(base_path=str(tmp_path))})
    defs.materialize(instance=instance)
    plan = defs.plan(instance=instance, everything=True)

    assert plan["doubled"].unknown == "asset 'numbers' is kept as a pickle, which tells no columns"
    assert columns(plan, "later") == ("d",)


def test_columns_are_unknown_where_statements_would_have_to_run(duckdb_store: Any, instance: Instance) -> None:
    several = sql_asset("marts/several", "create temp table few as select id from staging.orders; select id from few")
    after = sql_asset("marts/after", "select id from marts.several")
    plan = shop(several, after, store=duckdb_store).plan(instance=instance)

    assert plan["marts/several"].unknown == "it is several statements, which would have to run"
    assert plan["marts/after"].unknown == "marts/several is not there yet, and its columns are not known"
    assert ("columns unknown: it is several statements" in str(plan), plan.broken) == (True, [])


def test_columns_are_unknown_in_a_database_of_which_nothing_is_known(
    tmp_path: Path, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asset
    def events() -> pl.DataFrame:
        return RAW

    def project(text: str) -> Definitions:
        return Definitions([events, sql_asset("orders", text)], resources={"io_manager": plain})

    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    monkeypatch.setattr("io_managers.sqlalchemy.manager.dialect_of", lambda _: Plain(engine))
    plain = SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/shop.db")
    project("select id from events").materialize(instance=instance)
    plan = project("select id as number from events").plan("orders", instance=instance)
    engine.dispose()

    assert (names(plan.runs), plan.broken) == (["orders"], [])
    assert plan["orders"].sql is not None
    assert str(plan["orders"].unknown).endswith("of a query is not known without writing to it")


def test_a_store_that_cannot_be_reached_leaves_columns_unknown(tmp_path: Path, instance: Instance) -> None:
    away = SQLAlchemyIOManager(url=f"postgresql://me:s3cret@/nothing?host={tmp_path}")
    plan = shop(store=away).plan(instance=instance)

    assert plan.broken == []
    assert "postgresql" in str(plan["staging/orders"].unknown)
    assert "s3cret" not in str(plan)
