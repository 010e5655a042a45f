"""The promises of managers that keep tables, in a place that outlives the process or not."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.io_manager import IOManager
from warehouse_assets.keys import AssetKey
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.elsewhere import run_elsewhere
from warehouse_assets.testing.io_manager.frames import FrameContract
from warehouse_assets.testing.io_manager.use import FORMS, KEY, ORDERS, Broken, load, store

__all__ = ["AtomicContract", "TableContract"]


class TableContract(FrameContract):
    """Only tables are kept, and each write is measured by the store."""

    BATCH = 100_000  # rows of a stream that come at once, of which forty would be seen in the memory

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
                yield pa.record_batch({"id": pa.array(range(self.BATCH), pa.int64())})

        before = pa.total_allocated_bytes()
        store(manager, pa.RecordBatchReader.from_batches(pa.schema({"id": pa.int64()}), counted()))

        assert max(alive) - before < 40 * self.BATCH * 8 / 2


class AtomicContract(Contract):
    """A write happens at once or not at all; the manager's repr builds it again in another process."""

    BATCHES = 4
    ROWS = 300_000  # of a batch; all of them are more than a store may gather before it writes

    def debris(self, manager: IOManager) -> set[str]:
        """What is visible in the store beside the table of `KEY`, found out behind the manager's back."""
        raise NotImplementedError

    @pytest.mark.parametrize("good", range(4))
    def test_a_stream_that_breaks_leaves_the_old_table(self, manager: IOManager, good: int) -> None:
        store(manager, ORDERS)

        def breaking() -> Iterator[pa.RecordBatch]:
            yield from [pa.record_batch({"id": list(range(self.ROWS))})] * good
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
        killed = run_elsewhere(
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
        failed = run_elsewhere(
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
