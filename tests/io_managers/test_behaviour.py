"""The numbered behaviours of tables, end to end: declared as assets, run, and found in the store by the store's own means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import SQL, AssetIn, AssetKey, Definitions, IOManager, SourceAsset, Table, asset, materialize
from warehouse_assets.errors import InvalidDefinitionError, InvalidSQLError, TableNotFoundError, UnsupportedTypeError


class Store:
    """A manager, and a look at its tables that does not ask it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.manager: IOManager = (
            DuckDBIOManager(database=str(folder / "w.duckdb"), schema="house")
            if name == "duckdb"
            else ParquetIOManager(base_path=str(folder / "lake"))
        )

    def peek(self, schema: str, table: str) -> pl.DataFrame:
        if self.name == "parquet":
            return pl.read_parquet(self.folder / "lake" / schema / f"{table}.parquet")
        with duckdb.connect(self.folder / "w.duckdb") as connection:
            return connection.sql(f'from "{schema}"."{table}"').pl()

    def run(self, *assets: Any, **options: Any) -> Any:
        return materialize(assets, resources={"io_manager": self.manager}, **options)


@pytest.fixture(params=["duckdb", "parquet"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(request.param, tmp_path)


ORDERS = pl.DataFrame({"id": [1, 2, 3], "amount": [9.5, None, 7.0]})


@asset(key_prefix="staging")
def orders() -> pl.DataFrame:
    return ORDERS


def recorded(result: Any, name: str) -> dict[str, Any]:
    """What a run recorded of one asset, as plain values."""
    (made,) = result.asset_materializations_for_node(name)
    return {key: value.value for key, value in made.metadata.items()}


@pytest.mark.semantics(38)
def test_the_last_segment_is_the_table_and_the_one_before_the_schema(store: Store) -> None:
    store.run(orders)

    assert store.peek("staging", "orders").equals(ORDERS)


@pytest.mark.semantics(38)
def test_a_schema_on_the_manager_is_that_of_keys_with_one_segment(tmp_path: Path) -> None:
    @asset
    def lines() -> pl.DataFrame:
        return ORDERS

    duckdb_store = Store("duckdb", tmp_path)
    duckdb_store.run(lines)

    assert duckdb_store.peek("house", "lines").equals(ORDERS)


@pytest.mark.semantics(38)
def test_longer_keys_never_share_a_table(store: Store) -> None:
    keys = [["x", "s", "t"], ["y", "s", "t"], ["s", "t"], ["x/s", "t"], ["x.s", "t"], ["x", "s/t"]]
    assets = [asset(key=AssetKey(key))(lambda value=n: pl.DataFrame({"n": [value]})) for n, key in enumerate(keys)]
    result = store.run(*assets)

    assert [result.asset_value(key)["n"].item() for key in keys] == list(range(len(keys)))


@pytest.mark.semantics(38)
def test_two_assets_in_one_table_are_an_error_when_the_graph_is_built(tmp_path: Path) -> None:
    @asset
    def lines() -> pl.DataFrame: ...

    @asset(key_prefix="house", name="lines")
    def same() -> pl.DataFrame: ...

    with pytest.raises(InvalidDefinitionError, match=r"'lines' .*and 'house/lines' .*would both be kept in house\.lines"):
        Definitions([lines, same], resources={"io_manager": Store("duckdb", tmp_path).manager})


FORMS: dict[str, Callable[[], Any]] = {
    "eager": lambda: ORDERS,
    "lazy": lambda: ORDERS.lazy(),
    "arrow": ORDERS.to_arrow,
    "stream": lambda: pa.RecordBatchReader.from_stream(ORDERS),
    "sql": lambda: SQL("select * from (values (1, 9.5), (2, null), (3, 7.0)) as v(id, amount)"),
}


@pytest.mark.semantics(39)
@pytest.mark.parametrize("form", FORMS)
def test_every_write_records_what_the_store_measured(store: Store, form: str) -> None:
    @asset(key_prefix="staging", metadata={"row_count": 99})
    def lines(context: Any) -> Any:
        context.add_output_metadata({"row_count": 77})
        return FORMS[form]()

    found = recorded(store.run(lines), "staging/lines")

    assert found["row_count"] == 3
    assert found["byte_size"] > 0
    assert [column.name for column in found["column_schema"]] == ["id", "amount"]
    assert (found.get("table_name") or found["uri"]).endswith(("staging.lines", "staging/lines.parquet"))


@pytest.mark.semantics(40)
def test_a_write_that_breaks_leaves_the_old_table_whole(store: Store) -> None:
    class Stop(Exception):
        pass

    def batches() -> Any:
        yield from ORDERS.to_arrow().to_batches()
        raise Stop

    @asset(key_prefix="staging", name="orders")
    def broken() -> Any:
        class Foreign:
            def __arrow_c_stream__(self, requested_schema: object = None) -> object:
                reader = pa.RecordBatchReader.from_batches(ORDERS.to_arrow().schema, batches())
                return reader.__arrow_c_stream__(requested_schema)

        return Foreign()

    store.run(orders)
    result = store.run(broken, raise_on_error=False)

    assert not result.success
    assert store.peek("staging", "orders").equals(ORDERS)


@pytest.mark.semantics(40)
def test_columns_go_by_name(store: Store) -> None:
    @asset(key_prefix="staging", name="orders")
    def reordered() -> pl.DataFrame:
        return ORDERS.select("amount", "id")

    store.run(orders)
    store.run(reordered)

    assert store.peek("staging", "orders")["id"].to_list() == [1, 2, 3]


@pytest.mark.semantics(41)
def test_an_empty_frame_makes_an_empty_table_with_its_types_and_a_changed_schema_is_recorded(store: Store) -> None:
    frames = [ORDERS, ORDERS.clear().with_columns(note=pl.lit("x"))]

    @asset(key_prefix="staging")
    def lines() -> pl.DataFrame:
        return frames.pop(0)

    store.run(lines)
    second = recorded(store.run(lines), "staging/lines")

    assert store.peek("staging", "lines").schema == {"id": pl.Int64, "amount": pl.Float64, "note": pl.String}
    assert ([column.name for column in second["column_schema"]], second["row_count"]) == (["id", "amount", "note"], 0)


HOSTILE = ['quo"te', "spa ce", "do.t", "select", "'; drop table x; --", "Größe", "表", "semi;colon", "per%cent", "back\\slash"]


@pytest.mark.semantics(42)
@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_values_may_hold_any_text(store: Store, text: str) -> None:
    key = AssetKey([text, text])
    frame = pl.DataFrame({text: [text]})
    made = asset(key=key)(lambda: frame)

    @asset(ins={"upstream": AssetIn(key)})
    def found(upstream: Table) -> SQL:
        return SQL("select * from {upstream} where columns(*) = {value}", upstream=upstream, value=text)

    result = store.run(made, found)

    assert result.asset_value("found").equals(frame)


@pytest.mark.semantics(43)
@pytest.mark.parametrize(
    ("hint", "rows"),
    [
        (pl.DataFrame, lambda frame: frame.rows()),
        (pl.LazyFrame, lambda frame: frame.collect().rows()),
        (pa.Table, lambda table: [tuple(row.values()) for row in table.to_pylist()]),
        (pa.RecordBatchReader, lambda reader: [tuple(row.values()) for row in reader.read_all().to_pylist()]),
        (duckdb.DuckDBPyRelation, lambda relation: relation.fetchall()),
    ],
    ids=["eager", "lazy", "arrow", "reader", "relation"],
)
def test_loading_gives_what_the_annotation_asks_for(store: Store, hint: type, rows: Callable[[Any], Any]) -> None:
    seen: list[Any] = []

    def look(orders: Any) -> None:
        assert isinstance(orders, hint)
        seen.extend(rows(orders))

    look.__annotations__["orders"] = hint
    store.run(orders, asset(look))

    assert sorted(seen) == sorted(ORDERS.rows())


@pytest.mark.semantics(43)
def test_a_handle_loads_nothing_and_an_unsupported_type_is_refused(store: Store) -> None:
    @asset
    def handle(orders: Table) -> None:
        assert orders == Table(AssetKey(["staging", "orders"]))

    @asset
    def wrong(orders: dict) -> None: ...

    result = store.run(orders, handle, wrong, raise_on_error=False)

    assert isinstance(result.failures["wrong"], UnsupportedTypeError)
    assert "pl.LazyFrame" in str(result.failures["wrong"])
    assert "handle" not in result.failures


@pytest.mark.semantics(43)
@pytest.mark.parametrize("where", ["input", "source"])
def test_columns_in_metadata_are_all_that_is_read(store: Store, where: str) -> None:
    columns = {"columns": ["amount"]}
    store.run(orders)
    source = SourceAsset("staging/orders", metadata=columns if where == "source" else None)

    @asset(ins={"orders": AssetIn("staging/orders", metadata=columns if where == "input" else None)})
    def look(orders: pl.LazyFrame) -> None:
        assert orders.collect_schema().names() == ["amount"]

    assert store.run(source, look).success


@pytest.mark.semantics(45)
def test_a_table_that_is_not_there_is_named_with_store_and_asset(store: Store) -> None:
    @asset
    def look(orders: pl.DataFrame) -> None: ...

    with pytest.raises(TableNotFoundError) as caught:
        store.run(orders, look, selection="look")

    text = str(caught.value)
    assert "staging.orders" in text
    assert str(store.folder) in text
    assert "asset 'staging/orders' (" in text


def test_sql_reads_only_what_its_asset_depends_on(store: Store) -> None:
    @asset
    def nosy() -> SQL:
        return SQL("select * from staging.orders")

    with pytest.raises(
        InvalidSQLError, match=r"reads the table 'staging\.orders', which is not among its dependencies \(.*:\d+:35\)"
    ):
        store.run(orders, nosy)


def test_sql_reads_a_table_that_another_store_keeps(tmp_path: Path) -> None:
    @asset(key_prefix="lake", io_manager_key="lake")
    def lines() -> pl.DataFrame:
        return pl.DataFrame({"order_id": [1, 1, 3]})

    @asset(key_prefix="marts", deps=["staging/orders", lines])
    def joined() -> SQL:
        return SQL("select id, count(*) as lines from staging.orders join lake.lines on id = order_id group by id order by id")

    @asset(key_prefix="marts", io_manager_key="lake", deps=["marts/joined"])
    def back() -> SQL:
        return SQL("select sum(lines)::int as lines from marts.joined")

    warehouse, lake = Store("duckdb", tmp_path), Store("parquet", tmp_path)
    materialize([orders, lines, joined, back], resources={"io_manager": warehouse.manager, "lake": lake.manager})

    assert warehouse.peek("marts", "joined").rows() == [(1, 2), (3, 1)]
    assert lake.peek("marts", "back").rows() == [(3,)]
