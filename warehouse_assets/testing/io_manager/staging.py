"""The promises of managers that show a table before it is published."""

from __future__ import annotations

import signal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import TableNotFoundError
from warehouse_assets.io_manager import IOManager, OutputContext
from warehouse_assets.io_manager.powers import QueriesSQL
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.elsewhere import run_elsewhere
from warehouse_assets.testing.io_manager.partitions import BY_DAY, MON, TUE, days, numbers_of
from warehouse_assets.testing.io_manager.use import (
    KEY,
    ORDERS,
    Broken,
    load,
    output_context,
    recorded,
    source,
    store,
    stream,
)

__all__ = ["AtomicStagingContract", "StagingContract"]

ONE_DAY = "select date '2024-01-01' as day, 10::bigint as n"

FORMS: dict[str, Any] = {
    "eager": lambda: days(d1=10),
    "lazy": lambda: days(d1=10).lazy(),
    "stream": lambda: stream(days(d1=10)),
    "sql": lambda: SQL(ONE_DAY),
}


def _load_and_break(manager: Any, context: OutputContext, value: Any) -> None:
    with manager.stage(context, value) as staged:
        load(staged, pl.LazyFrame)
        raise Broken


class StagingContract(Contract):
    """A staged table is seen inside of its block, and by others once that has ended well."""

    ONE_DAY = ONE_DAY
    """One row, of the first day of 2024 with the number 10, in the SQL of the store."""

    def _made(self, form: str) -> Any:
        return SQL(self.ONE_DAY) if form == "sql" else FORMS[form]()

    def peek(self, manager: IOManager, key: AssetKey) -> pl.DataFrame:
        """All rows of a table, in any order, found out behind the manager's back."""
        raise NotImplementedError

    @pytest.mark.parametrize("form", FORMS)
    def test_a_table_is_published_as_the_block_ends(self, manager: Any, form: str) -> None:
        store(manager, days(d1=1))
        context = OutputContext(KEY)
        with manager.stage(context, self._made(form)) as staged:
            seen = load(staged)
            before = numbers_of(load(manager)), dict(context.output_metadata)

        assert_frame_equal(seen, days(d1=10))
        assert before == ([1], {})
        assert (numbers_of(self.peek(manager, KEY)), recorded(context)["row_count"]) == ([10], 1)

    @pytest.mark.parametrize("form", FORMS)
    def test_a_partition_is_published_as_the_block_ends(self, manager: Any, form: str) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        context = output_context(partitions=BY_DAY(MON))
        with manager.stage(context, self._made(form)) as staged:
            seen = [numbers_of(load(staged, partitions=BY_DAY(*keys))) for keys in ((MON,), (TUE,), ())]
            whole = numbers_of(load(staged))
            before = numbers_of(load(manager)), dict(context.output_metadata)

        assert (seen, whole) == ([[10], [2], []], [2, 10])
        assert before == ([1, 2], {})
        assert numbers_of(self.peek(manager, KEY)) == [2, 10]
        assert (recorded(context)["row_count"], recorded(context)["partition_row_count"]) == (2, 1)

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("keys", [None, (MON,)], ids=["whole", "partition"])
    def test_a_block_that_raises_leaves_the_old_table(self, manager: Any, form: str, keys: tuple[str, ...] | None) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        context = output_context(partitions=None if keys is None else BY_DAY(*keys))
        with pytest.raises(Broken):
            _load_and_break(manager, context, self._made(form))

        assert numbers_of(load(manager)) == [1, 2]
        assert numbers_of(self.peek(manager, KEY)) == [1, 2]
        assert context.output_metadata == {}

        store(manager, days(d1=3))

        assert numbers_of(self.peek(manager, KEY)) == [3]

    def test_a_first_table_whose_block_raises_was_never_there(self, manager: Any) -> None:
        with pytest.raises(Broken):
            _load_and_break(manager, OutputContext(KEY), ORDERS)

        with pytest.raises(TableNotFoundError):
            load(manager)

    @pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader])
    def test_what_is_loaded_in_the_block_outlives_it(self, manager: Any, kind: Any) -> None:
        with manager.stage(OutputContext(KEY), ORDERS) as staged:
            loaded = load(staged, kind)
            again = load(staged, kind, columns=["id"])
        store(manager, ORDERS.clear())
        frames = [frame.collect() if isinstance(frame, pl.LazyFrame) else pl.DataFrame(frame) for frame in (loaded, again)]

        assert_frame_equal(frames[0], ORDERS)
        assert_frame_equal(frames[1], ORDERS.select("id"))

    def test_a_query_in_the_block_sees_the_staged_table_and_others(self, manager: Any) -> None:
        other = AssetKey(["shop", "other"])
        store(manager, days(d1=1))
        store(manager, days(d1=100), other)
        with manager.stage(OutputContext(KEY), days(d1=10)) as staged:
            assert isinstance(staged, QueriesSQL)
            sources = {key: source(manager, key) for key in (KEY, other)}
            sql = SQL("select orders.n + other.n as n from shop.orders, shop.other")
            with staged.query(sql, sources) as reader, staged.query(sql, sources) as again:
                found = [reader.read_all()["n"].to_pylist(), again.read_all()["n"].to_pylist()]

        assert found == [[110], [110]]

    def test_a_query_in_the_block_sees_the_partitions_that_are_meant(self, manager: Any) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        with manager.stage(output_context(partitions=BY_DAY(MON)), days(d1=10)) as staged:
            found = []
            for partitions in (BY_DAY(MON), BY_DAY(TUE), None):
                with staged.query(SQL("select n from shop.orders"), {KEY: source(manager, KEY, partitions)}) as reader:
                    found.append(sorted(reader.read_all()["n"].to_pylist()))

        assert found == [[10], [2], [2, 10]]

    def test_what_cannot_be_written_raises_before_the_block(self, manager: Any) -> None:
        store(manager, ORDERS)
        reached = []
        with pytest.raises(Exception, match="returned a value of type int"), manager.stage(OutputContext(KEY), 3):
            reached.append(True)

        assert reached == []
        assert_frame_equal(load(manager), ORDERS)


class AtomicStagingContract(Contract):
    """What is staged is gone with the process that staged it; the manager's repr builds it again in another process."""

    ROWS = 300_000

    def peek(self, manager: IOManager, key: AssetKey) -> pl.DataFrame:
        """All rows of a table, in any order, found out behind the manager's back."""
        raise NotImplementedError

    @pytest.mark.parametrize("partitions", ["None", "BY_DAY('2024-01-01')"], ids=["whole", "partition"])
    def test_a_process_killed_in_the_block_leaves_the_old_table(self, manager: IOManager, partitions: str) -> None:
        killed = run_elsewhere(
            manager,
            f"""
            store(manager, days(d1=1, d2=2), partitions=BY_DAY("2024-01-01", "2024-01-02"))
            with manager.stage(output_context(partitions={partitions}), days(d1=list(range({self.ROWS})))) as staged:
                assert load(staged).height >= {self.ROWS}
                os.kill(os.getpid(), signal.SIGKILL)
            """,
        )

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert numbers_of(load(manager)) == [1, 2]

        store(manager, days(d1=3))

        assert numbers_of(self.peek(manager, KEY)) == [3]
