"""Places for one table: each kind of store as one would call its library directly, and any I/O manager."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from io_managers.frames import Stream
from warehouse_assets import AssetKey, InputContext, IOManager, OutputContext

Frame: TypeAlias = "pl.DataFrame | pl.LazyFrame | pa.RecordBatchReader"

TABLE, OTHER_TABLE = "trips", "warm"
URL = "BENCHMARK_DATABASE_URL"  # the environment variable that says where a database server is


class Store(ABC):
    """Somewhere to keep one table."""

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Replace the table."""

    @abstractmethod
    def read(self) -> pl.DataFrame:
        """The whole table."""

    @abstractmethod
    def greatest(self) -> pl.DataFrame:
        """The greatest values of its first two columns, read lazily."""


class DuckDB(Store):
    """DuckDB as one would call it directly; a lazy frame goes in by batches, which is its fastest way in."""

    settings: ClassVar[dict[str, str]] = {}

    def __init__(self, folder: Path, table: str = TABLE) -> None:
        self.file = folder / f"{table}.duckdb"

    def write(self, frame: Frame) -> None:
        import duckdb

        with duckdb.connect(self.file, config=dict(self.settings)) as connection:
            connection.register(
                "frame", frame.collect_batches(chunk_size=200_000) if isinstance(frame, pl.LazyFrame) else frame
            )
            connection.execute("create or replace table trips as from frame")

    def read(self) -> pl.DataFrame:
        import duckdb

        with duckdb.connect(self.file, config=dict(self.settings)) as connection:
            frame: pl.DataFrame = connection.sql("from trips").pl()
            return frame

    def greatest(self) -> pl.DataFrame:
        import duckdb

        with duckdb.connect(self.file, config=dict(self.settings)) as connection:
            return greatest(connection.sql("from trips").pl(lazy=True))


class LimitedDuckDB(DuckDB):
    """DuckDB with little memory for its buffers."""

    settings: ClassVar = {"memory_limit": "256MB"}


class Parquet(Store):
    """A Parquet file written and read by polars."""

    def __init__(self, folder: Path, table: str = TABLE) -> None:
        self.file = folder / f"{table}.parquet"

    def write(self, frame: Frame) -> None:
        if isinstance(frame, pl.DataFrame):
            frame.write_parquet(self.file)
        elif isinstance(frame, pl.LazyFrame):
            frame.sink_parquet(self.file)
        else:
            with pq.ParquetWriter(self.file, frame.schema, compression="zstd") as writer:
                for batch in frame:
                    writer.write_batch(batch)

    def read(self) -> pl.DataFrame:
        return pl.read_parquet(self.file)

    def greatest(self) -> pl.DataFrame:
        return greatest(pl.scan_parquet(self.file))


class Delta(Store):
    """A Delta table written by deltalake, from a stream of batches, and read by polars."""

    def __init__(self, folder: Path, table: str = TABLE) -> None:
        self.table = str(folder / table)

    def write(self, frame: Frame) -> None:
        from deltalake import write_deltalake

        write_deltalake(self.table, streamed(frame), mode="overwrite", schema_mode="overwrite")

    def read(self) -> pl.DataFrame:
        return pl.read_delta(self.table)

    def greatest(self) -> pl.DataFrame:
        return greatest(pl.scan_delta(self.table))


class Iceberg(Store):
    """An Iceberg table in a SQLite catalog, written by pyiceberg and read by polars."""

    def __init__(self, folder: Path, table: str = TABLE) -> None:
        self.folder = folder
        self.table = f"bench.{table}"

    def _catalog(self) -> Any:
        from pyiceberg.catalog.sql import SqlCatalog

        return SqlCatalog("direct", uri=f"sqlite:///{self.folder}/direct.db", warehouse=f"file://{self.folder}/direct")

    def write(self, frame: Frame) -> None:
        arrow = streamed(frame).read_all()
        catalog = self._catalog()
        catalog.create_namespace_if_not_exists("bench")
        if catalog.table_exists(self.table):
            catalog.load_table(self.table).overwrite(arrow)
        else:
            catalog.create_table(self.table, arrow.schema).append(arrow)

    def read(self) -> pl.DataFrame:
        return self._scan().collect()

    def greatest(self) -> pl.DataFrame:
        return greatest(self._scan())

    def _scan(self) -> pl.LazyFrame:
        os.environ.setdefault("POLARS_ICEBERG_PLANNER", "pyiceberg")  # or polars warns that another would be faster
        return pl.scan_iceberg(self._catalog().load_table(self.table))


class PostgreSQL(Store):
    """A table that ADBC fills and reads; what replaces it takes its place in the same transaction."""

    def __init__(self, folder: Path, table: str = TABLE) -> None:
        self.url = os.environ[URL]
        self.table = f"direct_{table}"

    def write(self, frame: Frame) -> None:
        from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

        with dbapi.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(self.table, streamed(frame), mode="replace")
            connection.commit()

    def read(self) -> pl.DataFrame:
        return self._queried(f"select * from {self.table}")

    def greatest(self) -> pl.DataFrame:
        return greatest(self._queried(f"select trip, day from {self.table}").lazy())

    def _queried(self, query: str) -> pl.DataFrame:
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return pl.DataFrame(cursor.fetch_arrow_table())


class Executemany(PostgreSQL):
    """The same table as SQLAlchemy fills it, a row at a time."""

    def __init__(self, folder: Path, table: str = TABLE) -> None:
        super().__init__(folder, f"{table}_rows")

    def write(self, frame: Frame) -> None:
        import sqlalchemy as sa

        rows = pl.DataFrame(streamed(frame).read_all())
        kinds = {pl.Int64: sa.BigInteger, pl.Int32: sa.Integer, pl.Float64: sa.Float, pl.Boolean: sa.Boolean, pl.Date: sa.Date}
        columns: list[Any] = [
            sa.Column(name, kinds.get(type(dtype), sa.Text if dtype == pl.String else sa.DateTime))
            for name, dtype in rows.schema.items()
        ]
        table = sa.Table(self.table, sa.MetaData(), *columns)
        engine = sa.create_engine(self.url.replace("postgresql:", "postgresql+psycopg:", 1))
        with closing(engine.raw_connection()), engine.begin() as connection:
            table.drop(connection, checkfirst=True)
            table.create(connection)
            for part in rows.iter_slices(10_000):
                connection.execute(table.insert(), part.to_dicts())
        engine.dispose()


class Managed(Store):
    """Any I/O manager, called as a run calls it."""

    def __init__(self, manager: IOManager, table: str = TABLE) -> None:
        self.manager = manager
        self.key = AssetKey(["bench", table])

    def write(self, frame: Frame) -> None:
        for _ in self.manager.handle_output(OutputContext(self.key), frame) or ():
            pass

    def read(self) -> pl.DataFrame:
        frame: pl.DataFrame = self.manager.load_input(InputContext(self.key, type_hint=pl.DataFrame))
        return frame

    def greatest(self) -> pl.DataFrame:
        return greatest(self.manager.load_input(InputContext(self.key, type_hint=pl.LazyFrame)))


DIRECT: dict[str, Callable[[Path, str], Store]] = {
    "duckdb": DuckDB,
    "duckdb, 256 MB": LimitedDuckDB,
    "parquet": Parquet,
    "delta": Delta,
    "iceberg": Iceberg,
    "postgresql": PostgreSQL,
    "executemany": Executemany,
}


def _duckdb(folder: str) -> IOManager:
    from io_managers import DuckDBIOManager

    return DuckDBIOManager(database=f"{folder}/managed.duckdb")


def _limited_duckdb(folder: str) -> IOManager:
    from io_managers import DuckDBIOManager

    return DuckDBIOManager(database=f"{folder}/managed.duckdb", connection_config=LimitedDuckDB.settings)


def _parquet(folder: str) -> IOManager:
    from io_managers import ParquetIOManager

    return ParquetIOManager(base_path=folder)


def _delta(folder: str) -> IOManager:
    from io_managers import DeltaLakeIOManager

    return DeltaLakeIOManager(base_path=f"{folder}/managed")


def _iceberg(folder: str) -> IOManager:
    from io_managers import IcebergIOManager

    return IcebergIOManager(warehouse=f"{folder}/managed")


def _postgresql(folder: str) -> IOManager:
    from io_managers import SQLAlchemyIOManager

    return SQLAlchemyIOManager(url=os.environ[URL])


MANAGERS: dict[str, Callable[[str], IOManager]] = {
    "duckdb": _duckdb,
    "duckdb, 256 MB": _limited_duckdb,
    "parquet": _parquet,
    "delta": _delta,
    "iceberg": _iceberg,
    "postgresql": _postgresql,
}


def manager(name: str, folder: str) -> IOManager:
    """The I/O manager of that name, or the one that `module:factory` makes for a folder."""
    if name in MANAGERS:
        return MANAGERS[name](folder)
    module, _, factory = name.partition(":")
    made: IOManager = getattr(import_module(module), factory)(folder)
    return made


def streamed(frame: Frame) -> Any:
    """A frame as an Arrow stream."""
    return Stream.of(frame, AssetKey(TABLE)).reader()


def greatest(frame: pl.LazyFrame) -> pl.DataFrame:
    """The greatest values of the first two columns."""
    return frame.select(pl.nth(0, 1).max()).collect()
