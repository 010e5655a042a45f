"""Connections to an object store that break while rows are on their way: tried again, or told, and the old table stays."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pyarrow as pa
import pytest

from io_managers.fsspec import FsspecIOManager
from io_managers.parquet import ParquetIOManager
from warehouse_assets.errors import TableError
from warehouse_assets.testing.io_manager import ORDERS, load, store

pytestmark = pytest.mark.semantics(40)

ROWS = 1_000_000
NUMBERS = pl.select(
    pl.int_range(ROWS).hash(1).alias("a"), pl.int_range(ROWS).hash(2).alias("b")
)  # 16 MB that nothing makes smaller
PART = 5 * 2**20  # the smallest that S3 takes

KINDS: dict[str, Any] = {
    "eager": lambda manager: load(manager),
    "lazy": lambda manager: load(manager, pl.LazyFrame).collect(),
    "arrow": lambda manager: pl.DataFrame(load(manager, pa.Table)),
    "stream": lambda manager: pl.DataFrame(load(manager, pa.RecordBatchReader).read_all()),
}
FORMS: dict[str, Any] = {"eager": lambda: NUMBERS, "lazy": lambda: NUMBERS.lazy(), "arrow": lambda: NUMBERS.to_arrow()}


@pytest.fixture
def wire(swift, wire_to):
    return wire_to(urlsplit(swift.endpoint).port)


@pytest.fixture(params=["by itself", "through fsspec"])
def manager(request, swift, wire):
    """One that writes in small parts, and reads in one of two ways."""
    more = {"config_kwargs": {"retries": {"max_attempts": 4}}} if request.param == "through fsspec" else {}
    manager = ParquetIOManager(
        base_path=f"{swift.uri}/lake",
        storage_options={**swift.at(wire.endpoint).options, "default_block_size": PART, **more},
    )

    assert (manager._files.native is None) == bool(more)
    return manager


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_goes_on_after_a_cut(manager, wire, kind):
    store(manager, NUMBERS)
    for count in (20_000, 3_000_000):
        wire.cut_after(count, "to_client")

        assert KINDS[kind](manager).equals(NUMBERS)
    assert wire.cuts == 2


@pytest.mark.parametrize("form", FORMS)
def test_a_write_goes_on_after_a_cut(manager, wire, form):
    for cuts, count in enumerate((1_000, 2_000_000, 9_000_000), 1):
        wire.cut_after(count)
        recorded = store(manager, FORMS[form]())

        assert (recorded["row_count"], wire.cuts) == (ROWS, cuts)
    assert load(manager).equals(NUMBERS)


@pytest.mark.parametrize("form", ["arrow", "csv", "pickle"])
def test_files_of_other_forms_go_and_come_back_after_a_cut(swift, wire, form):
    manager = FsspecIOManager(
        base_path=f"{swift.uri}/files",
        format=form,
        storage_options={**swift.at(wire.endpoint).options, "default_block_size": PART},
    )
    wire.cut_after(7_000_000)
    store(manager, NUMBERS)
    wire.cut_after(3_000_000, "to_client")
    found = load(manager, pl.DataFrame)

    assert (found.equals(NUMBERS), wire.cuts) == (True, 2)


def test_a_store_that_is_cut_off_while_rows_are_on_their_way_keeps_the_old_table(swift, manager, wire):
    store(manager, ORDERS)
    wire.cut_after(7_000_000, for_good=True)
    with pytest.raises(TableError, match=r"lake/shop/orders\.parquet could not be reached") as caught:
        store(manager, NUMBERS)
    with pytest.raises(TableError, match="could not be reached"):
        load(manager)
    wire.down = False

    assert swift.secret not in f"{caught.value!r} {caught.value}"
    assert load(manager).equals(ORDERS)
    store(manager, NUMBERS)
    assert load(manager).equals(NUMBERS)
