"""One measured task in a process of its own, so that its peak memory is its own: `python -m benchmarks.io_work '{…}'`."""

from __future__ import annotations

import json
import resource
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import polars as pl
import pyarrow as pa  # noqa: F401 - loaded here, so that no side pays for it while it is measured

from benchmarks.harness import seconds
from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import AssetKey, InputContext, IOManager, OutputContext

Frame: TypeAlias = "pl.DataFrame | pl.LazyFrame"
Outcome: TypeAlias = "dict[str, float]"

KEY = AssetKey(["bench", "trips"])


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

    def __init__(self, folder: Path) -> None:
        self.file = folder / "direct.duckdb"

    def write(self, frame: Frame) -> None:
        with duckdb.connect(self.file) as connection:
            connection.register(
                "frame", frame if isinstance(frame, pl.DataFrame) else frame.collect_batches(chunk_size=200_000)
            )
            connection.execute("create or replace table trips as from frame")

    def read(self) -> pl.DataFrame:
        with duckdb.connect(self.file) as connection:
            frame: pl.DataFrame = connection.sql("from trips").pl()
            return frame

    def greatest(self) -> pl.DataFrame:
        with duckdb.connect(self.file) as connection:
            return greatest(connection.sql("from trips").pl(lazy=True))


class Parquet(Store):
    """A Parquet file written and read by polars."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "direct.parquet"

    def write(self, frame: Frame) -> None:
        if isinstance(frame, pl.DataFrame):
            frame.write_parquet(self.file)
        else:
            frame.sink_parquet(self.file)

    def read(self) -> pl.DataFrame:
        return pl.read_parquet(self.file)

    def greatest(self) -> pl.DataFrame:
        return greatest(pl.scan_parquet(self.file))


class Managed(Store):
    """Any I/O manager, called as a run calls it."""

    def __init__(self, manager: IOManager) -> None:
        self.manager = manager

    def write(self, frame: Frame) -> None:
        for _ in self.manager.handle_output(OutputContext(KEY), frame) or ():
            pass

    def read(self) -> pl.DataFrame:
        frame: pl.DataFrame = self.manager.load_input(InputContext(KEY, type_hint=pl.DataFrame))
        return frame

    def greatest(self) -> pl.DataFrame:
        return greatest(self.manager.load_input(InputContext(KEY, type_hint=pl.LazyFrame)))


DIRECT: dict[str, Callable[[Path], Store]] = {"duckdb": DuckDB, "parquet": Parquet}
MANAGERS: dict[str, Callable[[str], IOManager]] = {
    "duckdb": lambda folder: DuckDBIOManager(database=f"{folder}/managed.duckdb"),
    "parquet": lambda folder: ParquetIOManager(base_path=folder),
}


def manager(name: str, folder: str) -> IOManager:
    """The I/O manager of that name, or the one that `module:factory` makes for a folder."""
    if name in MANAGERS:
        return MANAGERS[name](folder)
    module, _, factory = name.partition(":")
    made: IOManager = getattr(import_module(module), factory)(folder)
    return made


def greatest(frame: pl.LazyFrame) -> pl.DataFrame:
    """The greatest values of the first two columns."""
    return frame.select(pl.nth(0, 1).max()).collect()


def make(data: str, rows: int) -> Outcome:
    """Write made-up rows of eight mixed columns, the same for the same number, with nulls and with text that repeats and not."""
    row = pl.col("trip")
    pl.LazyFrame({"trip": pl.int_range(rows, eager=True)}).with_columns(
        day=pl.date(2013, 1, 1) + pl.duration(days=row % 365),
        started=pl.datetime(2013, 1, 1) + pl.duration(seconds=row * 3),
        amount=(row.hash(1) % 1_000_000) / 100,
        passengers=(row.hash(2) % 6).cast(pl.Int32),
        paid=pl.when(row.hash(3) % 10 > 0).then(row.hash(4) % 2 == 0),
        city=pl.format("city {}", row.hash(5) % 40),
        note=pl.when(row.hash(6) % 10 > 0).then(row.hash(7).cast(pl.String)),
    ).sink_parquet(data)
    return {}


def measure(data: str) -> Outcome:
    """The size of the data as a frame."""
    frame = pl.read_parquet(data)
    return {"rows": frame.height, "columns": frame.width, "megabytes": frame.estimated_size("mb")}


def operate(task: str, data: str, folder: str, frame: str, store: str, *, managed: bool) -> Outcome:
    """One operation on one store: its seconds, and the peak memory of this process in MB."""
    target = Managed(manager(store, folder)) if managed else DIRECT[store](Path(folder))
    if task == "read":
        taken = seconds(target.read if frame == "eager" else target.greatest)
    else:
        source: Frame = pl.read_parquet(data) if frame == "eager" else pl.scan_parquet(data)
        taken = seconds(lambda: target.write(source))
    return {"seconds": taken, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main(task: dict[str, Any]) -> Outcome:
    """Do the task."""
    if task["task"] == "make":
        return make(task["data"], task["rows"])
    return measure(task["data"]) if task["task"] == "measure" else operate(**task)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
