"""What the columns of LazyFrames are made from, of tables that were loaded from stores."""

from __future__ import annotations

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
from io_managers.lazy_lineage import lazy_lineage, remember_scan
from warehouse_assets import AssetKey, Definitions, Instance, IOManager, TableColumnDep, TableColumnLineage, asset

Lazy = pl.LazyFrame


@asset
def t() -> pl.DataFrame:
    return pl.DataFrame({"a": [1, 2], "b": [3, 4], "c": ["x", "y"]})


@asset
def u() -> pl.DataFrame:
    return pl.DataFrame({"a": [1, 3], "d": [3, 4]})


STORES: dict[str, Callable[[Path], IOManager]] = {
    "duckdb": lambda path: DuckDBIOManager(database=str(path / "w.duckdb")),
    "parquet": lambda path: ParquetIOManager(base_path=str(path / "lake")),
}

FRAMES: dict[str, tuple[Callable[[Lazy, Lazy], Lazy], str]] = {
    "as it is": (lambda t, u: t, "a=t.a b=t.b c=t.c"),
    "select": (lambda t, u: t.select("b", z=pl.col("a") + pl.col("b"), k=pl.lit(1)), "b=t.b z=f(t.a,t.b) k=f()"),
    "with_columns": (lambda t, u: t.with_columns(a=pl.col("b"), n=pl.len()), "a=t.b b=t.b c=t.c n=agg()"),
    "filter": (lambda t, u: t.filter(pl.col("b") > 1).select("a"), "a=t.a | t.b"),
    "rename, drop": (lambda t, u: t.rename({"a": "z", "b": "a"}).drop("c"), "z=t.a a=t.b"),
    "cast": (lambda t, u: t.select(pl.col("a").cast(pl.Int8)), "a=f(t.a)"),
    "inner join": (lambda t, u: t.join(u, on="a"), "a=t.a b=t.b c=t.c d=u.d | t.a,u.a"),
    "left join": (lambda t, u: t.join(u, left_on="b", right_on="d", how="left"), "a=t.a b=t.b c=t.c a_right=u.a | t.b,u.d"),
    "right join": (lambda t, u: t.join(u, on="a", how="right"), "b=t.b c=t.c a=u.a d=u.d | t.a,u.a"),
    "full join": (lambda t, u: t.join(u, on="a", how="full"), "a=t.a b=t.b c=t.c a_right=u.a d=u.d | t.a,u.a"),
    "coalesced join": (
        lambda t, u: t.join(u, on="a", how="full", coalesce=True),
        "a=f(t.a,u.a) b=t.b c=t.c d=u.d | t.a,u.a",
    ),
    "semi join": (lambda t, u: t.join(u, on="a", how="semi").select("b"), "b=t.b | t.a,u.a"),
    "cross join": (lambda t, u: t.join(u, how="cross").select("b", "a_right"), "b=t.b a_right=u.a"),
    "join_where": (lambda t, u: t.join_where(u, pl.col("b") > pl.col("d")).select("c"), "c=t.c | t.b,u.d"),
    "join_asof": (lambda t, u: t.sort("a").join_asof(u.sort("a"), on="a").select("d"), "d=u.d | t.a,u.a"),
    "group_by": (
        lambda t, u: t.group_by("c").agg(pl.col("a").sum(), pl.col("b"), n=pl.len()),
        "c=t.c a=agg(t.a) b=agg(t.b) n=agg() | t.c",
    ),
    "filtered aggregates": (lambda t, u: t.select(pl.col("a").filter(pl.col("b") > 1).max()), "a=agg(t.a,t.b)"),
    "sorted aggregates": (lambda t, u: t.select(pl.col("a").sort_by("b").first()), "a=agg(t.a,t.b)"),
    "window": (lambda t, u: t.select(s=pl.col("a").sum().over("c", order_by="b")), "s=agg(t.a,t.b,t.c)"),
    "when": (lambda t, u: t.select(w=pl.when(pl.col("a") > 1).then("b").otherwise("c")), "w=f(t.a,t.b,t.c)"),
    "struct, unnest": (lambda t, u: t.select(s=pl.struct("a", "b")).unnest("s"), "a=f(t.a,t.b) b=f(t.a,t.b)"),
    "explode": (lambda t, u: t.select("c", l=pl.concat_list("a", "b")).explode("l"), "c=t.c l=f(t.a,t.b) | t.a,t.b"),
    "unpivot": (lambda t, u: t.unpivot(["a", "b"], index="c"), "c=t.c variable=f() value=t.a,t.b"),
    "with_row_index": (lambda t, u: t.with_row_index("i").select("i", "a"), "i=f() a=t.a"),
    "unique": (lambda t, u: t.unique("b"), "a=t.a b=t.b c=t.c | t.b"),
    "unique rows": (lambda t, u: t.select("a", "b").unique(), "a=t.a b=t.b | t.a,t.b"),
    "sort": (lambda t, u: t.sort("b").select("a"), "a=t.a"),
    "top": (lambda t, u: t.sort("b").head(1).select("a"), "a=t.a | t.b"),
    "concat": (lambda t, u: pl.concat([t.select("a"), u.select(a="d")]), "a=t.a,u.d"),
    "diagonal": (lambda t, u: pl.concat([t.select("a"), u], how="diagonal"), "a=t.a,u.a d=f(u.d)"),
    "horizontal": (lambda t, u: pl.concat([t.select("b"), u], how="horizontal"), "b=t.b a=u.a d=u.d"),
    "cached": (lambda t, u: (x := t.cache()).join(x, on="a").select("b_right"), "b_right=t.b | t.a"),
}


def shown(lineage: TableColumnLineage) -> str:
    def joined(deps: Any) -> str:
        return ",".join(f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps)

    words = {"derived": "f", "aggregated": "agg"}
    columns = [
        f"{name}=" + (joined(deps) if (kind := lineage.kind_by_column[name]) == "direct" else f"{words[kind]}({joined(deps)})")
        for name, deps in lineage.deps_by_column.items()
    ]
    return " ".join(columns) + (f" | {joined(lineage.row_deps)}" if lineage.row_deps else "")


@pytest.fixture(scope="module", params=STORES)
def frames(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lazy, Lazy]:
    store = STORES[request.param](tmp_path_factory.mktemp("store"))
    defs = Definitions([t, u], resources={"io_manager": store})
    instance = Instance.ephemeral()
    defs.materialize(instance=instance)
    first, second = (defs.load_asset_value(key, as_type=Lazy, instance=instance) for key in ("t", "u"))
    return first, second


@pytest.mark.parametrize("name", FRAMES)
def test_what_the_columns_of_a_lazy_frame_are_made_from(name: str, frames: tuple[Lazy, Lazy]) -> None:
    make, expected = FRAMES[name]
    made = make(*frames)
    lineage = lazy_lineage(made)

    assert (shown(lineage), lineage.opaque, lineage.opaque_by_column) == (expected, None, {})
    assert list(lineage.deps_by_column) == made.collect().columns


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda t: t.map_batches(lambda frame: frame), "a Python function makes the frame"),
        (lambda t: t.select(pl.col("a").map_elements(lambda a: a, return_dtype=pl.Int64)), "a Python function makes it"),
        (lambda t: pl.LazyFrame({"a": [1]}), "it comes from a frame in memory"),
        (lambda t: t.collect().lazy(), "it comes from a frame in memory"),
    ],
    ids=["map_batches", "map_elements", "memory", "collected"],
)
def test_what_the_plan_does_not_tell_is_opaque(make: Callable[[Lazy], Lazy], reason: str, frames: tuple[Lazy, Lazy]) -> None:
    assert lazy_lineage(make(frames[0])) == TableColumnLineage({}, opaque=reason)


def test_a_file_that_is_no_asset_is_opaque_beside_what_is_known(tmp_path: Path, frames: tuple[Lazy, Lazy]) -> None:
    pl.DataFrame({"a": [1], "e": [2]}).write_parquet(tmp_path / "raw.parquet")
    lineage = lazy_lineage(frames[0].join(pl.scan_parquet(tmp_path / "raw.parquet"), on="a").select("b", "e"))

    assert lineage.deps_by_column == {"b": (TableColumnDep("t", "b"),), "e": ()}
    assert lineage.opaque_by_column == {"e": "it is read from raw.parquet, which is no asset"}


def test_a_plan_in_a_form_that_is_not_known_is_opaque_and_loads_all_the_same() -> None:
    class Changed:
        _ldf = None

    changed = Changed()

    assert remember_scan(changed, AssetKey("t")) is changed
    assert (lazy_lineage(changed).opaque or "").startswith("the plan of the LazyFrame cannot be read: ")


MORE_STORES: dict[str, Callable[[Path], IOManager]] = {
    **STORES,
    "delta": lambda path: DeltaLakeIOManager(base_path=str(path / "delta")),
    "iceberg": lambda path: IcebergIOManager(warehouse=str(path / "iceberg")),
    "arrow": lambda path: FsspecIOManager(base_path=str(path / "files"), format="arrow"),
    "csv": lambda path: FsspecIOManager(base_path=str(path / "files"), format="csv"),
    "sqlite": lambda path: SQLAlchemyIOManager(url=f"sqlite:///{path / 'w.sqlite'}"),
}


@pytest.mark.parametrize("store", MORE_STORES)
def test_a_table_made_from_a_lazy_frame_records_it(store: str, tmp_path: Path) -> None:
    @asset
    def sums(t: pl.LazyFrame) -> pl.LazyFrame:
        return t.group_by("c").agg(pl.col("a").sum().alias("total"))

    @asset
    def eager(t: pl.DataFrame) -> pl.DataFrame:
        return t

    instance = Instance.ephemeral()
    defs = Definitions([t, sums, eager], resources={"io_manager": MORE_STORES[store](tmp_path)})
    defs.materialize(instance=instance)
    trace = defs.column_lineage("sums", "total", instance=instance)
    unknown = defs.column_lineage("eager", "a", instance=instance)

    assert [(str(link.source), link.kind) for link in trace.links] == [("t.a", "aggregated")]
    assert [*unknown.opaque.values()] == ["Python makes it: what its columns are made from is not recorded"]


def test_a_dataset_of_python_is_not_looked_into(tmp_path):
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("elsewhere", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("shop")
    rows = pl.DataFrame({"id": [1, 2]}).to_arrow()
    table = catalog.create_table("shop.orders", rows.schema)
    table.append(rows)
    lineage = lazy_lineage(pl.scan_iceberg(table, reader_override="pyiceberg").select("id"))
    catalog.close()

    assert lineage.opaque == "the plan of the LazyFrame cannot be read: it has PythonDataset SCAN"


def test_files_elsewhere_are_not_looked_into(swift):
    place = f"{swift.uri}/orders.parquet"
    pl.DataFrame({"id": [1, 2]}).write_parquet(place, storage_options=swift.storage_options)
    frame = pl.scan_parquet(place, storage_options=swift.storage_options).select("id")

    assert frame.collect().rows() == [(1,), (2,)]
    assert lazy_lineage(frame).opaque == "the plan of the LazyFrame cannot be read: it has SCAN [s3://"
