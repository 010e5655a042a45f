"""What an event log promises of the partitions of many assets at once; part of the contract in `event_log.py`."""

from __future__ import annotations

from warehouse_assets.events import AssetMaterialization, AssetObservation, Event, EventType
from warehouse_assets.instance import EventLog
from warehouse_assets.instance.event_log import Mark
from warehouse_assets.keys import AssetKey

__all__ = ["PartitionEventsContract"]

MADE: EventType = "ASSET_MATERIALIZATION"
SEEN: EventType = "ASSET_OBSERVATION"
ORDERS, CUSTOMERS = AssetKey(["staging", "orders"]), AssetKey(["staging", "customers"])
PARTITIONS = [
    "mon",
    'it\'s "quoted"',
    "'; DROP TABLE events; --",
    "a/b\\c|d",
    "été 表 🦆",
    "  spaces  ",
    "null",
    "100 % _ ?",
    "Mon",
]


def made(key: AssetKey, partition: str | None, at: float) -> Event:
    """The event of a materialization."""
    return Event(MADE, "r1", at, data=AssetMaterialization(key, partition=partition, tags={"at": str(at)}))


class PartitionEventsContract:
    """The latest event of each partition is found for many assets in one query."""

    def test_the_latest_of_each_partition_of_many_assets(self, log: EventLog) -> None:
        keys = [CUSTOMERS, AssetKey("unknown"), ORDERS]
        log.store_events([made(key, part, n) for n in range(2) for key in (ORDERS, CUSTOMERS) for part in PARTITIONS])
        log.store_events([made(CUSTOMERS, None, 5.0), Event(SEEN, "r1", 6.0, data=AssetObservation(ORDERS, partition="mon"))])
        log.store_events([made(ORDERS, "tue", 7.0)])

        latest = log.get_latest_by_partition(MADE, keys)

        assert list(latest) == [CUSTOMERS, ORDERS]
        assert latest == {
            CUSTOMERS: {part: log.get_latest(MADE, [CUSTOMERS], part)[CUSTOMERS] for part in PARTITIONS},
            ORDERS: {part: log.get_latest(MADE, [ORDERS], part)[ORDERS] for part in (*PARTITIONS, "tue")},
        }
        assert {key: event.timestamp for key, event in latest[ORDERS].items()} == {**dict.fromkeys(PARTITIONS, 1), "tue": 7.0}
        assert [*log.get_latest_by_partition(SEEN, keys)[ORDERS]] == ["mon"]

    def test_the_latest_of_some_partitions(self, log: EventLog) -> None:
        log.store_events([made(key, part, 1.0) for key in (ORDERS, CUSTOMERS) for part in PARTITIONS])
        log.store_events([made(ORDERS, "tue", 2.0)])
        keys, odd = [ORDERS, CUSTOMERS], PARTITIONS[1]

        some = log.get_latest_by_partition(MADE, keys, ["tue", odd, "wed", odd])

        assert {key: {*partitions} for key, partitions in some.items()} == {ORDERS: {"tue", odd}, CUSTOMERS: {odd}}
        assert log.get_latest_by_partition(MADE, keys, []) == log.get_latest_by_partition(MADE, []) == {}

    def test_the_marks_of_the_latest_of_an_asset_and_of_its_partitions(self, log: EventLog) -> None:
        log.store_events([made(ORDERS, part, n) for n, part in enumerate((*PARTITIONS, "mon", None))])
        log.store_events([made(CUSTOMERS, None, 20.0), Event(SEEN, "r1", 21.0, data=AssetObservation(CUSTOMERS))])

        marks = log.get_latest_marks(MADE, [CUSTOMERS, AssetKey("unknown"), ORDERS])

        assert {key: {part: mark.timestamp for part, mark in of.items()} for key, of in marks.items()} == {
            ORDERS: dict([*((part, float(n)) for n, part in enumerate(PARTITIONS)), ("mon", 9.0), (None, 10.0)]),
            CUSTOMERS: {None: 20.0},
        }
        latest = log.get_latest(MADE, [ORDERS])[ORDERS]
        assert marks[ORDERS][None] == Mark(latest.storage_id or 0, "r1", 10.0)

    def test_what_was_wiped_is_not_found(self, log: EventLog) -> None:
        log.store_events([made(ORDERS, "mon", 1.0), made(CUSTOMERS, "mon", 2.0)])
        log.wipe([ORDERS])
        log.store_events([made(ORDERS, "tue", 3.0)])

        latest = log.get_latest_by_partition(MADE, [ORDERS, CUSTOMERS])

        assert {key: [*partitions] for key, partitions in latest.items()} == {ORDERS: ["tue"], CUSTOMERS: ["mon"]}

    def test_the_latest_of_five_thousand_partitions(self, log: EventLog) -> None:
        parts = [f"2024-{n}" for n in range(5_000)]
        log.store_events([made(ORDERS, part, float(n)) for n, part in enumerate(parts)])

        found = [log.get_latest_by_partition(MADE, [ORDERS], some)[ORDERS] for some in (None, parts)]

        assert [[latest[part].timestamp for part in parts] for latest in found] == [[float(n) for n in range(5_000)]] * 2
