from __future__ import annotations

import json
import re
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

DAYS = ["2024-02-28", "2024-02-29", "2024-03-01"]

BILLED = """
from warehouse_assets import DailyPartitionsDefinition, asset

days = DailyPartitionsDefinition("2024-02-28", "2024-03-02")


@asset(partitions_def=days, code_version="VERSION")
def orders(context) -> None:
    print("made orders", *context.partition_keys)


@asset(partitions_def=days, code_version="1", deps=[orders])
def bills(context) -> None:
    print("made bills", *context.partition_keys)
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


@pytest.fixture
def billed(project: Path, forget_modules_of: Callable[[Path], None]) -> Callable[[str], None]:
    """Writes a project of two partitioned tables, the code of the first of this version."""

    def write(version: str) -> None:
        forget_modules_of(project)
        (project / "billed.py").write_text(BILLED.replace("VERSION", version))

    return write


@pytest.mark.semantics(25, 37)
def test_the_status_tells_how_many_partitions_are_missing_and_stale(
    wa: Callable[..., Any], billed: Callable[[str], None]
) -> None:
    billed("1")
    for day in DAYS[:2]:
        wa("materialize", "-m", "billed", "--partition", day)
    billed("2.0")
    wa("materialize", "-m", "billed", "-s", "orders", "--partition", DAYS[0])
    shown = re.sub(r"[0-9a-f]{8}…", "…", wa("status", "-m", "billed").out)

    assert [" ".join(line.split()) for line in shown.splitlines()][2:] == [
        "orders stale 1 of 3 partitions missing, 1 stale",
        f"{DAYS[1]}: its code changed (1 → 2.0)",
        "bills stale 1 of 3 partitions missing, 2 stale",
        f"{DAYS[0]}: orders changed (… → …)",
        f"{DAYS[1]}: orders is stale: its code changed (1 → 2.0)",
        "",
        "2 assets: 2 stale",
    ]


@pytest.mark.semantics(25, 37)
def test_the_status_for_programs_counts_partitions_and_names_a_few(
    wa: Callable[..., Any], billed: Callable[[str], None]
) -> None:
    billed("1")
    for day in DAYS[:2]:
        wa("materialize", "-m", "billed", "--partition", day)
    billed("2.0")
    orders, bills = json.loads(wa("status", "-m", "billed", "--json").out)

    assert orders == {
        "key": "orders",
        "status": "stale",
        "causes": [
            {
                "kind": "code",
                "key": "orders",
                "old": "1",
                "new": "2.0",
                "root": None,
                "partitions": {"first": DAYS[:1], "count": 1},
                "of": {"first": DAYS[:2], "count": 2},
            }
        ],
        "partitions": {"total": 3, "materialized": 2, "missing": 1, "stale": 2, "fresh": 0},
    }
    assert (bills["causes"][0]["kind"], bills["causes"][0]["root"]["kind"]) == ("upstream", "code")


@pytest.mark.semantics(25, 37)
def test_the_status_of_one_partition(wa: Callable[..., Any], billed: Callable[[str], None]) -> None:
    billed("1")
    wa("materialize", "-m", "billed", "--partition", DAYS[1])
    told = [json.loads(wa("status", "-m", "billed", "--partition", day, "--json").out) for day in DAYS[:2]]
    wrong = wa("status", "-m", "billed", "--partition", "2024-02-30")

    assert [[(asset["key"], asset["status"]) for asset in assets] for assets in told] == [
        [("orders", "missing"), ("bills", "missing")],
        [("orders", "fresh"), ("bills", "fresh")],
    ]
    assert (wrong.code, wrong.err.count("\n"), "there is no partition '2024-02-30'" in wrong.err) == (2, 1, True)


@pytest.mark.semantics(25, 37)
def test_the_status_of_dynamic_partitions_that_are_not_there_yet(wa: Callable[..., Any]) -> None:
    assert "letters   missing   there are no partitions yet\n" in wa("status", "-m", "sliced", "-s", "letters").out


@pytest.mark.semantics(26, 37)
def test_stale_makes_only_the_partitions_that_are_not_fresh(wa: Callable[..., Any], billed: Callable[[str], None]) -> None:
    def made(*arguments: str) -> list[str]:
        answer = wa("materialize", "-m", "billed", "--stale", *arguments)

        assert answer.code == 0
        return [line for line in answer.out.splitlines() if line.startswith(("made", "Nothing to do"))]

    billed("1")
    first, again = made("--partition", DAYS[0]), made("--partition", DAYS[0])
    billed("2.0")
    changed = made("--partition", DAYS[0])
    several = made("--partition-range", f"{DAYS[0]}...{DAYS[1]}")
    all_of_them = made("--partition-range", f"{DAYS[0]}...{DAYS[1]}")

    assert [first, changed] == [[f"made orders {DAYS[0]}", f"made bills {DAYS[0]}"]] * 2
    assert several == [f"made orders {DAYS[1]}", f"made bills {DAYS[1]}"]
    assert [again, all_of_them] == [["Nothing to do: all 2 assets are fresh"]] * 2


@pytest.mark.semantics(26, 37)
def test_stale_without_a_partition_says_that_one_is_needed(wa: Callable[..., Any], billed: Callable[[str], None]) -> None:
    billed("1")
    answer = wa("materialize", "-m", "billed", "--stale")

    assert (answer.code, answer.err.count("\n"), "no partition is given" in answer.err) == (2, 1, True)
