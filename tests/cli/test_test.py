"""`wa test`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

SHOP = """
import polars as pl

from io_managers import DuckDBIOManager
from warehouse_assets import DailyPartitionsDefinition, Definitions, SourceAsset, asset, load_assets_from_sql_files


@asset(key="marts/doubled")
def doubled(daily: pl.DataFrame) -> pl.DataFrame:
    return daily.select(pl.col("total") * 2)


defs = Definitions(
    [SourceAsset("staging/orders"), *load_assets_from_sql_files("models"), doubled],
    resources={"io_manager": DuckDBIOManager(database="shop.duckdb")},
)
"""
DAILY = """/* ---
tests:
  - name: in the header
    given:
      staging/orders: [{day: 2026-01-01, amount: 2}]
    expect: [{day: 2026-01-01, total: 2}]
--- */
select day, sum(amount) as total, count(*) as orders from staging.orders group by day
"""
TESTS = """
tests:
  - name: sums amounts
    given:
      orders:
        - {day: 2026-01-01, amount: 3}
        - {day: 2026-01-01, amount: 4.5}
        - {day: 2026-01-02, amount: 1}
    by: day
    expect:
      - {day: 2026-01-02, total: 1}
      - {day: 2026-01-01, total: 7.5}
"""
WRONG = """
  - name: expects too much
    given:
      staging/orders: {csv: "day,amount\\n2026-01-01,5\\n"}
    expect:
      - {day: 2026-01-01, total: 6}
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder of a shop's SQL, in the current folder."""
    folder = tmp_path / "models" / "marts"
    folder.mkdir(parents=True)
    (tmp_path / "shop.py").write_text(SHOP)
    (folder / "daily.sql").write_text(DAILY)
    return folder


def test_the_tests_beside_and_in_a_file_run(wa: Run, models: Path) -> None:
    (models / "daily.test.yaml").write_text(TESTS)

    done = wa("test", "-m", "shop.py")

    assert done.code == 0
    assert done.out.splitlines()[:3] == ["marts/daily", "  passed  in the header", "  passed  sums amounts"]
    assert done.out.splitlines()[-1].startswith("2 tests: 2 passed, ")
    assert not (models.parents[1] / "shop.duckdb").exists()
    assert not (models.parents[1] / ".warehouse_assets").exists()


def test_what_differs_is_shown(wa: Run, models: Path) -> None:
    (models / "daily.test.yaml").write_text(TESTS + WRONG)

    done = wa("test", "-m", "shop.py", "-k", "TOO much")

    assert done.code == 1
    assert done.out.splitlines()[:-1] == [
        "marts/daily",
        "  failed  expects too much  models/marts/daily.test.yaml:14",
        "          cells that differ:",
        "            day         column  made  expected",
        "            2026-01-01  total   5     6",
        "",
    ]


def test_programs_read_json(wa: Run, models: Path) -> None:
    (models / "daily.test.yaml").write_text(TESTS + WRONG)

    done = wa("test", "marts/daily", "-m", "shop.py", "--json")
    told = json.loads(done.out)

    assert done.code == 1
    assert [(one["test"], one["result"], one["place"]) for one in told] == [
        ("in the header", "passed", "models/marts/daily.sql:3"),
        ("sums amounts", "passed", "models/marts/daily.test.yaml:3"),
        ("expects too much", "failed", "models/marts/daily.test.yaml:14"),
    ]
    assert told[2]["message"].splitlines()[0] == "cells that differ:"


def test_a_file_names_the_assets_of_its_tests(wa: Run, models: Path) -> None:
    tests = models.parents[1] / "tests"
    tests.mkdir()
    given = "given: {marts/daily: [{total: 2}, {total: 3}]}"
    (tests / "functions.test.yml").write_text(
        f"tests:\n- name: doubles\n  asset: marts/doubled\n  {given}\n  expect: [{{total: 4}}, {{total: 6}}]\n  ordered: true\n"
    )

    done = wa("test", "marts/doubled", "-m", "shop.py", "--file", "tests")

    assert (done.code, done.out.splitlines()[:2]) == (0, ["marts/doubled", "  passed  doubles"])


def test_an_asset_that_fails_does_not_stop_the_others(wa: Run, models: Path) -> None:
    (models / "broken.sql").write_text("select nothing from staging.orders")
    (models / "broken.test.yaml").write_text("tests:\n- given: {orders: [{day: 1}]}\n  expect: []\n")

    done = wa("test", "-m", "shop.py")

    assert done.code == 1
    assert "  error   test 1  models/marts/broken.test.yaml:2" in done.out
    assert "nothing" in done.out
    assert "  passed  in the header" in done.out
    assert done.out.splitlines()[-1].startswith("2 tests: 1 passed, 1 with an error, ")


def test_where_there_are_none_it_says_how_to_write_them(wa: Run, models: Path) -> None:
    (models / "daily.sql").write_text("select 1 as n")

    none = wa("test", "-m", "shop.py")
    (models / "daily.test.yaml").write_text("tests: [{expect: [{n: 1}]}]")
    other = wa("test", "-m", "shop.py", "-k", "nothing")

    assert (none.code, other.code) == (2, 2)
    assert "there are no tests. Write them beside the SQL, models/daily.test.yaml for models/daily.sql." in none.err
    assert "no test has 'nothing' in its name. There are 1." in other.err
