from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SLICED = """
from warehouse_assets import DailyPartitionsDefinition, DynamicPartitionsDefinition, asset

days = DailyPartitionsDefinition("2024-02-27", "2024-03-04")


@asset(partitions_def=days)
def orders(context):
    print("made", *context.partition_keys)


@asset(partitions_def=days)
def one(context) -> None:
    context.partition_key


@asset
def rates() -> None: ...


@asset(partitions_def=DynamicPartitionsDefinition("customers"))
def letters() -> None: ...
"""


@pytest.fixture(autouse=True)
def sliced(project: Path) -> None:
    (project / "sliced.py").write_text(SLICED)


@pytest.mark.semantics(37)
def test_a_partition_and_a_range_are_made(wa: Callable[..., Any]) -> None:
    one = wa("materialize", "-m", "sliced", "-s", "orders or rates", "--partition", "2024-02-29")
    several = wa("materialize", "-m", "sliced", "-s", "orders", "--partition-range", "2024-02-28...2024-03-01")

    assert (one.code, several.code) == (0, 0)
    assert "made 2024-02-29\n" in one.out
    assert "made 2024-02-28 2024-02-29 2024-03-01\n" in several.out


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (
            ["-s", "orders"],
            "asset 'orders' has daily partitions from '2024-02-27' (UTC), and no partition is given (sliced.py:7).",
        ),
        (["-s", "orders", "--partition", "2024-02-30"], "there is no partition '2024-02-30' in daily partitions"),
        (["-s", "orders", "--partition-range", "2024-03-01...2024-02-28"], "ends before it starts"),
        (["-s", "orders", "--partition-range", "2024-03-01"], "Write START...END, such as 2024-01-01...2024-01-31."),
        (["-s", "orders", "--partition-range", "...2024-03-01"], "Write START...END"),
        (
            ["-s", "orders", "--partition-range", "a...b", "--partition", "a"],
            "--partition and --partition-range are both given.",
        ),
        (["-s", "rates", "--partition", "x"], "partition_key is 'x', and no selected asset is partitioned"),
        (["--partition", "2024-02-29"], "the selected assets are not partitioned alike"),
        (["-s", "letters", "--partition", "ann"], "Add it with instance.add_dynamic_partitions('customers', ['ann'])."),
    ],
    ids=["none", "not_there", "backwards", "no_range", "half_a_range", "both", "not_partitioned", "otherwise", "dynamic"],
)
def test_what_cannot_be_meant_is_one_line(wa: Callable[..., Any], arguments: list[str], what: str) -> None:
    answer = wa("materialize", "-m", "sliced", *arguments)

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert what in answer.err


@pytest.mark.semantics(20)
def test_a_function_that_makes_one_partition_fails_for_a_range(wa: Callable[..., Any]) -> None:
    answer = wa("materialize", "-m", "sliced", "-s", "one", "--partition-range", "2024-02-28...2024-03-01")

    assert (answer.code, "asset 'one' has 3 partitions here, not one. Ask for partition_keys." in answer.err) == (1, True)


@pytest.mark.semantics(37)
def test_an_asset_shows_its_partitions_and_how_many_were_made(wa: Callable[..., Any]) -> None:
    wa("materialize", "-m", "sliced", "-s", "orders", "--partition-range", "2024-02-28...2024-02-29")
    shown = wa("show", "-m", "sliced", "orders").out
    told = json.loads(wa("show", "-m", "sliced", "orders", "--json").out)

    assert "partitions    daily partitions from '2024-02-27' (UTC); 2 of 6 materialized\n" in shown
    assert "partition 2024-02-29 materialized " in shown
    assert told["partitions"] == {"definition": "daily partitions from '2024-02-27' (UTC)", "total": 6, "materialized": 2}
    assert told["latest_materialization"]["partition"] == "2024-02-29"


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    ("key", "partitions"),
    [
        ("rates", None),
        ("letters", {"definition": "dynamic partitions 'customers'", "total": 0, "materialized": 0}),
        ("one", {"definition": "daily partitions from '2024-02-27' (UTC)", "total": 6, "materialized": 0}),
    ],
)
def test_an_asset_that_was_never_made_shows_its_partitions(wa: Callable[..., Any], key: str, partitions: Any) -> None:
    assert json.loads(wa("show", "-m", "sliced", key, "--json").out)["partitions"] == partitions


@pytest.mark.semantics(25, 37)
def test_the_status_tells_how_many_partitions_were_made(wa: Callable[..., Any]) -> None:
    wa("materialize", "-m", "sliced", "-s", "orders", "--partition-range", "2024-02-28...2024-02-29")
    shown = wa("status", "-m", "sliced", "-s", "orders or rates").out
    told = {entry["key"]: entry.get("partitions") for entry in json.loads(wa("status", "-m", "sliced", "--json").out)}

    assert "2 of 6 partitions were made" in shown
    assert (told["orders"]["materialized"], told["orders"]["total"], told["rates"]) == (2, 6, None)
