"""`wa versions` and `wa rollback`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

PRICES = """
import os

import polars as pl

from io_managers import DuckDBIOManager, InMemoryIOManager, ParquetIOManager
from warehouse_assets import Definitions, TableOptions, asset


@asset(key_prefix="shop", table=TableOptions(keep_versions=3), data_version="content")
def prices() -> pl.DataFrame:
    return pl.DataFrame({"price": range(int(os.environ["PRICES"]))})


@asset(key_prefix="shop", code_version="1")
def total(prices: pl.DataFrame) -> pl.DataFrame:
    return prices.sum()


@asset(io_manager_key="memory")
def plain() -> pl.DataFrame:
    return pl.DataFrame({"n": [1]})


stores = {"duckdb": DuckDBIOManager(database="prices.duckdb"), "parquet": ParquetIOManager(base_path="lake")}
defs = Definitions([prices, total, plain], resources={"io_manager": stores[os.environ["STORE"]], "memory": InMemoryIOManager()})
"""


@pytest.fixture(params=["duckdb", "parquet"])
def shop(
    request: pytest.FixtureRequest,
    project: Path,
    wa: Run,
    monkeypatch: pytest.MonkeyPatch,
    forget_modules_of: Callable[[Path], None],
) -> Run:
    """Runs a command on a module whose table `shop/prices` keeps three versions; with `prices`, it has so many rows."""
    (project / "prices.py").write_text(PRICES)
    monkeypatch.setenv("STORE", request.param)

    def run(command: str, *args: str, prices: int = 0) -> Any:
        monkeypatch.setenv("PRICES", str(prices))
        forget_modules_of(project)
        return wa(command, *args, "-m", "prices")

    return run


def kept(shop: Run) -> Any:
    return json.loads(shop("versions", "shop/prices", "--json").out)


def rows(shop: Run) -> int:
    answer = shop("query", "select count(*) as n from shop.prices", "--csv")
    return int(answer.out.split()[1])


def test_versions_are_listed_with_the_run_that_made_them(shop: Run) -> None:
    for prices in (1, 2000):
        shop("materialize", prices=prices)
    answer, versions = shop("versions", "prices"), kept(shop)
    shown = [line.split() for line in answer.out.splitlines()]

    assert (answer.code, answer.err) == (0, "")
    assert shown[0] == ["version", "published", "(UTC)", "run", "rows"]
    assert [line[0] for line in shown[-2:]] == [each["version"] for each in versions]
    assert [line[-1] for line in shown[-2:]] == ["1", "2,000"]


def test_versions_for_programs(shop: Run) -> None:
    for prices in (1, 2):
        shop("materialize", prices=prices)
    versions = kept(shop)

    assert [list(each) for each in versions] == [["version", "timestamp", "run_id", "row_count"]] * 2
    assert [each["row_count"] for each in versions] == [1, 2]
    assert len({each["run_id"] for each in versions}) == 2
    assert all(datetime.fromisoformat(each["timestamp"]).utcoffset() == timedelta(0) for each in versions)


def test_a_rollback_goes_back_by_one_and_says_how_to_undo_it(shop: Run) -> None:
    for prices in (1, 2):
        shop("materialize", prices=prices)
    first, second = (each["version"] for each in kept(shop))
    answer = shop("rollback", "prices")
    back, made = rows(shop), kept(shop)[-1]["version"]
    undo = answer.out.splitlines()[1].removeprefix("To undo this: wa ").split()
    undone = shop(*undo)

    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        f"shop/prices is again what it was as version {first} as version {made}, 1 row.",
        f"To undo this: wa rollback prices --to {second}",
    ]
    assert (back, undone.code, rows(shop)) == (1, 0, 2)


@pytest.mark.parametrize("to", ["version", "run_id", "timestamp", "local"])
def test_a_rollback_goes_to_a_version_a_run_or_a_time(shop: Run, to: str) -> None:
    for prices in (1, 2, 3):
        shop("materialize", prices=prices)
    versions = kept(shop)
    moment = datetime.fromisoformat(versions[0]["timestamp"])
    local = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    answer = shop("rollback", "shop/prices", "--to", {**versions[0], "local": local}[to], "--json")
    told = json.loads(answer.out)

    assert answer.code == 0
    assert told == {
        "key": "shop/prices",
        "rolled_back_to": versions[0],
        "row_count": 1,
        "table_version": kept(shop)[-1]["version"],
    }
    assert rows(shop) == 1


def test_what_is_made_from_the_table_is_stale_after_it(shop: Run) -> None:
    for prices in (1, 2):
        shop("materialize", prices=prices)
    shop("rollback", "prices")
    states = {each["key"]: each["status"] for each in json.loads(shop("status", "--json").out)}
    again = shop("materialize", "--stale", "-s", "shop/total")

    assert (states["shop/prices"], states["shop/total"]) == ("fresh", "stale")
    assert again.code == 0
    assert shop("query", "select price from shop.total", "--csv").out.split() == ["price", "0"]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("rollback", "prices"), 1, "the table of asset 'shop/prices' has no version before the present one. It has "),
        (("rollback", "prices", "--to", "7-7"), 1, "the table of asset 'shop/prices' has no version '7-7'. It has "),
        (("rollback", "prices", "--to", "2020-01-01T00:00"), 1, "has none at 2020-01-01T00:00:00+00:00. It has "),
        (("rollback", "prices", "--to", "2020-13-01T00:00"), 1, "has no version '2020-13-01T00:00'"),
        (("rollback", "prices", "--to", "'; drop table x"), 1, "has no version"),
        (("rollback", "pricse"), 2, "there is no asset 'pricse'"),
        (("versions", "shop/pricse"), 2, "there is no asset 'shop/pricse'. Did you mean 'shop/prices'?"),
        (("versions", "plain"), 1, "InMemoryIOManager, which keeps asset 'plain', keeps no earlier versions of its tables"),
        (("rollback", "plain"), 1, "DuckDB, Parquet, Delta Lake and Iceberg do."),
    ],
    ids=["first", "version", "time", "no time", "sql", "key", "close key", "versions of none", "rollback of none"],
)
def test_what_cannot_be_meant_is_one_line_and_changes_nothing(
    shop: Run, args: tuple[str, ...], code: int, message: str
) -> None:
    shop("materialize", "-s", "shop/prices", prices=4)
    answer = shop(*args)

    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert [each["row_count"] for each in kept(shop)] == [4]


@pytest.mark.parametrize("command", ["versions", "rollback"])
def test_a_table_that_was_never_made_is_an_error(shop: Run, project: Path, command: str) -> None:
    answer = shop(command, "prices")

    assert answer.code == 1
    assert "shop" in answer.err
    assert "does not exist" in answer.err
    assert not (project / "prices.duckdb").exists()
