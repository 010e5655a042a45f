"""`wa automation explain`, and freshness in `wa status` and `wa show`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import AssetKey, AssetMaterialization, Instance
from warehouse_assets.automation.locations import location_of
from warehouse_assets.automation_records import InstigatorState
from warehouse_assets.events import Event

MODULE = """
from datetime import timedelta
from warehouse_assets import AutomationCondition, DailyPartitionsDefinition, FreshnessPolicy, asset

policy = FreshnessPolicy.time_window(fail_window=timedelta(days=2), warn_window=timedelta(days=1))
days = DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05")

@asset(freshness_policy=policy)
def orders(): return 1

@asset(deps=[orders], automation_condition=AutomationCondition.missing() & ~AutomationCondition.any_deps_missing())
def total(): return 2

@asset(partitions_def=days, automation_condition=AutomationCondition.missing())
def each_day(): return 3
"""


@pytest.fixture
def shop(project: Path, wa: Callable[..., Any]) -> Callable[..., Any]:
    (project / "automatic.py").write_text(MODULE)
    return lambda *args: wa(*args, "-m", "automatic.py")


def made(key: str, partition: str | None = None) -> None:
    with Instance.get() as instance:
        data = AssetMaterialization(AssetKey(key), partition=partition)
        instance.store_events([Event("ASSET_MATERIALIZATION", "", 1_700_000_000.0, data=data)])


def test_why_an_asset_is_not_asked_for_and_why_it_is(shop: Callable[..., Any]) -> None:
    before = shop("automation", "explain", "total")
    made("orders")
    with Instance.get() as instance:
        origin = f"{location_of('automatic.py').name}:default_automation_condition_sensor"
        assert instance.event_log.set_instigator(InstigatorState(origin, "automation", "RUNNING"))
    after = shop("automation", "explain", "total")

    assert before.out.splitlines() == [
        "total is not asked for now",
        "The sensor default_automation_condition_sensor is off: nothing is asked for until it is on.",
        "",
        "✗ missing & ~any_deps_missing",
        "  ✓ missing",
        "  ✗ ~any_deps_missing",
        "    ✓ any_deps_missing",
        "      ✓ missing & ~will_be_requested [orders]",
        "        ✓ missing",
        "        ✓ ~will_be_requested",
        "          ✗ will_be_requested",
    ]
    assert after.out.splitlines()[:3] == [
        "total is asked for now",
        "The sensor default_automation_condition_sensor has not evaluated it yet.",
        "",
    ]


def test_why_for_partitions_and_for_programs(shop: Callable[..., Any]) -> None:
    made("each_day", "2024-01-02")

    text = shop("automation", "explain", "each_day").out.splitlines()
    told = json.loads(shop("automation", "explain", "each_day", "--json").out)

    assert (text[0], text[3]) == (
        "each_day is asked for now: 2024-01-01, 2024-01-03, 2024-01-04",
        "✓ missing: 2024-01-01, 2024-01-03, 2024-01-04",
    )
    assert told == {
        "key": "each_day",
        "requested": True,
        "partitions": ["2024-01-01", "2024-01-03", "2024-01-04"],
        "sensor": "default_automation_condition_sensor",
        "status": "STOPPED",
        "last_evaluated": None,
        "condition": {
            "condition": "missing",
            "of": "each_day",
            "true": True,
            "partitions": ["2024-01-01", "2024-01-03", "2024-01-04"],
            "asked": 4,
            "parts": [],
        },
    }


def test_an_asset_without_a_condition_and_one_that_is_not_there(shop: Callable[..., Any]) -> None:
    answers = [shop("automation", "explain", key) for key in ("orders", "ordres")]

    assert [(answer.code, answer.err.partition(".")[0]) for answer in answers] == [
        (2, "Error: the asset 'orders' has no automation condition"),
        (2, "Error: there is no asset 'ordres'"),
    ]


def test_freshness_in_status_and_show(shop: Callable[..., Any]) -> None:
    never = shop("show", "orders").out
    made("orders")
    status, shown = shop("status").out, shop("show", "orders").out
    facts = [json.loads(shop(*args, "--json").out) for args in (("status",), ("show", "orders"), ("show", "total"))]

    assert "freshness     UNKNOWN: it was never made\n" in never
    assert "freshness FAIL: it was made more than 2 days ago" in status
    assert "freshness     FAIL: it was made more than 2 days ago\n" in shown
    expected = {"state": "FAIL", "reason": "it was made more than 2 days ago", "latest": 1_700_000_000.0}
    assert ["freshness" in each for each in facts[0]] == [key == "orders" for key in (each["key"] for each in facts[0])]
    assert facts[1]["freshness"] == expected
    assert (facts[2]["freshness"], facts[2]["automation"]) == (None, "missing & ~any_deps_missing")
