"""The promises of I/O managers, in groups; a manager inherits those it keeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import InvalidSQLError, TableNotFoundError, UnsupportedTypeError
from warehouse_assets.io_manager import InputContext, IOManager, OutputContext, TableSource
from warehouse_assets.io_manager.powers import PlacesTables
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.frames import HOSTILE_FRAMES, HOSTILE_KEYS, IN_ARROW

__all__ = [
    "AtomicContract",
    "FrameContract",
    "SQLContract",
    "TableContract",
    "ValueContract",
    "in_another_process",
    "load",
    "store",
]

KEY = AssetKey(["shop", "orders"])
ORDERS = pl.DataFrame({"id": [1, 2, 3], "amount": [9.5, None, 7.0], "kind": ["a", "b", None]})


def store(
    manager: IOManager, value: Any, key: AssetKey = KEY, *, sources: Mapping[AssetKey, TableSource] | None = None
) -> dict[str, Any]:
    """Store a value as an asset would; what was recorded, as plain values."""
    context = OutputContext(key, sources=sources or {})
    for entry in manager.handle_output(context, value) or ():
        context.add_output_metadata(entry)
    return {name: value.value for name, value in context.output_metadata.items()}


def load(manager: IOManager, type_hint: Any = None, key: AssetKey = KEY, *, columns: list[str] | None = None) -> Any:
    """Load a value as an argument with this annotation would."""
    metadata = {} if columns is None else {"columns": columns}
    return manager.load_input(InputContext(key, type_hint=type_hint, metadata=metadata, made_by="asset 'orders' (shop.py:1)"))


def source(manager: IOManager, key: AssetKey) -> TableSource:
    """A stored table as SQL sees it."""
    return TableSource(manager, InputContext(key))


def batches(frame: pl.DataFrame, rows: int = 1) -> Iterator[pa.RecordBatch]:
    """The rows of a frame, a few at a time."""
    for part in frame.iter_slices(rows):
        yield from part.to_arrow().to_batches()


def stream(frame: pl.DataFrame) -> pa.RecordBatchReader:
    """A frame as a stream that can be read once."""
    return pa.RecordBatchReader.from_batches(frame.to_arrow().schema, batches(frame))


def in_another_process(manager: IOManager, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that has the manager, built again from its repr, and what the promises use; how it ended."""
    prelude = f"""
        import os, signal
        import polars as pl
        import pyarrow as pa
        from {type(manager).__module__} import {type(manager).__name__}
        from warehouse_assets.testing.io_manager import ORDERS, store

        manager = {manager!r}
    """
    code = textwrap.dedent(prelude) + textwrap.dedent(script)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env={**os.environ}
    )


FORMS: dict[str, Callable[[], Any]] = {
    "eager": lambda: ORDERS,
    "lazy": lambda: ORDERS.lazy(),
    "table": lambda: ORDERS.to_arrow(),
    "stream": lambda: stream(ORDERS),
}


class Broken(Exception):
    """What a stream raises half way."""


class FrameContract(Contract):
    """Frames of any library go in, and come back as the annotation asks for, with the types and the values they had."""

    @pytest.fixture
    def manager(self) -> IOManager:
        """The manager under test, new and empty: override this."""
        raise NotImplementedError

    @pytest.mark.parametrize("name", sorted(HOSTILE_FRAMES))
    def test_types_survive(self, manager: IOManager, name: str) -> None:
        frame = HOSTILE_FRAMES[name]
        store(manager, frame)

        assert_frame_equal(load(manager, pl.DataFrame), frame)

    @pytest.mark.parametrize("name", sorted(HOSTILE_FRAMES))
    def test_types_survive_lazily(self, manager: IOManager, name: str) -> None:
        frame = HOSTILE_FRAMES[name]
        store(manager, frame.lazy())

        assert_frame_equal(load(manager, pl.LazyFrame).collect(), frame)

    @pytest.mark.parametrize("name", sorted(IN_ARROW))
    def test_types_survive_as_arrow(self, manager: IOManager, name: str) -> None:
        frame = IN_ARROW[name]
        store(manager, frame.to_arrow())

        assert_frame_equal(pl.DataFrame(load(manager, pa.Table)), frame)

    @pytest.mark.parametrize("name", sorted(IN_ARROW))
    def test_types_survive_as_a_stream(self, manager: IOManager, name: str) -> None:
        frame = IN_ARROW[name]
        store(manager, stream(frame))

        assert_frame_equal(pl.DataFrame(load(manager, pa.RecordBatchReader)), frame)

    @pytest.mark.parametrize("name", sorted(HOSTILE_FRAMES.keys() - IN_ARROW.keys()))
    def test_what_arrow_has_no_type_for_keeps_its_values(self, manager: IOManager, name: str) -> None:
        frame = HOSTILE_FRAMES[name]
        store(manager, frame)
        table = pl.DataFrame(load(manager, pa.Table))

        assert_frame_equal(table.cast(frame.schema), frame)

    def test_anything_with_an_arrow_stream_can_be_stored(self, manager: IOManager) -> None:
        class Foreign:
            def __arrow_c_stream__(self, requested_schema: object = None) -> object:
                return ORDERS.__arrow_c_stream__(requested_schema)

        store(manager, Foreign())

        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)

    def test_pandas_frames_are_stored_and_loaded(self, manager: IOManager) -> None:
        pandas = pytest.importorskip("pandas")  # an extra, which the author of a manager may not have installed
        store(manager, ORDERS.to_pandas())

        assert load(manager, pandas.DataFrame)["id"].tolist() == [1, 2, 3]

    def test_a_table_handle_loads_nothing(self, manager: IOManager) -> None:
        assert load(manager, Table) == Table(KEY)

    def test_an_optional_annotation_asks_for_its_first_supported_type(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        assert isinstance(load(manager, pl.LazyFrame | None), pl.LazyFrame)

    def test_an_unsupported_annotation_is_refused(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        with pytest.raises(UnsupportedTypeError, match=r"'shop/orders' cannot be loaded as dict.*pl\.LazyFrame"):
            load(manager, dict)

    def test_only_the_columns_asked_for_are_loaded(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        for kind in (pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader):
            loaded = load(manager, kind, columns=["kind", "id"])
            frame = loaded.collect() if isinstance(loaded, pl.LazyFrame) else pl.DataFrame(loaded)

            assert_frame_equal(frame, ORDERS.select("kind", "id"))

    def test_what_is_missing_is_named_with_what_should_have_made_it(self, manager: IOManager) -> None:
        with pytest.raises(TableNotFoundError, match=r"orders.*asset 'orders' \(shop\.py:1\)"):
            load(manager)

    def test_a_write_replaces_all_columns_and_rows(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        store(manager, pl.DataFrame({"kind": ["z"], "id": ["text"]}))

        assert_frame_equal(load(manager, pl.DataFrame), pl.DataFrame({"kind": ["z"], "id": ["text"]}))

    @pytest.mark.parametrize("make", list(FORMS.values()), ids=list(FORMS))
    def test_rows_are_counted(self, manager: IOManager, make: Any) -> None:
        assert store(manager, make())["row_count"] == 3

    def test_keys_do_not_share_a_place(self, manager: IOManager) -> None:
        for number, key in enumerate(HOSTILE_KEYS):
            store(manager, pl.DataFrame({"number": [number]}), key)

        assert [load(manager, pl.DataFrame, key).item() for key in HOSTILE_KEYS] == list(range(len(HOSTILE_KEYS)))

    def test_keys_that_differ_in_case_share_a_place_only_if_the_manager_says_so(self, manager: IOManager) -> None:
        keys = [AssetKey(["Shop", "Orders"]), AssetKey(["shop", "orders"])]
        for number, key in enumerate(keys):
            store(manager, pl.DataFrame({"number": [number]}), key)
        places = {manager.place_of(key, {}) for key in keys} if isinstance(manager, PlacesTables) else set(keys)

        assert len({load(manager, pl.DataFrame, key).item() for key in keys}) == len(places)

    def test_many_threads_write_and_read_at_once(self, manager: IOManager) -> None:
        def work(number: int) -> tuple[int, int]:
            key = AssetKey([f"schema {number % 3}", f"table {number}"])
            recorded = store(manager, pl.DataFrame({"number": range(number * 100)}), key)
            return recorded["row_count"], load(manager, pl.DataFrame, key).height

        with ThreadPoolExecutor(24) as threads:
            done = list(threads.map(work, range(24)))

        assert done == [(number * 100, number * 100) for number in range(24)]

    def test_many_threads_replace_one_table(self, manager: IOManager) -> None:
        def work(number: int) -> set[int]:
            store(manager, pl.DataFrame({"number": [number] * 1000}))
            return set(load(manager, pl.DataFrame)["number"])

        with ThreadPoolExecutor(8) as threads:
            seen = list(threads.map(work, range(16)))

        assert all(len(numbers) == 1 for numbers in seen)


class ValueContract(Contract):
    """Any Python value is kept, None too."""

    @pytest.mark.parametrize("value", [None, 0, "text", {"a": [1, (2, 3)]}, b"\0", float("inf")])
    def test_values_survive(self, manager: IOManager, value: Any) -> None:
        store(manager, value)

        assert load(manager) == value

    def test_an_annotation_changes_no_value_that_is_not_a_frame(self, manager: IOManager) -> None:
        store(manager, {"a": 1})

        assert load(manager, dict[str, int]) == {"a": 1}


class TableContract(FrameContract):
    """Only tables are kept, and each write is measured by the store."""

    def byte_size(self, manager: IOManager, key: AssetKey) -> int | None:
        """The bytes that the table takes, found out behind the manager's back; None where a store has no bytes at rest."""
        raise NotImplementedError

    def test_none_is_refused(self, manager: IOManager) -> None:
        with pytest.raises(UnsupportedTypeError, match=r"'shop/orders' returned None"):
            store(manager, None)

    def test_what_is_no_table_is_refused(self, manager: IOManager) -> None:
        with pytest.raises(UnsupportedTypeError, match=r"'shop/orders' returned a value of type int.*polars"):
            store(manager, 3)

    def test_polars_is_the_default(self, manager: IOManager) -> None:
        store(manager, ORDERS.to_arrow())

        assert_frame_equal(load(manager, None), ORDERS)

    @pytest.mark.parametrize("make", list(FORMS.values()), ids=list(FORMS))
    def test_a_write_is_measured(self, manager: IOManager, make: Any) -> None:
        recorded = store(manager, make())
        schema = recorded["column_schema"]

        assert recorded["row_count"] == 3
        assert recorded.get("byte_size") == self.byte_size(manager, KEY)
        assert [column.name for column in schema] == ["id", "amount", "kind"]
        assert len({"table_name", "uri"} & recorded.keys()) == 1

    def test_a_missing_column_is_named_with_close_ones(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        with pytest.raises(ValueError, match=r"'shop/orders' has no column 'amonut'. Did you mean 'amount'"):
            load(manager, columns=["amonut"])

    def test_columns_go_by_name(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        store(manager, ORDERS.select("kind", "amount", "id"))

        assert load(manager)["id"].to_list() == [1, 2, 3]

    def test_a_stream_is_read_a_batch_at_a_time(self, manager: IOManager) -> None:
        alive: list[int] = []

        def counted() -> Iterator[pa.RecordBatch]:
            for _ in range(40):
                alive.append(pa.total_allocated_bytes())
                yield pa.record_batch({"id": pa.array(range(100_000), pa.int64())})

        before = pa.total_allocated_bytes()
        store(manager, pa.RecordBatchReader.from_batches(pa.schema({"id": pa.int64()}), counted()))

        assert max(alive) - before < 40 * 100_000 * 8 / 2


class AtomicContract(Contract):
    """A write happens at once or not at all; the manager's repr builds it again in another process."""

    BATCHES = 4
    ROWS = 300_000

    def debris(self, manager: IOManager) -> set[str]:
        """What is visible in the store beside the table of `KEY`, found out behind the manager's back."""
        raise NotImplementedError

    @pytest.mark.parametrize("good", range(4))
    def test_a_stream_that_breaks_leaves_the_old_table(self, manager: IOManager, good: int) -> None:
        store(manager, ORDERS)

        def breaking() -> Iterator[pa.RecordBatch]:
            yield from [pa.record_batch({"id": list(range(200_000))})] * good
            raise Broken("half way")

        with pytest.raises(Exception, match="half way"):
            store(manager, pa.RecordBatchReader.from_batches(pa.schema({"id": pa.int64()}), breaking()))

        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)
        assert self.debris(manager) == set()

    def test_a_lazy_frame_that_breaks_raises_its_own_error(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        def broken(frame: pl.DataFrame) -> pl.DataFrame:
            raise Broken("in the plan")

        with pytest.raises(Exception, match="in the plan"):
            store(manager, ORDERS.lazy().map_batches(broken, schema=ORDERS.schema))

        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)
        assert self.debris(manager) == set()

    @pytest.mark.parametrize("batch", range(BATCHES + 1))
    def test_a_process_killed_at_any_batch_leaves_the_old_table(self, manager: IOManager, batch: int) -> None:
        killed = in_another_process(
            manager,
            f"""
            def numbers():
                for number in range({self.BATCHES}):
                    if number == {batch}:
                        os.kill(os.getpid(), signal.SIGKILL)
                    yield pa.record_batch({{"id": list(range({self.ROWS}))}})
                if {batch} == {self.BATCHES}:
                    os.kill(os.getpid(), signal.SIGKILL)

            store(manager, ORDERS)
            store(manager, pa.RecordBatchReader.from_batches(pa.schema({{"id": pa.int64()}}), numbers()))
            """,
        )

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)

        store(manager, ORDERS.head(1))

        assert load(manager, pl.DataFrame).height == 1
        assert self.debris(manager) == set()

    def test_a_full_disk_leaves_the_old_table(self, manager: IOManager) -> None:
        failed = in_another_process(
            manager,
            """
            import random, resource

            store(manager, ORDERS)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
            store(manager, pl.DataFrame({"id": [random.random() for _ in range(400_000)]}))
            """,
        )

        assert failed.returncode == 1, failed.stderr
        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)
        assert self.debris(manager) == set()


class SQLContract(Contract):
    """Tables are made by SQL too, from tables of this store and of others."""

    def test_sql_reads_a_table_of_the_same_store(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        recorded = store(
            manager,
            SQL("select kind, id + {more} as id from shop.orders where id < 3 order by id", more=10),
            AssetKey("made"),
            sources={KEY: source(manager, KEY)},
        )

        assert recorded["row_count"] == 2
        assert load(manager, pl.DataFrame, AssetKey("made")).rows() == [("a", 11), ("b", 12)]

    def test_sql_reads_a_table_of_another_store(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        elsewhere = AssetKey(["names", "english"])
        store(
            manager,
            SQL(
                "select id, name, b.name as again from shop.orders join names.english a using (id) join names.english b using (id, name)"
            ),
            AssetKey("made"),
            sources={KEY: source(manager, KEY), elsewhere: source(_Elsewhere(), elsewhere)},
        )

        assert load(manager, pl.DataFrame, AssetKey("made")).rows() == [(2, "two", "two")]

    def test_sql_replaces_the_table_it_reads(self, manager: IOManager) -> None:
        store(manager, ORDERS)
        store(manager, SQL("select id from shop.orders where id > 1 order by id"), sources={KEY: source(manager, KEY)})

        assert load(manager, pl.DataFrame)["id"].to_list() == [2, 3]

    def test_sql_results_have_types_that_frames_have(self, manager: IOManager) -> None:
        store(manager, SQL("select interval 36 hours as span, sum(n) as total, null as nothing from range(3) t(n)"))
        [(span, total, nothing)] = load(manager, pl.DataFrame).rows()

        assert (span.total_seconds(), int(total), nothing) == (36 * 3600, 3, None)

    def test_sql_that_cannot_be_bound_is_named(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        with pytest.raises(InvalidSQLError, match=r"the SQL of asset 'made'.*amonut"):
            store(manager, SQL("select amonut from shop.orders"), AssetKey("made"), sources={KEY: source(manager, KEY)})

    def test_sql_that_fails_leaves_the_old_table(self, manager: IOManager) -> None:
        store(manager, ORDERS)

        with pytest.raises(Exception, match="abc"):
            store(manager, SQL("select cast('abc' || id as int) as id from shop.orders"), sources={KEY: source(manager, KEY)})

        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)

    def test_sql_over_a_missing_table_names_it(self, manager: IOManager) -> None:
        with pytest.raises(TableNotFoundError, match="orders"):
            store(manager, SQL("select * from shop.orders"), AssetKey("made"), sources={KEY: source(manager, KEY)})

    def test_sql_reads_tables_with_hostile_names(self, manager: IOManager) -> None:
        for number, key in enumerate(HOSTILE_KEYS):
            store(manager, pl.DataFrame({"number": [number]}), key)
        sources = {key: source(manager, key) for key in HOSTILE_KEYS}
        found = []
        for key in HOSTILE_KEYS:
            store(manager, SQL("select number from {table}", table=Table(key)), AssetKey("made"), sources=sources)
            found.append(load(manager, pl.DataFrame, AssetKey("made")).item())

        assert found == list(range(len(HOSTILE_KEYS)))


class _Elsewhere(IOManager):
    """A store that can do nothing but stream."""

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        raise NotImplementedError

    def load_input(self, context: InputContext) -> Any:
        assert context.type_hint is pa.RecordBatchReader
        return pa.table({"id": [2], "name": ["two"]}).to_reader()
