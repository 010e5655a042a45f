"""One measured task in a process of its own, so that its peak memory is its own: `python -m benchmarks.io_work '{…}'`."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.harness import seconds
from benchmarks.stores import DIRECT, OTHER_TABLE, TABLE, Frame, Managed, Store, manager

Outcome: TypeAlias = "dict[str, float]"

WARM_ROWS = 60_000


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
    """One operation on one store: its seconds, and the peak memory of this process in MB.

    What the store needs is imported before, by keeping another table, which is large enough for its way of large ones.
    """
    target, other = (opened(store, folder, table, managed=managed) for table in (TABLE, OTHER_TABLE))
    other.write(pl.scan_parquet(data).head(WARM_ROWS))
    other.greatest()
    if task == "read":
        taken = seconds(target.read if frame == "eager" else target.greatest)
    else:
        source: Frame = pl.read_parquet(data) if frame == "eager" else pl.scan_parquet(data)
        taken = seconds(lambda: target.write(source))
    return {"seconds": taken, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def opened(store: str, folder: str, table: str, *, managed: bool) -> Store:
    """A table of a store, by its manager or directly."""
    return Managed(manager(store, folder), table) if managed else DIRECT[store](Path(folder), table)


def stream(rows: int, folder: str, store: str, *, managed: bool) -> Outcome:
    """Write a stream of four columns of eight bytes; its seconds, and by how many MB the peak of this process grew."""
    target, other = (opened(store, folder, table, managed=managed) for table in (TABLE, OTHER_TABLE))
    other.write(batches(100_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = seconds(lambda: target.write(batches(rows)))
    return {"seconds": taken, "extra": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}


def batches(rows: int) -> pa.RecordBatchReader:
    """Made-up rows, a hundred thousand at a time, which do not compress to nothing."""
    size = 100_000
    noise = np.random.default_rng(1).integers(0, 2**62, size)

    def made() -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, size):
            ids = np.arange(start, min(start + size, rows))
            mixed = noise[: len(ids)] ^ (start * 2_654_435_761)
            yield pa.record_batch([pa.array(each) for each in (ids, mixed, mixed / 3.0, mixed % 1000)], names=list(kinds))

    kinds: dict[str, pa.DataType] = {"trip": pa.int64(), "hash": pa.int64(), "amount": pa.float64(), "group": pa.int64()}
    return pa.RecordBatchReader.from_batches(pa.schema(kinds), made())


def main(task: dict[str, Any]) -> Outcome:
    """Do the task."""
    if task["task"] == "make":
        return make(task["data"], task["rows"])
    if task["task"] == "stream":
        task.pop("task")
        return stream(**task)
    return measure(task["data"]) if task["task"] == "measure" else operate(**task)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
