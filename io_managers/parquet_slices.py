"""Parquet files of a partitioned table: one for each partition, in folders that tools of the Hive kind read as columns."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from io_managers.files import Files, partition_folder, temporary_file
from io_managers.frames import FrameType, Stream, from_reader, table_schema
from io_managers.slices import column_of, keys_by_dimension, outside, partition_filters, polars_condition
from io_managers.table import SchemaPolicy, policy_refusal
from warehouse_assets.errors import TableError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableSlice, TableStats

__all__ = ["SUFFIX", "PartitionFiles", "PartitionWrite", "as_frame"]

NAME = "data.parquet"
SUFFIX = ".parquet"
READERS = 16  # footers that are read at once from a file system that is far away

Schema = Mapping[str, pl.DataType]


@dataclass(frozen=True)
class PartitionFiles:
    """The files of one partitioned table, in a folder of the name that the file of a table without partitions would have."""

    files: Files
    folder: str

    def place(self, partitions_def: Any, key: str) -> str:
        """The file of a partition, which need not be there."""
        return f"{self.folder}/{partition_folder(keys_by_dimension(partitions_def, key))}/{NAME}"

    def all(self) -> list[str]:
        """The files that are there."""
        return self.files.within(self.folder, SUFFIX)

    def scan(self, paths: Sequence[str]) -> pl.LazyFrame:
        """The rows of these files, columns by name; one that a file lacks is null there."""
        scans = [self.scan_one(path) for path in paths]
        schemas = self._each(lambda scan: list(scan.collect_schema().items()), scans)
        if all(schema == schemas[0] for schema in schemas):
            if self.files.is_local:
                return pl.scan_parquet(list(paths), glob=False, hive_partitioning=False)
            return pl.concat(scans)
        return pl.concat(scans, how="diagonal_relaxed")

    def scan_one(self, path: str) -> pl.LazyFrame:
        """The rows of one file."""
        source = path if self.files.is_local else self.files.open(path)
        return pl.scan_parquet(source, glob=False, hive_partitioning=False)

    def row_count(self, paths: Sequence[str]) -> int:
        """The rows of these files, from their footers."""

        def rows(path: str) -> int:
            with self.files.open(path) as file:
                return int(pq.read_metadata(file).num_rows)

        return sum(self._each(rows, paths))

    def _each(self, question: Callable[[Any], Any], things: Sequence[Any]) -> list[Any]:
        if self.files.is_local or len(things) < 2:
            return [question(thing) for thing in things]
        with ThreadPoolExecutor(READERS) as threads:
            return list(threads.map(question, things))


class PartitionWrite:
    """One write of some partitions: staged in a file that can be read, and published as one file for each."""

    def __init__(self, table: PartitionFiles, context: OutputContext, slice_: TableSlice, policy: SchemaPolicy) -> None:
        self.table = table
        self.key: AssetKey = context.asset_key
        self.partitions_def = context.partitions_def
        self.keys = context.partition_keys
        self.columns = context.definition_metadata.get("partition_expr")
        self.filters = slice_.partitions or ()
        self.policy = policy
        self.places = {key: table.place(self.partitions_def, key) for key in self.keys}

    @contextmanager
    def replacing(self, write: Callable[[str], None]) -> Generator[str]:
        """The path of what `write` wrote, checked, which is published as the block ends."""
        if self.table.files.exists(self.table.folder):
            raise TableError(
                f"the table of asset {self.key.to_user_string()!r} is one file, {self.table.files.uri(self.table.folder)}, and is "
                "to be partitioned",
                hint="Move the file away, then make the partitions.",
            )
        if len(self.keys) == 1:
            [place] = self.places.values()
            with self.table.files.replacing_readably(place, durable=True) as staged:
                write(staged)
                self._check(staged)
                yield staged
            return
        with temporary_file() as staged, ExitStack() as publishing:
            write(staged)
            schema = self._check(staged)
            for key, place in self.places.items():
                part = publishing.enter_context(self.table.files.replacing_readably(place, durable=True))
                filters = partition_filters(self.partitions_def, [key], self.columns)
                pl.scan_parquet(staged, glob=False).filter(polars_condition(filters or (), schema)).sink_parquet(part)
            yield staged

    def stats(self, rows: int) -> TableStats:
        """What the table holds now; under the policy "sync" the other files first get the columns of the new ones."""
        paths = self.table.all()
        new = [path for path in self.places.values() if path in paths]
        schema = self.table.scan(new).collect_schema()
        if self.policy == "sync":
            self._align([path for path in paths if path not in new], schema)
        return TableStats(
            row_count=self.table.row_count(paths),
            byte_size=sum(self.table.files.size(path) for path in paths),
            schema=table_schema(self.table.scan(paths).collect_schema()),
            uri=self.table.files.uri(self.table.folder),
            partition_row_count=rows,
        )

    def _check(self, staged: str) -> Schema:
        """The columns of what is staged; raises where they do not fit the table, or a row is in none of the partitions."""
        scan = pl.scan_parquet(staged, glob=False, hive_partitioning=False)
        schema = scan.collect_schema()
        columns = list(dict.fromkeys(column_of(part, schema) for parts in self.filters for part in parts))
        misplaced = scan.filter(~polars_condition(self.filters, schema)).select(columns).head(1).collect()
        if misplaced.height:
            raise outside(f"asset {self.key.to_user_string()!r}", columns, misplaced.row(0), self.keys)
        written = set(self.places.values())
        if others := [path for path in self.table.all() if path not in written]:
            stored = self.table.scan(others).collect_schema()
            given = {name: stored.get(name, dtype) if dtype == pl.Null else dtype for name, dtype in schema.items()}
            known = {name: given.get(name, dtype) if dtype == pl.Null else dtype for name, dtype in stored.items()}
            if (refused := policy_refusal(self.key, self.policy, known, given)) is not None:
                raise refused
        return schema

    def _align(self, paths: Iterable[str], schema: Schema) -> None:
        """Give other files the columns of new ones, one after another; a type becomes one that holds both."""
        for path in paths:
            old = self.table.scan_one(path)
            if dict(old.collect_schema()) != dict(schema):
                both = pl.concat([old, pl.LazyFrame(schema=schema)], how="diagonal_relaxed").select(list(schema)).collect()
                with self.table.files.replacing_readably(path, durable=True) as target:
                    both.write_parquet(target)


def as_frame(lazy: pl.LazyFrame, kind: FrameType, key: AssetKey) -> Any:
    """The rows of a scan as a frame of type `kind`."""
    if kind is FrameType.LAZY:
        return lazy
    if kind is FrameType.POLARS:
        return lazy.collect(engine="streaming")
    return from_reader(Stream.of(lazy, key).reader(), kind)
