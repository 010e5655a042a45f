from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any, Optional

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from io_managers.engine import relation_of
from io_managers.frames import FrameType, Stream, requested, row_count, settled
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import Table

KEY = AssetKey("orders")


class Mine(pl.DataFrame):
    pass


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (None, FrameType.POLARS),
        (Any, FrameType.POLARS),
        (object, FrameType.POLARS),
        (pl.DataFrame, FrameType.POLARS),
        (Mine, FrameType.POLARS),
        (pl.LazyFrame, FrameType.LAZY),
        (pa.Table, FrameType.ARROW),
        (pa.RecordBatchReader, FrameType.READER),
        (pd.DataFrame, FrameType.PANDAS),
        (duckdb.DuckDBPyRelation, FrameType.RELATION),
        (Table, FrameType.HANDLE),
        (Optional[pa.Table], FrameType.ARROW),  # noqa: UP045 - people write it
        (None | pl.LazyFrame, FrameType.LAZY),
        (dict | pl.LazyFrame, FrameType.LAZY),
        (Annotated[pa.Table, "note"], FrameType.ARROW),
    ],
)
def test_an_annotation_asks_for_a_frame(hint, expected):
    assert requested(hint, KEY) is expected


@pytest.mark.parametrize("hint", [int, list[pl.DataFrame], dict[str, Any], str | int, "pl.DataFrame"])
def test_what_no_store_can_give_is_refused_with_what_it_can(hint):
    with pytest.raises(UnsupportedTypeError, match=r"'orders' cannot be loaded as .*pl\.DataFrame, pl\.LazyFrame, pa\.Table"):
        requested(hint, KEY)


def test_a_stream_counts_its_rows_as_they_go_by():
    stream = Stream.of(pl.LazyFrame({"n": range(5)}), KEY)
    before = stream.rows
    stream.reader().read_all()

    assert (before, stream.rows) == (0, 5)


def test_a_stream_keeps_the_error_of_what_makes_it():
    def broken(frame: pl.DataFrame) -> pl.DataFrame:
        raise KeyError("reason")

    stream = Stream.of(pl.LazyFrame({"n": [1]}).map_batches(broken, schema={"n": pl.Int64}), KEY)
    with pytest.raises(Exception, match="reason"):
        stream.reader().read_all()

    assert "reason" in str(stream.error)


@pytest.mark.parametrize(
    ("value", "rows"),
    [(pl.DataFrame({"n": [1, 2]}), 2), (pa.table({"n": [1]}), 1), (pd.DataFrame({"n": [1]}), 1), ([1, 2], None), (None, None)],
)
def test_rows_are_those_of_a_frame(value, rows):
    assert row_count(value) == rows


def test_what_is_read_later_is_read_once_to_be_kept():
    kept = [
        settled(value, KEY)
        for value in (pl.LazyFrame({"n": [1]}), pa.table({"n": [1]}).to_reader(), relation_of(pa.table({"n": [1]})))
    ]

    assert [len(frame) for frame in kept] == [1, 1, 1]


@pytest.mark.parametrize("module", ["fsspec", "memory", "files", "frames"])
def test_the_light_modules_import_no_storage_library(module):
    heavy = "{'polars', 'pyarrow', 'duckdb', 'pandas', 'sqlalchemy', 'sqlglot'}"
    script = f"import sys, io_managers.{module}; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
