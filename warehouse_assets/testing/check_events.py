"""What an event log promises of the evaluations of checks; part of the contract in `event_log.py`."""

from __future__ import annotations

from dataclasses import replace

from warehouse_assets.events import AssetCheckEvaluation, AssetCheckSeverity, AssetMaterialization, Event, EventType
from warehouse_assets.instance import EventFilter, EventLog
from warehouse_assets.keys import AssetCheckKey, AssetKey
from warehouse_assets.metadata import MetadataValue

__all__ = ["CheckEventsContract", "evaluation"]

CHECKED: EventType = "ASSET_CHECK_EVALUATION"
ORDERS, CUSTOMERS = AssetKey(["staging", "orders"]), AssetKey(["staging", "customers"])


def evaluation(key: AssetKey, check_name: str, partition: str | None = None, *, at: float = 0.0) -> Event:
    """The event of the evaluation of a check."""
    return Event(CHECKED, "r1", at, data=AssetCheckEvaluation(key, check_name, True, partition=partition))


class CheckEventsContract:
    """Evaluations are events of the asset that was checked, and the latest of each check is found."""

    def test_evaluations_come_back_as_they_were(self, log: EventLog) -> None:
        warning = AssetCheckEvaluation(
            ORDERS,
            "few",
            False,
            AssetCheckSeverity.WARN,
            blocking=True,
            description="2 rows",
            metadata={"rows": MetadataValue.int(2)},
            partition="mon",
        )
        events = [evaluation(ORDERS, "unique"), Event(CHECKED, "r1", 1.0, "orders", "2 rows", warning)]

        log.store_events([*events, evaluation(CUSTOMERS, "unique")])

        found = log.get_events(EventFilter(asset_key=ORDERS, event_types=[CHECKED]))
        assert [replace(event, storage_id=None) for event in found] == events

    def test_the_latest_of_each_check_of_an_asset(self, log: EventLog) -> None:
        log.store_events([evaluation(ORDERS, "unique", "mon", at=1.0), evaluation(ORDERS, "few", at=2.0)])
        log.store_events([evaluation(CUSTOMERS, "unique", at=3.0)])
        log.store_events([Event("ASSET_MATERIALIZATION", "r1", 4.0, data=AssetMaterialization(ORDERS))])
        keys = [ORDERS, CUSTOMERS]

        latest = {name: log.get_latest(CHECKED, keys, check_name=name) for name in (None, "unique", "few", "other")}

        assert {name: {key: event.timestamp for key, event in found.items()} for name, found in latest.items()} == {
            None: {ORDERS: 2.0, CUSTOMERS: 3.0},
            "unique": {ORDERS: 1.0, CUSTOMERS: 3.0},
            "few": {ORDERS: 2.0},
            "other": {},
        }
        assert log.get_latest(CHECKED, keys, "mon", "unique").keys() == {ORDERS}
        assert log.get_latest(CHECKED, keys, "mon", "few") == {}
        assert log.get_latest("ASSET_MATERIALIZATION", keys).keys() == {ORDERS}

    def test_the_latest_of_all_checks_of_some_assets(self, log: EventLog) -> None:
        odd = "100 % _ 'quoted'"
        log.store_events([evaluation(ORDERS, "unique", at=1.0), evaluation(ORDERS, "unique", "mon", at=2.0)])
        log.store_events([evaluation(ORDERS, odd, at=3.0), evaluation(CUSTOMERS, "unique", at=4.0)])

        latest = log.get_latest_check_events([ORDERS])

        assert {key: event.timestamp for key, event in latest.items()} == {
            AssetCheckKey(ORDERS, "unique"): 2.0,
            AssetCheckKey(ORDERS, odd): 3.0,
        }
