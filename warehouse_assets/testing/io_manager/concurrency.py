"""The promises of managers that are called by several threads and processes at once."""

from __future__ import annotations

import datetime as dt
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import polars as pl

from warehouse_assets.errors import TableError
from warehouse_assets.io_manager import IOManager
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.periodic import HourlyPartitionsDefinition
from warehouse_assets.table_options import upsert
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager.elsewhere import beside_each_other, run_elsewhere
from warehouse_assets.testing.io_manager.partitions import BY_DAY, days
from warehouse_assets.testing.io_manager.use import KEY, Partitions, load, options, store

__all__ = ["ConcurrencyContract", "SharedTableContract"]

THREADS = 8
HOURS = [f"2024-01-01-{hour:02}:00" for hour in range(24)]
BY_HOUR = Partitions(HourlyPartitionsDefinition("2024-01-01-00:00"), "at")


class ConcurrencyContract(Contract):
    """Threads and processes write at once, and none loses what another wrote; the manager's repr builds it again elsewhere."""

    def test_a_day_of_partitions_written_twice_in_random_order_is_exactly_the_second(self, manager: IOManager) -> None:
        def write(work: tuple[int, int]) -> None:
            number, hour = work
            start = dt.datetime.combine(dt.date(2024, 1, 1), dt.time(hour))
            moments = [start + dt.timedelta(minutes=minute) for minute in range(number, 60)]
            frame = pl.DataFrame({"at": moments, "round": [number] * len(moments)})
            store(manager, frame, partitions=BY_HOUR(HOURS[hour]))

        order = random.Random(24)
        with ThreadPoolExecutor(THREADS) as threads:
            for number in (1, 2):
                list(threads.map(write, order.sample([(number, hour) for hour in range(24)], 24)))
        found = load(manager, pl.DataFrame, partitions=BY_HOUR(*HOURS)).sort("at")

        assert found.group_by("round").len().rows() == [(2, 24 * 58)]
        assert found["at"].n_unique() == 24 * 58

    def test_threads_make_tables_in_new_schemas(self, manager: IOManager) -> None:
        keys = [AssetKey([f"schema {number % 3}", f"table {number}"]) for number in range(16)]

        def write(number: int) -> None:
            for length in (500, 1000 + number):
                store(manager, pl.DataFrame({"n": range(length)}), keys[number])

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(write, range(16)))

        assert [load(manager, key=key).height for key in keys] == [1000 + number for number in range(16)]

    def test_threads_read_a_table_while_one_replaces_it(self, manager: IOManager) -> None:
        store(manager, _round(0))
        done = False

        def read(_: int) -> set[int]:
            seen = set()
            while not done:
                frame = load(manager)
                assert frame.height == 1000
                [number] = frame["round"].unique()
                seen.add(number)
            return seen

        with ThreadPoolExecutor(4) as threads:
            reading = [threads.submit(read, number) for number in range(3)]
            try:
                for number in range(1, 8):
                    store(manager, _round(number))
            finally:
                done = True
            seen = set().union(*(reader.result() for reader in reading))

        assert seen <= set(range(8))
        assert load(manager)["round"].unique().to_list() == [7]

    def test_two_processes_replace_tables_beside_each_other(self, manager: IOManager) -> None:
        script = """
            import sys
            from warehouse_assets.keys import AssetKey

            for number in range(3):
                store(manager, pl.DataFrame({"n": [number] * 1000}), AssetKey(["shop", sys.argv[1]]))
                store(manager, pl.DataFrame({"n": [sys.argv[1]] * 1000}))
        """
        beside_each_other(manager, script, "a", "b")

        assert [load(manager, key=AssetKey(["shop", name]))["n"].unique().item() for name in ("a", "b")] == [2, 2]
        assert load(manager, key=KEY)["n"].unique().item() in ("a", "b")


class SharedTableContract(Contract):
    """Processes that keep the rows of one table lose none of each other's; the manager's repr builds it again elsewhere."""

    def test_rows_that_two_processes_append_are_all_there(self, manager: IOManager) -> None:
        script = """
            import sys

            for number in range(4):
                store(manager, pl.DataFrame({"n": [int(sys.argv[1]) + number]}), **options("append"))
        """
        beside_each_other(manager, script, "10", "20")

        assert sorted(load(manager)["n"]) == [10, 11, 12, 13, 20, 21, 22, 23]

    def test_rows_that_two_processes_update_are_there_once(self, manager: IOManager) -> None:
        script = """
            import sys
            from warehouse_assets.table_options import upsert

            for number in range(4):
                frame = pl.DataFrame({"id": [0, int(sys.argv[1]) + number], "by": [sys.argv[1]] * 2})
                store(manager, frame, **options(upsert("id")))
        """
        beside_each_other(manager, script, "10", "20")
        found = load(manager).sort("id")

        assert found["id"].to_list() == [0, 10, 11, 12, 13, 20, 21, 22, 23]
        assert found["by"].to_list()[1:] == ["10"] * 4 + ["20"] * 4

    def test_rows_that_two_processes_append_to_one_partition_are_all_there(self, manager: IOManager) -> None:
        script = """
            import sys

            for number in range(3):
                frame = days(d1=int(sys.argv[1]) + number)
                store(manager, frame, partitions=BY_DAY("2024-01-01"), **options("append"))
        """
        store(manager, days(d1=1, d2=2), partitions=BY_DAY("2024-01-01", "2024-01-02"))
        beside_each_other(manager, script, "10", "20")

        assert sorted(load(manager)["n"]) == [1, 2, 10, 11, 12, 20, 21, 22]

    def test_a_replacement_takes_what_was_appended_before_it_and_no_more(self, manager: IOManager) -> None:
        def replace_it() -> None:
            for number in (1, 2):
                store(manager, pl.DataFrame({"n": [-number] * 5}))

        def append_to_it() -> None:
            for number in range(1, 5):
                with suppress(TableError):  # which says that nothing was written
                    store(manager, pl.DataFrame({"n": [number]}), **options("append"))
                    written.append(number)

        written: list[int] = []
        store(manager, pl.DataFrame({"n": [-9]}))
        with ThreadPoolExecutor(2) as threads:
            for work in [threads.submit(replace_it), threads.submit(append_to_it)]:
                work.result()
        found = sorted(load(manager)["n"])
        appended = found[5:]

        assert found[:5] == [-2] * 5
        assert appended == written[len(written) - len(appended) :]

    def test_a_process_killed_while_it_writes_keeps_nobody_from_it(self, manager: IOManager) -> None:
        store(manager, pl.DataFrame({"id": [1], "n": [1]}), **options(upsert("id")))
        killed = run_elsewhere(
            manager,
            """
            from warehouse_assets.table_options import upsert

            with manager.stage(output_context(**options(upsert("id"))), pl.DataFrame({"id": [1], "n": [2]})):
                os.kill(os.getpid(), signal.SIGKILL)
            """,
        )
        before = load(manager).rows()
        store(manager, pl.DataFrame({"id": [2], "n": [3]}), **options(upsert("id")))

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert before == [(1, 1)]
        assert sorted(load(manager).rows()) == [(1, 1), (2, 3)]


def _round(number: int) -> pl.DataFrame:
    return pl.DataFrame({"round": [number] * 1000})
