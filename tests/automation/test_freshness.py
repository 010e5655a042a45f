from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from warehouse_assets import (
    AssetCheckKey,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetSpec,
    DailyPartitionsDefinition,
    FreshnessPolicy,
    Instance,
    asset,
)
from warehouse_assets.automation.freshness import FRESHNESS_CHECK, FreshnessDuty, record_freshness
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError
from warehouse_assets.events import Event
from warehouse_assets.execution.freshness import asset_freshness
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.freshness import freshness_of

HOUR = dt.timedelta(hours=1)
WINDOW = FreshnessPolicy.time_window(fail_window=24 * HOUR, warn_window=12 * HOUR)


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("hours", "state", "reason"),
    [
        (-1, "PASS", "it was made within the last 12 hours"),
        (12, "PASS", "it was made within the last 12 hours"),
        (12.1, "WARN", "it was made more than 12 hours ago"),
        (24.1, "FAIL", "it was made more than 1 day ago"),
    ],
)
def test_a_time_window(hours: float, state: str, reason: str) -> None:
    found = freshness_of(WINDOW, 0.0, now=hours * 3600)

    assert (found.state, found.reason, found.latest) == (state, reason, 0.0)


def test_a_time_window_without_a_warning() -> None:
    policy = FreshnessPolicy.time_window(2 * HOUR)

    assert [freshness_of(policy, latest, now=9000.0).state for latest in (None, 0.0, 2000.0)] == ["UNKNOWN", "FAIL", "PASS"]


@pytest.mark.parametrize(
    ("latest", "now", "state"),
    [
        pytest.param("2024-03-30T05:00+01:00", "2024-03-30T09:00+01:00", "PASS", id="within the delta"),
        pytest.param("2024-03-30T04:59+01:00", "2024-03-30T09:00+01:00", "FAIL", id="too early"),
        pytest.param("2024-03-30T09:30+01:00", "2024-03-30T10:00+01:00", "PASS", id="late, but made"),
        pytest.param("2024-03-30T05:00+01:00", "2024-03-31T08:59+02:00", "PASS", id="the next deadline has not come"),
        pytest.param("2024-03-30T05:00+01:00", "2024-03-31T09:00+02:00", "FAIL", id="the next deadline comes an hour earlier"),
        pytest.param("2024-03-31T05:00+02:00", "2024-03-31T09:00+02:00", "PASS", id="summer time"),
    ],
)
def test_a_deadline(latest: str, now: str, state: str) -> None:
    policy = FreshnessPolicy.cron("0 9 * * *", lower_bound_delta=4 * HOUR, timezone="Europe/Berlin")

    assert freshness_of(policy, at(latest), at(now)).state == state


def test_the_reason_of_a_missed_deadline() -> None:
    policy = FreshnessPolicy.cron("0 9 * * *", 4 * HOUR)

    assert freshness_of(policy, at("2024-03-29T12:00Z"), at("2024-03-30T10:00Z")).reason == (
        "it was not made within 4 hours before the deadline of 2024-03-30 09:00 UTC, but at 2024-03-29 12:00 UTC"
    )


@asset(freshness_policy=WINDOW)
def orders() -> None: ...


@asset(freshness_policy=WINDOW, partitions_def=DailyPartitionsDefinition("2024-01-01"))
def days() -> None: ...


@asset
def free() -> None: ...


GRAPH = AssetGraph.build([orders, days, free, AssetSpec("files", freshness_policy=WINDOW)])


def happened(instance: Instance, data: Any, timestamp: float) -> None:
    kind: Any = "ASSET_OBSERVATION" if isinstance(data, AssetObservation) else "ASSET_MATERIALIZATION"
    instance.store_events([Event(kind, "", timestamp, data=data)])


def test_the_freshness_of_assets_as_recorded() -> None:
    with Instance.ephemeral() as instance:
        happened(instance, AssetObservation(AssetKey("orders")), 80_000)
        happened(instance, AssetObservation(AssetKey("files")), 80_000)
        happened(instance, AssetMaterialization(AssetKey("days"), partition="2024-01-02"), 40_000)
        happened(instance, AssetMaterialization(AssetKey("free")), 40_000)

        found = asset_freshness(GRAPH, instance, 90_000)

    assert {key.path[-1]: fresh.state for key, fresh in found.items()} == {"orders": "UNKNOWN", "days": "WARN", "files": "PASS"}


def test_each_change_is_recorded_once() -> None:
    with Instance.ephemeral() as instance:
        happened(instance, AssetMaterialization(AssetKey("orders")), 0.0)
        duties = [FreshnessDuty(instance, lambda: [("shop", GRAPH)]) for _ in range(2)]
        for hour in range(40):
            if hour == 30:
                happened(instance, AssetMaterialization(AssetKey("orders")), 30 * 3600)
            for duty in duties:
                duty.round(hour * 3600.0)
        events = instance.get_event_records(event_types="ASSET_CHECK_EVALUATION")
        checks = [event.asset_check_evaluation for event in events]
        latest = instance.get_latest_asset_check_evaluation(AssetCheckKey(AssetKey("orders"), FRESHNESS_CHECK))

    assert [(check.passed, check.failed, check.metadata["state"].value) for check in checks if check is not None] == [
        (True, False, "PASS"),
        (False, False, "WARN"),
        (False, True, "FAIL"),
        (True, False, "PASS"),
    ]
    assert [event.timestamp / 3600 for event in events] == [0, 13, 25, 30]
    assert latest is not None
    assert latest.description == "it was made within the last 12 hours"


def test_nothing_is_recorded_where_nothing_changed() -> None:
    with Instance.ephemeral() as instance:
        happened(instance, AssetMaterialization(AssetKey("orders")), 0.0)

        assert [len(record_freshness(GRAPH, instance, float(now))) for now in (1, 2)] == [1, 0]


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: FreshnessPolicy.time_window(dt.timedelta(0)), "the fail_window is datetime.timedelta"),
        (lambda: FreshnessPolicy.time_window(24), "the fail_window is 24 ("),  # type: ignore[arg-type]
        (lambda: FreshnessPolicy.time_window(HOUR, HOUR), "the warn_window of 1:00:00 is not shorter than the fail_window"),
        (lambda: FreshnessPolicy.cron("nope", HOUR), "the freshness policy: the cron schedule 'nope' cannot be used"),
        (lambda: FreshnessPolicy.cron("@daily", HOUR, "Mars"), "the time zone 'Mars' is not known"),
        (lambda: asset(freshness_policy=HOUR)(lambda: None), "not a FreshnessPolicy"),
    ],
    ids=["zero", "number", "warning", "cron", "zone", "asset"],
)
def test_faults_are_told_where_they_are_declared(declare: Any, message: str) -> None:
    with pytest.raises((InvalidDefinitionError, InvalidDefinitionsError)) as caught:
        declare()

    errors = caught.value.exceptions if isinstance(caught.value, InvalidDefinitionsError) else [caught.value]
    told = "\n".join(map(str, errors))
    assert message in told
    assert f"{__file__}:" in told
