"""What is recorded of the columns of tables that SQL makes, on every kind of store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from io_managers import (
    DeltaLakeIOManager,
    DuckDBIOManager,
    FsspecIOManager,
    IcebergIOManager,
    ParquetIOManager,
    SQLAlchemyIOManager,
)
from warehouse_assets import (
    SQL,
    AssetExecutionContext,
    AssetKey,
    Definitions,
    Instance,
    IOManager,
    Output,
    SourceAsset,
    StaticPartitionsDefinition,
    Table,
    TableColumnDep,
    TableColumnLineage,
    asset,
    sql_asset,
)
from warehouse_assets.sql import asset_columns

STORES: dict[str, Callable[[Path], IOManager]] = {
    "duckdb": lambda path: DuckDBIOManager(database=str(path / "store.duckdb")),
    "parquet": lambda path: ParquetIOManager(base_path=str(path / "lake")),
    "delta": lambda path: DeltaLakeIOManager(base_path=str(path / "delta")),
    "iceberg": lambda path: IcebergIOManager(warehouse=str(path / "iceberg")),
    "arrow": lambda path: FsspecIOManager(base_path=str(path / "files"), format="arrow"),
    "sqlite": lambda path: SQLAlchemyIOManager(url=f"sqlite:///{path / 'store.sqlite'}"),
}


@pytest.fixture(params=[*STORES, "postgres", "mariadb_alone"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> IOManager:
    if request.param in STORES:
        return STORES[request.param](tmp_path)
    return SQLAlchemyIOManager(url=request.getfixturevalue(request.param).url)


@asset(key="shop/orders")
def orders() -> pl.DataFrame:
    return pl.DataFrame({"id": [1, 2], "paid": [3, 4], "day": ["mon", "tue"]})


DAYS = sql_asset("marts/days", "select day, max(paid) as paid, count(*) from shop.orders where id > 0 group by day")
JOINED = sql_asset("marts/joined", "select *, paid * 2 as twice from (select day, paid from marts.days) as d")


def recorded(instance: Instance, key: str) -> TableColumnLineage:
    event = instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    lineage = event.asset_materialization.metadata["column_lineage"].value
    assert isinstance(lineage, TableColumnLineage)
    return lineage


def shown(lineage: TableColumnLineage) -> dict[str, str]:
    return {
        name: " ".join([lineage.kind_by_column[name], *(f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps)])
        for name, deps in lineage.deps_by_column.items()
    }


@pytest.mark.semantics(23)
def test_each_table_made_by_sql_records_what_its_columns_are_made_from(store: IOManager) -> None:
    instance = Instance.ephemeral()
    Definitions([orders, DAYS, JOINED], resources={"io_manager": store}).materialize(instance=instance)

    days = recorded(instance, "marts/days")
    counted = [name for name in days.deps_by_column if name not in ("day", "paid")]

    assert shown(days) == {"day": "direct shop/orders.day", "paid": "aggregated shop/orders.paid", counted[0]: "aggregated"}
    assert days.row_deps == (TableColumnDep("shop/orders", "day"), TableColumnDep("shop/orders", "id"))
    assert shown(recorded(instance, "marts/joined")) == {
        "day": "direct marts/days.day",
        "paid": "direct marts/days.paid",
        "twice": "derived marts/days.paid",
    }


def test_a_python_function_that_returns_sql_records_it_too(store: IOManager) -> None:
    @asset(key="marts/late")
    def late(orders: Table) -> SQL:
        return SQL("select * from {o} where day = {day}", o=orders, day="tue")

    instance = Instance.ephemeral()
    Definitions([orders, late], resources={"io_manager": store}).materialize(instance=instance)

    assert shown(recorded(instance, "marts/late")) == {name: f"direct shop/orders.{name}" for name in ("id", "paid", "day")}


def test_columns_of_a_source_are_asked_of_its_store_where_they_matter(tmp_path: Path) -> None:
    lake = ParquetIOManager(base_path=str(tmp_path / "lake"))
    Definitions([orders], resources={"io_manager": lake}).materialize(instance=Instance.ephemeral())
    instance = Instance.ephemeral()
    more = sql_asset("marts/more", "select *, d.paid as total from shop.orders join marts.days d using (day)")
    defs = Definitions(
        [SourceAsset("shop/orders", io_manager_key="lake"), DAYS, more],
        resources={"io_manager": DuckDBIOManager(database=str(tmp_path / "w.duckdb")), "lake": lake},
    )
    static = defs.column_lineage("marts/more", "id", instance=instance)
    defs.materialize(instance=instance)

    assert [str(link.source) for link in static.links] == ["shop/orders.id"]
    assert shown(recorded(instance, "marts/more"))["id"] == "direct shop/orders.id"
    assert shown(recorded(instance, "marts/more"))["total"] == "direct marts/days.paid"


def test_each_partition_records_it(tmp_path: Path) -> None:
    days = StaticPartitionsDefinition(["mon", "tue"])

    @asset(key="marts/part", partitions_def=days, metadata={"partition_expr": "day"})
    def part(context: AssetExecutionContext, orders: Table) -> SQL:
        return SQL("select paid, day from {o} where day = {day}", o=orders, day=context.partition_key)

    instance = Instance.ephemeral()
    defs = Definitions([orders, part], resources={"io_manager": STORES["duckdb"](tmp_path)})
    defs.materialize("shop/orders", instance=instance)
    found = []
    for key in days.get_partition_keys():
        defs.materialize("marts/part", partition_key=key, instance=instance)
        found.append(shown(recorded(instance, "marts/part")))

    assert found == [{"paid": "direct shop/orders.paid", "day": "direct shop/orders.day"}] * 2


def test_what_a_person_says_of_the_lineage_comes_first(store: IOManager) -> None:
    said = TableColumnLineage({"x": [TableColumnDep("shop/orders", "paid")]})

    @asset(deps=[orders])
    def mine() -> Output[SQL]:
        return Output(SQL("select id as x from shop.orders"), metadata={"column_lineage": said})

    instance = Instance.ephemeral()
    Definitions([orders, mine], resources={"io_manager": store}).materialize(instance=instance)

    assert recorded(instance, "mine") == said


def test_a_query_that_cannot_be_followed_is_opaque_and_the_run_goes_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError("a form of SQL that nobody has seen")

    monkeypatch.setattr(asset_columns, "_worked_out", fail)
    instance = Instance.ephemeral()
    result = Definitions([orders, DAYS], resources={"io_manager": STORES["duckdb"](tmp_path)}).materialize(instance=instance)
    lineage = recorded(instance, "marts/days")

    assert (result.success, lineage.deps_by_column) == (True, {})
    assert lineage.opaque == "the query cannot be followed: 'a form of SQL that nobody has seen'"


def test_what_was_recorded_is_taken_over_while_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out: list[str] = []
    work_out = asset_columns._worked_out

    def counting(text: str, *rest: Any) -> Any:
        worked_out.append(text.split()[1])
        return work_out(text, *rest)

    monkeypatch.setattr(asset_columns, "_worked_out", counting)
    instance = Instance.ephemeral()
    resources = {"io_manager": STORES["duckdb"](tmp_path)}
    changed = sql_asset("marts/days", "select id, day, paid from shop.orders")
    for days in (DAYS, DAYS, changed):
        Definitions([orders, days], resources=resources).materialize(instance=instance)
        worked_out.append("|")

    assert worked_out == ["day,", "|", "|", "id,", "|"]
    assert shown(recorded(instance, "marts/days"))["id"] == "direct shop/orders.id"


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_it_is_taken_over_from_sources_that_nothing_is_recorded_of(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked_out: list[object] = []
    work_out = asset_columns._worked_out
    monkeypatch.setattr(asset_columns, "_worked_out", lambda *told: worked_out.append(told[2]) or work_out(*told))
    lake, instance = tmp_path / "lake", Instance.ephemeral()
    lake.mkdir()
    resources = {"io_manager": STORES[kind](tmp_path), "lake": ParquetIOManager(base_path=str(tmp_path))}
    definitions = Definitions(
        [SourceAsset(["lake", "days"], io_manager_key="lake"), sql_asset("marts/all", "select * from lake.days")],
        resources=resources,
    )
    for columns in ({"day": [1]}, {"day": [2]}, {"day": [3], "size": [4]}):
        pl.DataFrame(columns).write_parquet(lake / "days.parquet")
        definitions.materialize(instance=instance)

    assert worked_out == [((("lake", "days"), ("day",)),), ((("lake", "days"), ("day", "size")),)]
    assert shown(recorded(instance, "marts/all")) == {"day": "direct lake/days.day", "size": "direct lake/days.size"}


def test_sql_that_was_edited_since_tells_what_it_will_make(tmp_path: Path) -> None:
    instance = Instance.ephemeral()
    resources = {"io_manager": STORES["duckdb"](tmp_path)}
    every = sql_asset("marts/every", "select *, 1 as one from marts.days")
    Definitions([orders, DAYS, every], resources=resources).materialize(instance=instance)

    def sources(days: Any, key: str, column: str, direction: Any = "upstream") -> list[str]:
        defs = Definitions([orders, days, every], resources=resources)
        trace = defs.column_lineage(key, column, direction=direction, instance=instance)
        return [str(link.source if direction == "upstream" else link.target) for link in trace.links]

    edited = sql_asset("marts/days", "select day, id as number from shop.orders")
    broken = sql_asset("marts/days", "select day, from from shop.orders, where")

    assert sources(edited, "marts/every", "number") == ["marts/days.number", "shop/orders.id"]
    assert sources(edited, "shop/orders", "paid", "downstream") == []
    assert sources(edited, "shop/orders", "id", "downstream") == ["marts/days.number", "marts/every.number"]
    assert sources(DAYS, "marts/every", "paid") == ["marts/days.paid", "shop/orders.paid"]
    with pytest.raises(ValueError, match="marts/days"):
        sources(broken, "marts/days", "day")


def test_a_table_downstream_of_edited_sql_that_python_makes_stays_as_it_was_recorded(tmp_path: Path) -> None:
    @asset(key="marts/lazy")
    def lazily(days: pl.LazyFrame) -> pl.LazyFrame:
        return days.select(twice=pl.col("paid") * 2)

    instance = Instance.ephemeral()
    resources = {"io_manager": STORES["duckdb"](tmp_path)}
    Definitions([orders, DAYS, lazily], resources=resources).materialize(instance=instance)
    edited = sql_asset("marts/days", "select day, paid + id as paid from shop.orders")
    trace = Definitions([orders, edited, lazily], resources=resources).column_lineage("marts/lazy", instance=instance)

    assert [str(link) for link in trace.links] != []
    assert {str(link.source) for link in trace.links} == {"marts/days.paid", "shop/orders.paid", "shop/orders.id"}


def test_nothing_is_recorded_of_frames(tmp_path: Path) -> None:
    instance = Instance.ephemeral()
    Definitions([orders], resources={"io_manager": STORES["duckdb"](tmp_path)}).materialize(instance=instance)
    event = instance.get_latest_materialization_event(AssetKey(["shop", "orders"]))

    assert event is not None
    assert event.asset_materialization is not None
    assert "column_lineage" not in event.asset_materialization.metadata


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_views_record_it_as_tables_do(kind: str, tmp_path: Path) -> None:
    view = sql_asset("marts/view", "select paid as p, id + paid as s from shop.orders", materialized="view")
    instance = Instance.ephemeral()
    Definitions([orders, view], resources={"io_manager": STORES[kind](tmp_path)}).materialize(instance=instance)

    assert shown(recorded(instance, "marts/view")) == {
        "p": "direct shop/orders.paid",
        "s": "derived shop/orders.id shop/orders.paid",
    }


def test_a_lineage_that_is_recorded_already_is_not_worked_out_again(tmp_path: Path) -> None:
    (tmp_path / "models" / "marts").mkdir(parents=True)
    (tmp_path / "models" / "marts" / "ones.sql").write_text("select 1 as one")
    program = """
import sys
from io_managers import DuckDBIOManager
from warehouse_assets import Definitions, Instance, load_assets_from_sql_files
defs = Definitions(load_assets_from_sql_files("models"), resources={"io_manager": DuckDBIOManager(database="w.duckdb")})
instance = Instance.local("record")
defs.materialize(instance=instance)
event = instance.get_latest_materialization_event("marts/ones").asset_materialization
print("warehouse_assets.sql.column_resolution" in sys.modules, event.metadata["column_lineage"].value)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", program]
    said = [
        subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout.strip()
        for _ in range(2)
    ]

    assert said == [f"{worked_out} 1 column, made from no other table" for worked_out in (True, False)]
