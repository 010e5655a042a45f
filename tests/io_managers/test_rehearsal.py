"""What a write would make of a table, told without rows: the same in every store of tables."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
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
    AssetKey,
    InputContext,
    IOManager,
    OutputContext,
    StaticPartitionsDefinition,
    TableOptions,
    upsert,
)
from warehouse_assets.errors import (
    ColumnContractError,
    InvalidSQLError,
    SchemaChangedError,
    TableNotFoundError,
    UnsupportedTypeError,
)
from warehouse_assets.io_manager import RehearsesWrites, TableSource
from warehouse_assets.tables import TableSchema

ORDERS, DAILY = AssetKey("orders"), AssetKey('dai"ly')  # of one segment, since a schema is a database of its own in MySQL
FRAME = pl.DataFrame(
    {"id": [1, 2], 'cus"tomer': ["ann", None], "amount": [1.5, 2.5], "seen": ["2024-05-01", "2024-05-02"]}
).with_columns(pl.col("seen").str.to_datetime(time_unit="us"))
REGIONS = StaticPartitionsDefinition(["eu", "us", "asia"])


def made_in(folder: Path) -> dict[str, Callable[[], IOManager]]:
    return {
        "duckdb": lambda: DuckDBIOManager(database=f"{folder}/w.duckdb"),
        "parquet": lambda: ParquetIOManager(base_path=f"{folder}/lake"),
        "delta": lambda: DeltaLakeIOManager(base_path=f"{folder}/delta"),
        "iceberg": lambda: IcebergIOManager(warehouse=f"{folder}/iceberg"),
        "arrow": lambda: FsspecIOManager(base_path=f"{folder}/arrow", format="arrow"),
        "sqlite": lambda: SQLAlchemyIOManager(url=f"sqlite:///{folder}/w.sqlite"),
    }


@pytest.fixture(params=["arrow", "delta", "duckdb", "iceberg", "mariadb", "parquet", "postgres", "sqlite"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = made_in(tmp_path).get(request.param)
    return made() if made is not None else SQLAlchemyIOManager(url=request.getfixturevalue(request.param).url)


def output(key: AssetKey, *, options: TableOptions | None = None, **told: Any) -> OutputContext:
    metadata = options.in_metadata(told.pop("metadata", None)) if options is not None else told.pop("metadata", {})
    return OutputContext(key, definition_metadata=metadata, **told)


def recorded(manager: Any, context: OutputContext, obj: Any) -> TableSchema:
    """The columns that a real write records."""
    manager.handle_output(context, obj)
    return context.output_metadata["column_schema"].value


def reading(key: AssetKey) -> InputContext:
    return InputContext(key, upstream_output=OutputContext(key))


def over(manager: IOManager, key: AssetKey = ORDERS) -> dict[AssetKey, TableSource]:
    return {key: TableSource(manager, reading(key))}


QUERY = SQL('select id, max("cus""tomer") as who, {n} as n, max(seen) as seen from orders group by id', n=3)


def query_for(manager: Any) -> SQL:
    mysql = isinstance(manager, SQLAlchemyIOManager) and manager._dialect.name == "mysql"
    return SQL(QUERY.template.replace('"cus""tomer"', '`cus"tomer`'), **QUERY.bindings) if mysql else QUERY


def test_what_is_told_of_sql_is_what_the_write_then_records(manager: Any) -> None:
    stored = recorded(manager, output(ORDERS), FRAME)
    with manager.rehearsal() as rehearsal:
        recalled = rehearsal.recall(reading(ORDERS))
        predicted = rehearsal.write(output(DAILY, sources=over(rehearsal.io_manager)), query_for(manager))
    made = recorded(manager, output(DAILY, sources=over(manager)), query_for(manager))

    assert isinstance(manager, RehearsesWrites)
    assert (recalled, predicted) == (stored, made)


def test_what_is_told_of_a_lazy_frame_is_what_the_write_then_records(manager: Any) -> None:
    def summed(frame: pl.LazyFrame) -> pl.LazyFrame:
        return frame.group_by('cus"tomer').agg(
            pl.col("amount").sum(), pl.len().alias("n"), pl.col("seen").max().dt.date().alias("day")
        )

    recorded(manager, output(ORDERS), FRAME)
    with manager.rehearsal() as rehearsal:
        rehearsal.recall(reading(ORDERS))
        empty = rehearsal.io_manager.load_input(InputContext(ORDERS, type_hint=pl.LazyFrame))
        rows = empty.collect().height
        predicted = rehearsal.write(output(DAILY), summed(empty))
    made = recorded(manager, output(DAILY), summed(FRAME.lazy()))

    assert (rows, predicted) == (0, made)


def test_nothing_is_computed(manager: Any) -> None:
    def fail(frame: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("this is not to be called")

    with manager.rehearsal() as rehearsal:
        frame = pl.LazyFrame({"id": [1]}).map_batches(fail, schema={"id": pl.Int64})
        predicted = rehearsal.write(output(DAILY), frame)

    assert predicted.names == ("id",)


def test_what_was_rehearsed_can_be_read_on(manager: Any) -> None:
    with manager.rehearsal() as rehearsal:
        rehearsal.write(output(ORDERS), FRAME.lazy().rename({"amount": "sum"}))
        sources = over(rehearsal.io_manager)
        found = rehearsal.write(output(DAILY, sources=sources), SQL("select sum from orders"))
        with pytest.raises(InvalidSQLError, match="amount"):
            rehearsal.write(output(DAILY, sources=sources), SQL("select amount from orders"))

    assert found.names == ("sum",)


def test_no_table_is_made_or_changed(manager: Any) -> None:
    recorded(manager, output(ORDERS), FRAME)
    with manager.rehearsal() as rehearsal:
        rehearsal.recall(reading(ORDERS))
        rehearsal.write(output(ORDERS), FRAME.lazy().select("id"))
        rehearsal.write(output(DAILY), FRAME.lazy())
        with suppress(InvalidSQLError):
            rehearsal.write(output(DAILY, sources=over(rehearsal.io_manager)), SQL("select nothing from orders"))
    stored = manager.load_input(InputContext(ORDERS))
    with pytest.raises(TableNotFoundError), manager.rehearsal() as rehearsal:
        rehearsal.recall(reading(DAILY))

    assert stored.equals(FRAME)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for manager in [make() for make in made_in(tmp_path).values()]:
        with manager.rehearsal() as rehearsal:  # type: ignore[attr-defined]
            rehearsal.write(output(ORDERS), FRAME.lazy())
            with pytest.raises(TableNotFoundError):
                rehearsal.recall(reading(DAILY))

    assert [*tmp_path.iterdir()] == []


def test_columns_can_be_left_out(manager: Any) -> None:
    recorded(manager, output(ORDERS), FRAME)
    with manager.rehearsal() as rehearsal:
        less = rehearsal.recall(reading(ORDERS), without=("amount", "none of them"))
        again = rehearsal.recall(reading(ORDERS))

    assert (less.names, again.names) == (("id", 'cus"tomer', "seen"), ("id", 'cus"tomer', "amount", "seen"))


@pytest.mark.parametrize("policy", ["fail", "append", "sync"])
def test_a_partition_is_held_to_the_policy(manager: Any, policy: Any) -> None:
    told: dict[str, Any] = {
        "partitions_def": REGIONS,
        "options": TableOptions(partition_expr="region", schema_policy=policy),
    }
    frame = pl.DataFrame({"region": ["eu"], "id": [1]})
    recorded(manager, output(ORDERS, partition_keys=["eu"], **told), frame)
    changed = pl.LazyFrame({"region": ["us"], "number": [2]})
    with manager.rehearsal() as rehearsal:
        upstream = output(ORDERS, partition_keys=["eu"], **told)
        rehearsal.recall(InputContext(ORDERS, upstream_output=upstream, partitions_def=REGIONS, partition_keys=["eu"]))
        write = output(ORDERS, partition_keys=["us"], **told)
        if policy == "fail":
            with pytest.raises(SchemaChangedError, match="'number'"):
                rehearsal.write(write, changed)
            return
        predicted = rehearsal.write(write, changed)
    made = recorded(manager, output(ORDERS, partition_keys=["us"], **told), changed)

    assert predicted == made
    assert set(made.names) == ({"region", "id", "number"} if policy == "append" else {"region", "number"})


def test_an_upsert_needs_its_key(manager: Any) -> None:
    if isinstance(manager, FsspecIOManager):
        return  # which replaces tables only
    options = TableOptions(mode=upsert("id"))
    recorded(manager, output(ORDERS), FRAME)
    with manager.rehearsal() as rehearsal:
        rehearsal.recall(reading(ORDERS))
        kept = rehearsal.write(output(ORDERS, options=options), FRAME.lazy())
        with pytest.raises(SchemaChangedError, match="'id'"):
            rehearsal.write(output(ORDERS, options=options), FRAME.lazy().rename({"id": "number"}))

    assert kept.names == tuple(FRAME.columns)


def test_a_contract_is_kept_or_told(manager: Any) -> None:
    options = TableOptions(columns={"id": pl.Int64, "day": pl.Date})
    with manager.rehearsal() as rehearsal:
        promised = rehearsal.promised(output(ORDERS, options=options))
        kept = rehearsal.write(output(ORDERS, options=options), promised)
        nothing = [
            rehearsal.promised(output(ORDERS)),
            rehearsal.promised(output(ORDERS, options=TableOptions(columns={"id": int}))),
        ]
        with pytest.raises(ColumnContractError, match="'day'"):
            rehearsal.write(output(ORDERS, options=options), pl.LazyFrame({"id": [1]}))

    assert (promised.columns, kept.names, nothing) == (["id", "day"], ("id", "day"), [None, None])


def test_duckdb_tables_keep_types_that_only_duckdb_has(tmp_path: Path) -> None:
    manager = DuckDBIOManager(database=f"{tmp_path}/w.duckdb")
    told = output(ORDERS)
    kinds = "uuid() as u, 'x'::enum('x', 'y') as e, 1::uhugeint as big, '[1]'::json as j, interval 1 day as i"
    manager.run_sql(told, SQL(f"select {kinds}, {{'a': [1::utinyint]}} as s"))
    with manager.rehearsal() as rehearsal:
        recalled = rehearsal.recall(reading(ORDERS))
        predicted = rehearsal.write(output(DAILY, sources=over(rehearsal.io_manager)), SQL("from orders"))
    types = {column.name: column.type for column in recalled}

    assert recalled == predicted
    assert (types["u"], types["e"], types["big"], types["j"]) == ("UUID", "ENUM('x', 'y')", "UHUGEINT", "JSON")


@pytest.mark.parametrize(
    "end", [";", " ; -- done", "\n-- {n} and all;", " /* ; */ ;;"], ids=["plain", "comment", "braces", "several"]
)
def test_whatever_a_query_ends_with(end: str, tmp_path: Path) -> None:
    for manager in (DuckDBIOManager(), ParquetIOManager(base_path=str(tmp_path))):
        with manager.rehearsal() as rehearsal:
            predicted = rehearsal.write(output(DAILY), SQL("select {n} as n" + end, n=3))

        assert predicted.names == ("n",)


def test_a_query_of_endless_rows_is_only_bound(tmp_path: Path) -> None:
    for manager in (DuckDBIOManager(), ParquetIOManager(base_path=str(tmp_path))):
        with manager.rehearsal() as rehearsal:
            predicted = rehearsal.write(output(DAILY), SQL("select range as n from range(100_000_000_000_000)"))

        assert predicted.names == ("n",)


def test_sql_reads_what_was_rehearsed_in_another_store(tmp_path: Path) -> None:
    stores = [make() for make in made_in(tmp_path).values()]
    for manager in stores:
        for other in stores:
            with manager.rehearsal() as here, other.rehearsal() as there:  # type: ignore[attr-defined]
                there.write(output(ORDERS), FRAME.lazy())
                found = here.write(output(DAILY, sources=over(there.io_manager)), SQL("select id, amount from orders"))

            assert found.names == ("id", "amount")


def test_a_pickle_stays_closed(tmp_path: Path) -> None:
    manager = FsspecIOManager(base_path=str(tmp_path))
    manager.handle_output(output(ORDERS), FRAME)
    with manager.rehearsal() as rehearsal:
        with pytest.raises(UnsupportedTypeError, match="kept as a pickle"):
            rehearsal.recall(reading(ORDERS))
        lazy = rehearsal.write(output(ORDERS), FRAME.lazy())
        sql = rehearsal.write(output(DAILY, sources=over(rehearsal.io_manager)), SQL("select id from orders"))

    assert (lazy.names, sql.names) == (tuple(FRAME.columns), ("id",))
