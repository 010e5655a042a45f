"""The promises of an event log as tests: derive a class from one of these, and say how a log is opened.

class TestMyEventLog(PersistentEventLogContract):
    @pytest.fixture
    def open_log(self, tmp_path):
        return functools.partial(MyEventLog, tmp_path / "log")
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from warehouse_assets.column_lineage import TableColumnDep, TableColumnLineage
from warehouse_assets.errors import InstanceError, RunNotFoundError
from warehouse_assets.events import AssetMaterialization, AssetObservation, ErrorInfo, Event, EventType, RunRecord
from warehouse_assets.instance import EventFilter, EventLog, RunFilter
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue
from warehouse_assets.tables import TableColumn, TableSchema
from warehouse_assets.testing.automation_events import AutomationContract
from warehouse_assets.testing.check_events import CheckEventsContract
from warehouse_assets.testing.dynamic_partitions import DynamicPartitionsPromises
from warehouse_assets.testing.partition_events import PartitionEventsContract
from warehouse_assets.testing.rival_processes import RivalProcessesContract
from warehouse_assets.testing.upkeep_events import UpkeepContract

__all__ = ["EventLogContract", "OpenLog", "PersistentEventLogContract", "materialization", "observation", "unnumbered"]

OpenLog: TypeAlias = Callable[[], EventLog]

MADE: EventType = "ASSET_MATERIALIZATION"
SEEN: EventType = "ASSET_OBSERVATION"
ORDERS, CUSTOMERS = AssetKey(["staging", "orders"]), AssetKey(["staging", "customers"])

HOSTILE_TEXTS = [
    'it\'s "quoted"',
    "'; DROP TABLE events; --",
    "back\\slash / slash",
    "line\nbreak\r\ttab",
    "100 % _ ? :name {brace}",
    "été 表 🦆 \u202e",
    "\ue000\u2028",
    "  spaces  ",
    "nul\0 and more",
    "null",
    "x" * 5_000,
]

METADATA: dict[str, MetadataValue] = {
    "int": MetadataValue.int(2**70),
    "float": MetadataValue.float(0.1),
    "infinite": MetadataValue.float(float("-inf")),
    "text": MetadataValue.text("some\0text"),
    "no text": MetadataValue.text(""),
    "half a character": MetadataValue.path("/data/\udcff.csv"),
    "md": MetadataValue.md("**bold**"),
    "json": MetadataValue.json({"a": [1, 2.5, None, True, {"b": "c"}]}),
    "url": MetadataValue.url("https://example.org/?a=b&c=d"),
    "path": MetadataValue.path("/tmp/x"),
    "bool": MetadataValue.bool(False),
    "null": MetadataValue.null(),
    "timestamp": MetadataValue.timestamp(1_700_000_000.123456),
    "asset": MetadataValue.asset(AssetKey(["a/b", "c\\d"])),
    "run": MetadataValue.run("r1"),
    "table": MetadataValue.table([{"a": 1, "b": None}, {"a": 2, "b": "x"}]),
    "table_schema": MetadataValue.table_schema(TableSchema((TableColumn("a", "BIGINT", False, "the key"),))),
    "column_lineage": MetadataValue.column_lineage(
        TableColumnLineage(
            {"a": [TableColumnDep(ORDERS, "id"), TableColumnDep(CUSTOMERS, "id")], "b": []},
            {"a": "derived", "b": "direct"},
            [TableColumnDep(ORDERS, "day")],
            {"b": "a function makes it"},
        )
    ),
}


def materialization(key: AssetKey, partition: str | None = None, *, run_id: str = "r1", at: float = 0.0) -> Event:
    """The event of a materialization."""
    return Event(MADE, run_id, at, data=AssetMaterialization(key, partition=partition))


def observation(key: AssetKey, *, run_id: str = "r1", at: float = 0.0) -> Event:
    """The event of an observation."""
    return Event(SEEN, run_id, at, data=AssetObservation(key))


def unnumbered(events: list[Event]) -> list[Event]:
    """Events as they were before they were stored."""
    return [replace(event, storage_id=None) for event in events]


class EventLogContract(
    CheckEventsContract, PartitionEventsContract, DynamicPartitionsPromises, AutomationContract, UpkeepContract
):
    """What every event log promises. A subclass gives the fixture `open_log`: a call without arguments that opens the log."""

    @pytest.fixture
    def open_log(self) -> OpenLog:
        """How the log is opened; picklable, and the same log each time, where it is kept outside of the process."""
        raise NotImplementedError

    @pytest.fixture
    def log(self, open_log: OpenLog) -> Iterator[EventLog]:
        """A new log."""
        log = open_log()
        yield log
        log.close()

    # Events

    def test_events_come_back_as_they_were_and_in_order(self, log: EventLog) -> None:
        error = ErrorInfo("ValueError", "no such day", "Traceback …", {"day": MetadataValue.int(31)})
        events = [
            Event("RUN_START", "r1", 5.5),
            Event("STEP_START", "r1", 4.25, step_key="orders"),
            Event("LOG", "r1", 3.0, step_key="orders", message="12 rows"),
            Event(MADE, "r1", 2.0, "orders", None, AssetMaterialization(ORDERS, "all", {}, "2024-01-01", {"v": "1"})),
            Event(SEEN, "", 1.0, data=AssetObservation(CUSTOMERS)),
            Event("STEP_FAILURE", "r1", 0.0, "orders", "failed", error),
        ]

        log.store_events(events[:4])
        log.store_events(events[4:])

        assert unnumbered(log.get_events()) == events

    def test_storage_ids_grow(self, log: EventLog) -> None:
        for _ in range(3):
            log.store_events([Event("LOG", "r1", 0.0), Event("LOG", "r2", 0.0)])

        ids = [event.storage_id or 0 for event in log.get_events()]

        assert ids == sorted(set(ids))
        assert ids[0] > 0

    def test_a_batch_that_fails_stores_nothing(self, log: EventLog) -> None:
        log.add_run(RunRecord("r1", "QUEUED", 0.0))

        def fails_midway() -> Iterator[Event]:
            yield Event("RUN_START", "r1", 1.0)
            yield materialization(ORDERS)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            log.store_events(fails_midway())

        assert log.get_events() == []
        assert log.get_latest(MADE, [ORDERS]) == {}
        assert log.get_run("r1") == RunRecord("r1", "QUEUED", 0.0)

    def test_an_empty_batch_is_nothing(self, log: EventLog) -> None:
        log.store_events([])

        assert log.get_events() == []

    @pytest.mark.parametrize("name", METADATA)
    def test_every_kind_of_metadata_is_kept(self, log: EventLog, name: str) -> None:
        event = Event(MADE, "r1", 0.0, data=AssetMaterialization(ORDERS, metadata={name: METADATA[name]}))

        log.store_events([event])

        assert unnumbered(log.get_events()) == [event]

    @pytest.mark.parametrize("text", HOSTILE_TEXTS)
    def test_any_text_is_kept_and_found(self, log: EventLog, text: str) -> None:
        key = AssetKey([text, text])
        data = AssetMaterialization(key, text, {text: MetadataValue.text(text)}, text, {text: text})
        event = Event(MADE, text, 0.0, text, text, data)
        run = RunRecord(text, "QUEUED", 0.0, None, None, text, {text: text}, (key,), {text: text})

        log.add_run(run)
        log.store_events([event])

        assert log.get_run(text) == run
        assert unnumbered(log.get_events(EventFilter(run_id=text, asset_key=key))) == [event]
        assert unnumbered([log.get_latest(MADE, [key], text)[key]]) == [event]
        assert set(log.get_partitions(MADE, key)) == {text}

    def test_large_metadata_is_kept(self, log: EventLog) -> None:
        columns = tuple(TableColumn(f"column {n}", "VARCHAR", True, "d" * 100) for n in range(10_000))
        metadata = {"schema": MetadataValue.table_schema(TableSchema(columns)), "text": MetadataValue.text("é" * 2_000_000)}
        event = Event(MADE, "r1", 0.0, data=AssetMaterialization(ORDERS, metadata=metadata))

        log.store_events([event])

        assert unnumbered(log.get_events()) == [event]

    @pytest.mark.parametrize(
        ("where", "numbers"),
        [
            (EventFilter(), [0, 1, 2, 3, 4, 5]),
            (EventFilter(run_id="r2"), [3, 4, 5]),
            (EventFilter(run_id="r3"), []),
            (EventFilter(asset_key=ORDERS), [1, 3, 4]),
            (EventFilter(asset_key=AssetKey("orders")), []),
            (EventFilter(run_id="r2", asset_key=ORDERS), [3, 4]),
            (EventFilter(event_types={MADE}), [1, 2, 3]),
            (EventFilter(event_types=["LOG", SEEN]), [0, 4, 5]),
            (EventFilter("r2", ORDERS, (SEEN,)), [4]),
        ],
    )
    def test_events_are_filtered(self, log: EventLog, where: EventFilter, numbers: list[int]) -> None:
        events = [
            Event("LOG", "r1", 0.0),
            materialization(ORDERS),
            materialization(CUSTOMERS),
            materialization(ORDERS, run_id="r2"),
            observation(ORDERS, run_id="r2"),
            Event("LOG", "r2", 0.0),
        ]
        log.store_events(events)

        assert unnumbered(log.get_events(where)) == [events[number] for number in numbers]
        assert unnumbered(log.get_events(where, ascending=False)) == [events[number] for number in reversed(numbers)]
        assert unnumbered(log.get_events(where, limit=2)) == [events[number] for number in numbers[:2]]
        assert log.get_events(where, limit=0) == []

    @pytest.mark.parametrize("run_id", [None, "r1"])
    def test_events_are_paged_in_both_directions(self, log: EventLog, run_id: str | None) -> None:
        log.store_events([Event("LOG", "r1", float(n)) for n in range(10)])
        forward, back, after, before = [], [], None, None

        while page := log.get_events(EventFilter(run_id, after=after), limit=3):
            forward += page
            after = page[-1].storage_id
        while page := log.get_events(EventFilter(run_id, before=before), limit=3, ascending=False):
            back += page
            before = page[-1].storage_id

        assert [event.timestamp for event in forward] == [float(n) for n in range(10)]
        assert back == forward[::-1]
        assert log.get_events(EventFilter(run_id, after=forward[2].storage_id, before=forward[5].storage_id)) == forward[3:5]

    # The latest of an asset

    def test_the_latest_is_the_last_stored_whatever_its_time(self, log: EventLog) -> None:
        log.store_events([materialization(ORDERS, at=30.0), materialization(ORDERS, at=20.0)])
        log.store_events([materialization(ORDERS, at=10.0), Event("LOG", "r1", 40.0)])

        assert log.get_latest(MADE, [ORDERS])[ORDERS].timestamp == 10.0

    def test_the_latest_of_each_partition_and_of_the_asset(self, log: EventLog) -> None:
        log.store_events([materialization(ORDERS, "mon", at=1.0), materialization(ORDERS, "tue", at=2.0)])
        log.store_events([materialization(ORDERS, "mon", at=3.0)])
        ids = [event.storage_id for event in log.get_events()]

        latest = {part: log.get_latest(MADE, [ORDERS], part).get(ORDERS) for part in (None, "mon", "tue", "wed")}

        assert {part: event and event.timestamp for part, event in latest.items()} == {
            None: 3.0,
            "mon": 3.0,
            "tue": 2.0,
            "wed": None,
        }
        assert log.get_partitions(MADE, ORDERS) == {"mon": ids[2], "tue": ids[1]}
        assert log.get_partitions(MADE, CUSTOMERS) == {}

    def test_materializations_and_observations_are_told_apart(self, log: EventLog) -> None:
        log.store_events([materialization(ORDERS, at=1.0), observation(ORDERS, at=2.0)])

        assert log.get_latest(MADE, [ORDERS])[ORDERS].timestamp == 1.0
        assert log.get_latest(SEEN, [ORDERS])[ORDERS].timestamp == 2.0
        assert log.get_partitions(SEEN, ORDERS) == {}

    def test_the_latest_of_ten_thousand_assets(self, log: EventLog) -> None:
        keys = [AssetKey(["s", f"t{n}"]) for n in range(10_000)]
        log.store_events([materialization(key, at=float(n)) for n, key in enumerate(keys)])

        latest = log.get_latest(MADE, [*keys, ORDERS])

        assert [latest[key].timestamp for key in keys] == [float(n) for n in range(10_000)]
        assert ORDERS not in latest
        assert log.get_latest(MADE, []) == {}

    def test_keys_that_look_alike_are_told_apart(self, log: EventLog) -> None:
        alike = [AssetKey(path) for path in (["a/b"], ["a", "b"], ["a\\/b"], ["A", "b"], ["a", "b "], ["é"], ["e\u0301"])]
        log.store_events([materialization(key, at=float(n)) for n, key in enumerate(alike)])

        latest = log.get_latest(MADE, alike)

        assert [latest[key].timestamp for key in alike] == [float(n) for n in range(len(alike))]
        assert [len(log.get_events(EventFilter(asset_key=key))) for key in alike] == [1] * len(alike)

    def test_wiping_forgets_an_asset_and_no_other(self, log: EventLog) -> None:
        log.add_run(RunRecord("r1", "QUEUED", 0.0))
        log.store_events([materialization(CUSTOMERS), materialization(ORDERS, "mon"), observation(ORDERS)])
        last = log.get_events()[-1].storage_id or 0

        log.wipe([ORDERS, AssetKey("unknown")])
        log.wipe([])

        assert unnumbered(log.get_events(EventFilter(run_id="r1"))) == [materialization(CUSTOMERS)]
        assert log.get_events(EventFilter(asset_key=ORDERS)) == []
        assert log.get_latest(MADE, [ORDERS, CUSTOMERS]).keys() == {CUSTOMERS}
        assert log.get_latest(SEEN, [ORDERS]) == {}
        assert log.get_partitions(MADE, ORDERS) == {}
        assert log.get_run("r1") is not None

        log.store_events([materialization(ORDERS)])

        assert [event.storage_id for event in log.get_events(EventFilter(after=last))] == [last + 1]
        assert log.get_latest(MADE, [ORDERS]).keys() == {ORDERS}

    # Runs

    def test_a_run_is_kept_as_it_was(self, log: EventLog) -> None:
        config = {"ops": {"orders": {"config": {"days": [1, 2], "since": None}}}}
        run = RunRecord("r1", "STARTED", 1.0, 2.5, 3.5, "nightly", {"team": "sales"}, (ORDERS, AssetKey("a/b")), config)

        log.add_run(run)

        assert log.get_run("r1") == run
        assert log.get_run("r2") is None

    def test_a_run_is_added_once(self, log: EventLog) -> None:
        log.add_run(RunRecord("r1", "QUEUED", 1.0))

        with pytest.raises(InstanceError, match="'r1' is recorded already"):
            log.add_run(RunRecord("r1", "QUEUED", 2.0))

        assert log.get_runs() == [RunRecord("r1", "QUEUED", 1.0)]

    @pytest.mark.parametrize("how", ["SUCCESS", "FAILURE", "CANCELED"])
    def test_the_events_of_a_run_change_its_record(self, log: EventLog, how: Any) -> None:
        other = RunRecord("r2", "QUEUED", 0.0)
        log.add_run(RunRecord("r1", "QUEUED", 1.0))
        log.add_run(other)

        log.store_events([Event("RUN_START", "r1", 2.0)])

        assert log.get_run("r1") == RunRecord("r1", "STARTED", 1.0, 2.0)

        ends: EventType = f"RUN_{how}"  # type: ignore[assignment]
        log.store_events([Event("STEP_FAILURE", "r1", 3.0), Event(ends, "r1", 4.0)])

        assert log.get_run("r1") == RunRecord("r1", how, 1.0, 2.0, 4.0)
        assert log.get_run("r2") == other

    def test_events_of_an_unknown_run_are_kept(self, log: EventLog) -> None:
        log.store_events([Event("RUN_START", "elsewhere", 1.0)])

        assert unnumbered(log.get_events()) == [Event("RUN_START", "elsewhere", 1.0)]
        assert log.get_runs() == []

    def test_runs_are_listed_the_last_first(self, log: EventLog) -> None:
        for n, status in enumerate(["SUCCESS", "FAILURE", "SUCCESS", "QUEUED"]):
            log.add_run(RunRecord(f"r{n}", status, 10.0 - n))  # type: ignore[arg-type]

        def ids(statuses: Any = (), **question: Any) -> list[str]:
            return [run.run_id for run in log.get_runs(RunFilter(statuses), **question)]

        assert ids() == ["r3", "r2", "r1", "r0"]
        assert ids(limit=3) == ["r3", "r2", "r1"]
        assert ids(cursor="r2") == ["r1", "r0"]
        assert ids(cursor="r3", limit=1) == ["r2"]
        assert ids(statuses=["SUCCESS"]) == ["r2", "r0"]
        assert ids(statuses={"FAILURE", "QUEUED"}, limit=1) == ["r3"]
        assert ids(statuses=["CANCELED"]) == []
        with pytest.raises(RunNotFoundError, match="'r9'"):
            log.get_runs(cursor="r9")

    # Many at once

    def test_threads_write_and_read_at_once(self, log: EventLog) -> None:
        keys = [AssetKey(f"t{n}") for n in range(8)]

        def write(n: int) -> list[int]:
            sizes = []
            log.add_run(RunRecord(f"r{n}", "QUEUED", 0.0))
            log.store_events([Event("RUN_START", f"r{n}", 1.0)])
            for batch in range(25):
                log.store_events([materialization(keys[n], str(part), run_id=f"r{n}", at=batch) for part in range(4)])
                sizes.append(len(log.get_events(EventFilter(asset_key=keys[(n + 1) % 8]))) % 4)
            return sizes

        with ThreadPoolExecutor(8) as pool:
            partial_reads = [size for sizes in pool.map(write, range(8)) for size in sizes]

        events = log.get_events(EventFilter(event_types=[MADE]))

        assert set(partial_reads) == {0}
        assert {run.status for run in log.get_runs()} == {"STARTED"}
        assert _is_in_whole_batches(events, 4)
        assert Counter(event.run_id for event in events) == {f"r{n}": 100 for n in range(8)}
        assert {event.timestamp for event in log.get_latest(MADE, keys).values()} == {24.0}


class PersistentEventLogContract(EventLogContract, RivalProcessesContract):
    """What an event log promises beside, when it is kept outside of the process."""

    def test_everything_is_there_after_opening_again(self, log: EventLog, open_log: OpenLog) -> None:
        log.add_run(RunRecord("r1", "QUEUED", 0.0))
        log.store_events([Event("RUN_START", "r1", 1.0), materialization(ORDERS, "mon")])
        log.add_dynamic_partitions("customers", ["bob", "ann"])
        told = log.get_events(), log.get_runs(), log.get_latest(MADE, [ORDERS]), log.get_partitions(MADE, ORDERS)

        log.close()
        again = open_log()

        assert (again.get_events(), again.get_runs(), again.get_latest(MADE, [ORDERS])) == told[:3]
        assert again.get_partitions(MADE, ORDERS) == told[3]
        assert again.get_dynamic_partitions("customers") == ["bob", "ann"]
        again.close()

    def test_a_closed_log_says_so(self, log: EventLog) -> None:
        log.close()
        log.close()

        with pytest.raises(InstanceError, match="is closed"):
            log.get_events()
        with pytest.raises(InstanceError, match="is closed"):
            log.store_events([Event("LOG", "r1", 0.0)])

    def test_what_one_stores_the_other_reads(self, log: EventLog, open_log: OpenLog) -> None:
        other = open_log()

        log.store_events([materialization(ORDERS)])

        assert other.get_latest(MADE, [ORDERS]) == log.get_latest(MADE, [ORDERS])
        other.close()

    def test_processes_open_and_write_at_once(self, open_log: OpenLog) -> None:
        spawn = multiprocessing.get_context("spawn")
        barrier = spawn.Barrier(4)
        writers = [spawn.Process(target=_store_at_once, args=(open_log, barrier, n)) for n in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        log = open_log()
        events = log.get_events()
        log.close()

        assert [writer.exitcode for writer in writers] == [0] * 4
        assert Counter(event.run_id for event in events) == {f"r{n}": 500 for n in range(4)}
        assert _is_in_whole_batches(events, 5)

    @pytest.mark.parametrize("seconds", [0.0, 0.013, 0.037])
    def test_a_killed_process_leaves_whole_batches(self, open_log: OpenLog, tmp_path: Path, seconds: float) -> None:
        started = tmp_path / "started"
        writer = multiprocessing.get_context("spawn").Process(target=_store_forever, args=(open_log, started))
        writer.start()
        while not started.exists() and writer.is_alive():
            time.sleep(0.001)
        time.sleep(seconds)
        writer.kill()
        writer.join()

        log = open_log()
        events = log.get_events()
        latest = log.get_latest(MADE, [ORDERS])[ORDERS]
        log.store_events([materialization(CUSTOMERS)])
        log.close()

        assert len(events) > 0
        assert len(events) % 100 == 0
        assert latest == events[-1]


def _is_in_whole_batches(events: list[Event], size: int) -> bool:
    """Whether each `size` events in a row belong to one run, as they were stored."""
    batches = [events[start : start + size] for start in range(0, len(events), size)]
    return all(len({event.run_id for event in batch}) == 1 and len(batch) == size for batch in batches)


def _store_at_once(open_log: OpenLog, barrier: Any, number: int) -> None:
    barrier.wait()
    log = open_log()
    for _ in range(100):
        log.store_events([materialization(ORDERS, str(part), run_id=f"r{number}") for part in range(5)])
    log.close()


def _store_forever(open_log: OpenLog, started: Path) -> None:
    log = open_log()
    while True:
        log.store_events([materialization(ORDERS, str(part)) for part in range(100)])
        started.touch()
