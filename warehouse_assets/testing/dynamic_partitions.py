"""The promises of an event log about dynamic partitions, as a part of its contract."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from warehouse_assets.events import Event
from warehouse_assets.instance import EventLog

__all__ = ["DynamicPartitionsPromises"]

HOSTILE_KEYS = [
    "it's",
    '"quoted"',
    "'; DROP TABLE events; --",
    "a/b\\c",
    "100 %",
    "表 🦆",
    " ",
    "null",
    "A",
    "a",
    "e\u0301",
    "é",
    "x" * 5_000,
]


class DynamicPartitionsPromises:
    """What every event log promises of dynamic partitions; the fixture `log` is that of the contract."""

    def test_dynamic_partitions_are_kept_in_the_order_in_which_they_were_added(self, log: EventLog) -> None:
        log.add_dynamic_partitions("customers", ["bob", "ann"])
        log.add_dynamic_partitions("customers", ["carl", "ann", "carl", "aaron"])
        log.add_dynamic_partitions("customers", [])

        assert log.get_dynamic_partitions("customers") == ["bob", "ann", "carl", "aaron"]

    def test_dynamic_partitions_of_other_names_are_others(self, log: EventLog) -> None:
        log.add_dynamic_partitions("customers", ["ann"])
        log.add_dynamic_partitions("Customers", ["bob"])

        assert [log.get_dynamic_partitions(name) for name in ("customers", "Customers", "none")] == [["ann"], ["bob"], []]

    def test_a_dynamic_partition_is_deleted_and_may_come_again(self, log: EventLog) -> None:
        log.add_dynamic_partitions("customers", ["ann", "bob"])
        log.add_dynamic_partitions("others", ["ann"])

        log.delete_dynamic_partition("customers", "ann")
        log.delete_dynamic_partition("customers", "ann")
        log.delete_dynamic_partition("nobody", "ann")

        assert [log.get_dynamic_partitions(name) for name in ("customers", "others")] == [["bob"], ["ann"]]

        log.add_dynamic_partitions("customers", ["ann"])

        assert log.get_dynamic_partitions("customers") == ["bob", "ann"]

    def test_dynamic_partitions_may_have_any_text_as_key_and_name(self, log: EventLog) -> None:
        for name in HOSTILE_KEYS:
            log.add_dynamic_partitions(name, HOSTILE_KEYS)
        log.delete_dynamic_partition(HOSTILE_KEYS[0], HOSTILE_KEYS[1])

        assert log.get_dynamic_partitions(HOSTILE_KEYS[0]) == [HOSTILE_KEYS[0], *HOSTILE_KEYS[2:]]
        assert [log.get_dynamic_partitions(name) for name in HOSTILE_KEYS[1:]] == [HOSTILE_KEYS] * (len(HOSTILE_KEYS) - 1)

    def test_dynamic_partitions_outlive_the_events(self, log: EventLog) -> None:
        log.add_dynamic_partitions("customers", ["ann"])
        log.store_events([Event("LOG", "r1", 0.0)])
        log.wipe([])

        assert log.get_dynamic_partitions("customers") == ["ann"]

    def test_threads_add_dynamic_partitions_at_once(self, log: EventLog) -> None:
        batches = [[f"{batch} {key}" for key in range(20)] for batch in range(8)]

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda batch: log.add_dynamic_partitions("customers", ["all", *batch]), batches))

        found = log.get_dynamic_partitions("customers")

        assert (found[0], len(found)) == ("all", 161)
        assert all(found[found.index(batch[0]) :][:20] == batch for batch in batches)
