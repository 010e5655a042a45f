"""The promises of managers that keep the rows of a table when new ones come: append, upsert, delete_insert and snapshot."""

from __future__ import annotations

import datetime as dt
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import OutsidePartitionError, RowKeyError, SchemaChangedError, TableNotFoundError
from warehouse_assets.io_manager import IOManager, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import WriteMode, delete_insert, snapshot, upsert
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.elsewhere import run_elsewhere
from warehouse_assets.testing.io_manager.partitions import BY_DAY, MON, TUE, days, numbers_of
from warehouse_assets.testing.io_manager.use import (
    KEY,
    Broken,
    load,
    options,
    output_context,
    source,
    store,
    stream,
)

__all__ = ["AtomicWriteModeContract", "WriteModeContract"]

NEW = AssetKey(["shop", "new"])
APPEND = WriteMode("append")
DAY = dt.date(2024, 1, 1)

MODES = {"append": APPEND, "upsert": upsert("id"), "delete_insert": delete_insert("day"), "snapshot": snapshot("id")}
TIMES = ["valid_from", "valid_to"]


def orders(*rows: tuple[int | None, int | None, str | None]) -> pl.DataFrame:
    """Orders: the id, the day of January and the state of each."""
    data = [
        (order, None if day is None else DAY.replace(day=day), state, None if order is None else order / 2)
        for order, day, state in rows
    ]
    return pl.DataFrame(data, schema={"id": pl.Int64, "day": pl.Date, "state": pl.String, "amount": pl.Float64}, orient="row")


OLD = orders((1, 1, "a"), (2, 1, None), (3, 2, "c"), (4, None, "d"))
CHANGED = orders((2, 1, "b"), (3, 2, "c"), (5, None, None))

AFTER = {
    "append": [*OLD.rows(), *CHANGED.rows()],
    "upsert": [*orders((1, 1, "a"), (4, None, "d")).rows(), *CHANGED.rows()],
    "delete_insert": CHANGED.rows(),  # of both days, and of none
    "snapshot": [*OLD.rows(), *orders((2, 1, "b"), (5, None, None)).rows()],
}


def _in_form(manager: IOManager, frame: pl.DataFrame, form: str) -> tuple[Any, dict[str, Any]]:
    """A frame as it may be returned, and how it is stored."""
    match form:
        case "lazy":
            return frame.lazy(), {}
        case "arrow":
            return frame.to_arrow(), {}
        case "stream":
            return stream(frame), {}
        case "sql":
            store(manager, frame, NEW)
            return SQL("select * from shop.new"), {"sources": {NEW: source(manager, NEW)}}
    return frame, {}


def _sorted(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


def _utc(moment: Any) -> dt.datetime:
    """A time as it is read, with or without its zone, which is UTC."""
    assert isinstance(moment, dt.datetime)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


class WriteModeContract(Contract):
    """Rows are appended, replaced by their key or by some columns, or kept with the times in which they were valid.

    Each is one write: readers see the table before or after it, and what is recorded is measured of the whole table.
    """

    @pytest.fixture
    def manager(self) -> IOManager:
        """The manager under test, new and empty: override this."""
        raise NotImplementedError

    def peek(self, manager: IOManager, key: AssetKey) -> pl.DataFrame:
        """All rows of a table, in any order, found out behind the manager's back."""
        raise NotImplementedError

    def _rows(self, manager: IOManager) -> list[tuple[Any, ...]]:
        """All rows, without the times of a snapshot, sorted."""
        return _sorted(load(manager).select(OLD.columns).rows())

    def _count(self, manager: IOManager) -> int:
        return self.peek(manager, KEY).height

    @pytest.mark.parametrize("form", ["eager", "lazy", "arrow", "stream", "sql"])
    @pytest.mark.parametrize("mode", MODES)
    def test_a_second_write_does_what_its_mode_says(self, manager: IOManager, mode: str, form: str) -> None:
        first = store(manager, OLD, **options(MODES[mode]))
        value, how = _in_form(manager, CHANGED, form)
        second = store(manager, value, **how, **options(MODES[mode]))

        assert self._rows(manager) == _sorted(AFTER[mode])
        assert (first["row_count"], second["row_count"]) == (OLD.height, len(AFTER[mode]))
        assert self._count(manager) == len(AFTER[mode])

    @pytest.mark.parametrize("form", ["lazy", "stream", "sql"])
    @pytest.mark.parametrize("mode", MODES)
    def test_the_first_write_makes_the_table(self, manager: IOManager, mode: str, form: str) -> None:
        value, how = _in_form(manager, OLD, form)
        recorded = store(manager, value, **how, **options(MODES[mode]))

        columns = OLD.columns + TIMES * (mode == "snapshot")
        assert self._rows(manager) == _sorted(OLD.rows())
        assert (recorded["row_count"], [column.name for column in recorded["column_schema"]]) == (OLD.height, columns)

    @pytest.mark.parametrize("mode", MODES)
    def test_columns_have_the_types_they_had(self, manager: IOManager, mode: str) -> None:
        store(manager, OLD)
        types = load(manager).schema
        store(manager, OLD.clear(), NEW, **options(MODES[mode]))
        store(manager, OLD, NEW, **options(MODES[mode]))
        store(manager, CHANGED, NEW, **options(MODES[mode]))

        assert load(manager, key=NEW).select(OLD.columns).schema == types

    @pytest.mark.parametrize("mode", MODES)
    def test_no_rows_change_nothing_unless_they_are_the_whole_state(self, manager: IOManager, mode: str) -> None:
        for rows in (OLD.clear(), OLD, OLD.clear()):
            store(manager, rows, **options(MODES[mode]))

        present = load(manager)["valid_to"].null_count() if mode == "snapshot" else OLD.height
        assert self._rows(manager) == _sorted(OLD.rows())
        assert present == (0 if mode == "snapshot" else OLD.height)

    @pytest.mark.parametrize("mode", ["upsert", "delete_insert", "snapshot"])
    def test_the_same_rows_again_change_nothing(self, manager: IOManager, mode: str) -> None:
        store(manager, OLD, **options(MODES[mode]))
        before = load(manager)
        recorded = store(manager, OLD, **options(MODES[mode]))

        assert_frame_equal(load(manager), before, check_row_order=False)
        assert recorded["row_count"] == OLD.height

    @pytest.mark.parametrize("mode", MODES)
    def test_columns_go_by_name(self, manager: IOManager, mode: str) -> None:
        store(manager, OLD, **options(MODES[mode]))
        store(manager, CHANGED.select(reversed(OLD.columns)), **options(MODES[mode]))

        assert self._rows(manager) == _sorted(AFTER[mode])

    @pytest.mark.parametrize("form", ["eager", "stream", "sql"])
    @pytest.mark.parametrize("mode", ["upsert", "snapshot"])
    @pytest.mark.parametrize(
        ("order", "said"), [(None, "'id' is NULL"), (2, "two rows whose 'id' is 2")], ids=["null", "twice"]
    )
    def test_a_key_that_tells_no_row_is_refused(self, manager: IOManager, mode: str, form: str, order: Any, said: str) -> None:
        value, how = _in_form(manager, pl.concat([CHANGED, orders((order, 1, "x"))]), form)
        with pytest.raises(RowKeyError, match=f"'shop/orders' is written by {mode}.*{said}"):
            store(manager, value, **how, **options(MODES[mode]))
        with pytest.raises(TableNotFoundError):
            load(manager)
        store(manager, OLD, **options(MODES[mode]))
        value, how = _in_form(manager, pl.concat([CHANGED, orders((order, 1, "x"))]), form)
        with pytest.raises(RowKeyError):
            store(manager, value, **how, **options(MODES[mode]))

        assert self._rows(manager) == _sorted(OLD.rows())

    def test_several_columns_may_be_the_key(self, manager: IOManager) -> None:
        mode = upsert(["id", "day"])
        store(manager, OLD[:3], **options(mode))
        store(manager, orders((1, 1, "x"), (1, 2, "y")), **options(mode))

        assert self._rows(manager) == _sorted([*OLD[1:3].rows(), *orders((1, 1, "x"), (1, 2, "y")).rows()])

    def test_several_columns_may_tell_what_is_replaced(self, manager: IOManager) -> None:
        mode = delete_insert(["day", "state"])
        store(manager, OLD, **options(mode))
        store(manager, orders((9, 1, None), (8, None, "x")), **options(mode))

        assert self._rows(manager) == _sorted(
            [*OLD.filter(pl.col("id") != 2).rows(), *orders((9, 1, None), (8, None, "x")).rows()]
        )

    @pytest.mark.parametrize("mode", [upsert("nr"), delete_insert("nr"), snapshot("nr")], ids=str)
    def test_a_key_that_is_no_column_is_named(self, manager: IOManager, mode: WriteMode) -> None:
        with pytest.raises(SchemaChangedError, match=r"'shop/orders' is written by .*no column 'nr'"):
            store(manager, OLD, **options(mode))

    def test_names_may_hold_anything(self, manager: IOManager) -> None:
        odd, old = 'it\'s "id" %', pl.DataFrame({"id": [1, 2], "select": ["a", "b"]})
        frames = [old, pl.DataFrame({"id": [2, 3], "select": ["x", "y"]})]
        for frame in frames:
            store(manager, frame.rename({"id": odd}), **options(upsert(odd)))
            store(manager, frame.rename({"id": odd}), NEW, **options(snapshot(odd, valid_from="from", valid_to="to : $now")))

        assert sorted(load(manager).rows()) == [(1, "a"), (2, "x"), (3, "y")]
        assert load(manager, key=NEW).filter(pl.col("to : $now").is_null()).select(odd, "select").sort(odd).rows() == [
            (2, "x"),
            (3, "y"),
        ]

    @pytest.mark.parametrize("mode", ["append", "upsert", "delete_insert"])
    def test_threads_lose_no_rows(self, manager: IOManager, mode: str) -> None:
        store(manager, OLD.clear(), **options(MODES[mode]))

        def work(number: int) -> None:
            store(manager, orders((number, number, "x")), **options(MODES[mode]))

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(1, 13)))

        assert self._rows(manager) == _sorted([row for number in range(1, 13) for row in orders((number, number, "x")).rows()])

    @pytest.mark.parametrize("mode", MODES)
    def test_a_write_of_everything_replaces_it_all(self, manager: IOManager, mode: str) -> None:
        store(manager, OLD, **options(MODES[mode]))
        store(manager, days(d1=1))

        assert_frame_equal(load(manager), days(d1=1))

    # snapshots

    def test_a_snapshot_tells_from_when_to_when_rows_were_valid(self, manager: IOManager) -> None:
        moments = [dt.datetime.now(dt.UTC)]
        for rows in (OLD, CHANGED, OLD):
            store(manager, rows, **options(snapshot("id")))
            moments.append(dt.datetime.now(dt.UTC))
        history: dict[int, list[tuple[str | None, int, int | None]]] = {}

        def write_of(moment: Any) -> int | None:
            return None if moment is None else sum(_utc(moment) >= each for each in moments)

        for row in load(manager).sort("id", "valid_from").iter_rows(named=True):
            history.setdefault(row["id"], []).append(
                (row["state"], write_of(row["valid_from"]) or 0, write_of(row["valid_to"]))
            )

        assert history == {
            1: [("a", 1, 2), ("a", 3, None)],
            2: [(None, 1, 2), ("b", 2, 3), (None, 3, None)],
            3: [("c", 1, None)],
            4: [("d", 1, 2), ("d", 3, None)],
            5: [(None, 2, 3)],
        }

    def test_one_write_of_a_snapshot_has_one_time(self, manager: IOManager) -> None:
        store(manager, OLD, **options(snapshot("id")))
        store(manager, CHANGED, **options(snapshot("id")))
        table = load(manager)

        assert table["valid_from"].n_unique() == 2
        assert set(table["valid_to"].drop_nulls()) == {table["valid_from"].max()}

    def test_the_times_of_a_snapshot_are_not_given(self, manager: IOManager) -> None:
        with pytest.raises(SchemaChangedError, match=r"'shop/orders' is written by snapshot.*a column 'valid_to'"):
            store(manager, OLD.with_columns(valid_to=None), **options(snapshot("id")))

    # columns that change

    @pytest.mark.parametrize("change", ["new", "missing", "another type"])
    @pytest.mark.parametrize("mode", MODES)
    def test_other_columns_fail_by_default(self, manager: IOManager, mode: str, change: str) -> None:
        store(manager, OLD, **options(MODES[mode]))
        frame = {
            "new": CHANGED.with_columns(more=1),
            "missing": CHANGED.drop("amount"),
            "another type": CHANGED.with_columns(amount=pl.lit("much")),
        }[change]
        with pytest.raises(SchemaChangedError, match=r"'shop/orders' .*'(more|amount)'"):
            store(manager, frame, **options(MODES[mode]))

        assert self._rows(manager) == _sorted(OLD.rows())

    @pytest.mark.parametrize("mode", ["append", "upsert", "delete_insert"])
    def test_append_adds_columns_and_fills_missing_ones(self, manager: IOManager, mode: str) -> None:
        store(manager, OLD, **options(MODES[mode]))
        store(manager, CHANGED.drop("amount").with_columns(more=7), **options(MODES[mode], schema_policy="append"))
        table = load(manager)
        found = {
            row["id"]: (row["amount"], row["more"]) for row in table.filter(pl.col("id").is_in([1, 5])).iter_rows(named=True)
        }

        assert found == {5: (None, 7)} | ({} if mode == "delete_insert" else {1: (0.5, None)})
        assert table.height == len(AFTER[mode])

    def test_append_adds_columns_to_a_snapshot(self, manager: IOManager) -> None:
        store(manager, OLD, **options(snapshot("id")))
        store(manager, OLD.with_columns(more=pl.when(id=1).then(7)), **options(snapshot("id"), schema_policy="append"))
        table = load(manager).sort("id", "valid_from")

        assert table.select("id", "more").rows() == [(1, None), (1, 7), (2, None), (3, None), (4, None)]
        assert table["valid_to"].null_count() == 4

    # what fails

    @pytest.mark.parametrize("good", range(3))
    @pytest.mark.parametrize("mode", MODES)
    def test_a_stream_that_breaks_leaves_the_old_table(self, manager: IOManager, mode: str, good: int) -> None:
        store(manager, OLD, **options(MODES[mode]))

        def breaking() -> Iterator[pa.RecordBatch]:
            for number in range(good):
                yield from orders((100 + number, 1, "x")).to_arrow().to_batches()
            raise Broken("half way")

        with pytest.raises(Exception, match="half way"):
            store(manager, pa.RecordBatchReader.from_batches(OLD.to_arrow().schema, breaking()), **options(MODES[mode]))

        assert self._rows(manager) == _sorted(OLD.rows())

    @pytest.mark.parametrize("mode", MODES)
    def test_what_a_check_refuses_is_not_published(self, manager: Any, mode: str) -> None:
        store(manager, OLD, **options(MODES[mode]))
        seen: list[Any] = []

        def refuse(context: OutputContext) -> None:
            with manager.stage(context, CHANGED) as staged:
                seen.extend(load(staged).select(OLD.columns).rows())
                raise Broken

        with pytest.raises(Broken):
            refuse(output_context(**options(MODES[mode])))

        assert _sorted(seen) == _sorted(AFTER[mode])
        assert self._rows(manager) == _sorted(OLD.rows())

    # partitions

    def test_a_partition_is_appended_to(self, manager: IOManager) -> None:
        for frame, key in ((days(d1=1), MON), (days(d2=2), TUE), (days(d1=[3, 4]), MON)):
            recorded = store(manager, frame, partitions=BY_DAY(key), **options(APPEND))

        assert numbers_of(self.peek(manager, KEY)) == [1, 2, 3, 4]
        assert (recorded["row_count"], recorded["partition_row_count"]) == (4, 3)

    def test_a_key_tells_rows_apart_in_the_partition(self, manager: IOManager) -> None:
        for key, frame in ((MON, days(d1=[1, 2])), (TUE, days(d2=[1, 2])), (MON, days(d1=[2, 3]))):
            recorded = store(manager, frame, partitions=BY_DAY(key), **options(upsert("n")))

        assert numbers_of(self.peek(manager, KEY)) == [1, 1, 2, 2, 3]
        assert (recorded["row_count"], recorded["partition_row_count"]) == (5, 3)

    def test_columns_tell_what_is_replaced_in_the_partition(self, manager: IOManager) -> None:
        for key, frame in ((MON, days(d1=[1, 2, 2])), (TUE, days(d2=[2])), (MON, days(d1=[2]))):
            store(manager, frame, partitions=BY_DAY(key), **options(delete_insert("n")))

        assert numbers_of(self.peek(manager, KEY)) == [1, 2, 2]

    @pytest.mark.parametrize("mode", ["replace", "delete_insert"])
    def test_a_partition_is_replaced(self, manager: IOManager, mode: Any) -> None:
        for key, frame in ((MON, days(d1=[1, 2])), (TUE, days(d2=[2])), (MON, days(d1=[3]))):
            store(manager, frame, partitions=BY_DAY(key), **options(mode))

        assert numbers_of(self.peek(manager, KEY)) == [2, 3]

    @pytest.mark.parametrize("mode", [APPEND, upsert("n"), delete_insert("n")], ids=str)
    def test_rows_of_another_partition_are_refused(self, manager: IOManager, mode: WriteMode) -> None:
        store(manager, days(d1=1), partitions=BY_DAY(MON), **options(mode))
        with pytest.raises(OutsidePartitionError, match="2024-01-02"):
            store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON), **options(mode))

        assert numbers_of(self.peek(manager, KEY)) == [1]

    # the order of rows

    @pytest.mark.parametrize("form", ["eager", "lazy", "stream", "sql"])
    def test_rows_are_sorted_as_they_are_written(self, manager: IOManager, form: str) -> None:
        value, how = _in_form(manager, OLD.sample(fraction=1, shuffle=True, seed=3), form)
        store(manager, value, **how, **options(sort_by=["day", "id"]))

        assert load(manager)["id"].to_list() in ([1, 2, 3, 4], [4, 1, 2, 3])  # NULL comes first or last


class AtomicWriteModeContract(Contract):
    """A process that is killed leaves the old rows, whatever the mode; the manager's repr builds it again in another process."""

    @pytest.mark.parametrize("batch", range(3))
    @pytest.mark.parametrize("mode", MODES)
    def test_a_process_killed_while_it_merges_leaves_the_old_table(self, manager: IOManager, mode: str, batch: int) -> None:
        killed = run_elsewhere(
            manager,
            f"""
            from warehouse_assets.testing.io_manager.write_modes import MODES, OLD

            def batches():
                for number in range(2):
                    if number == {batch}:
                        os.kill(os.getpid(), signal.SIGKILL)
                    yield from OLD.with_columns(id=pl.col("id") + 10 * number).to_arrow().to_batches()

            more = options(MODES[{mode!r}])
            store(manager, OLD, **more)
            with manager.stage(output_context(**more), pa.RecordBatchReader.from_batches(OLD.to_arrow().schema, batches())):
                os.kill(os.getpid(), signal.SIGKILL)
            """,
        )

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert _sorted(load(manager).select(OLD.columns).rows()) == _sorted(OLD.rows())

        store(manager, CHANGED, **options(MODES[mode]))

        assert load(manager).height == len(AFTER[mode])
