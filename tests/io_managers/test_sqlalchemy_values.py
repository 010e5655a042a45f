"""What people bind to the SQL of databases: values as the database has them, and errors that name what they gave."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from io_managers import SQLAlchemyIOManager
from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.testing.io_manager import KEY, ORDERS, load, source, store

MADE = AssetKey("made")
ZONED = dt.datetime(2024, 6, 1, 12, 30, tzinfo=ZoneInfo("Asia/Tokyo"))
MOMENTS = pl.DataFrame({"id": [1, 2], "at": [ZONED - dt.timedelta(minutes=1), ZONED + dt.timedelta(minutes=1)]}).with_columns(
    pl.col("at").dt.convert_time_zone("Asia/Tokyo")
)

pytestmark = pytest.mark.semantics(42)


@pytest.fixture(params=["sqlite", "postgres", pytest.param("mariadb_alone", id="mariadb")])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> SQLAlchemyIOManager:
    url = f"sqlite:///{tmp_path}/w.db" if request.param == "sqlite" else request.getfixturevalue(request.param).url
    return SQLAlchemyIOManager(url=url)


def made(manager: SQLAlchemyIOManager, text: str, **values: Any) -> list[tuple[Any, ...]]:
    store(manager, SQL(text, **values), MADE, sources={KEY: source(manager, KEY)})
    frame: pl.DataFrame = load(manager, pl.DataFrame, MADE)
    return frame.rows()


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "UTC", "America/New_York"])
def test_a_moment_is_the_same_in_any_time_zone(manager: SQLAlchemyIOManager, zone: str) -> None:
    store(manager, MOMENTS)

    assert made(manager, "select id from shop.orders where at > {at}", at=ZONED.astimezone(ZoneInfo(zone))) == [(2,)]


@pytest.mark.parametrize(
    "value",
    [
        UUID(int=5),
        dt.date(2024, 1, 2),
        dt.datetime(2024, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001
        "a ' b",
        True,
        None,
        -1,
        0.5,
    ],
    ids=["uuid", "date", "datetime", "text", "bool", "none", "int", "float"],
)
def test_values_compare_with_what_they_are(manager: SQLAlchemyIOManager, value: Any) -> None:
    store(manager, ORDERS)

    same = "is null" if value is None else "= {value}"
    assert made(manager, f"select id from shop.orders where {{value}} {same} and id = 1", value=value) == [(1,)]


@pytest.mark.parametrize("value", [object(), {"a": 1}, complex(1), pl.col("a")], ids=["object", "dict", "complex", "polars"])
def test_a_value_that_no_database_has_is_named(manager: SQLAlchemyIOManager, value: Any) -> None:
    store(manager, ORDERS)

    with pytest.raises(InvalidSQLError, match=r"'odd' is .* has no value of type"):
        made(manager, "select id, {odd} as x from shop.orders", odd=value)


def test_types_that_sqlite_lacks_are_named(tmp_path: Path) -> None:
    manager = SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.db")
    store(manager, ORDERS)

    for value in (Decimal("1.5"), dt.timedelta(1), dt.time(1, tzinfo=dt.UTC)):
        with pytest.raises(InvalidSQLError, match=f"sqlite has no value of type {type(value).__name__}"):
            made(manager, "select id from shop.orders where id < {limit}", limit=value)


def test_a_list_is_an_array_in_postgresql(postgres: Any) -> None:
    manager = SQLAlchemyIOManager(url=postgres.url)
    store(manager, ORDERS)

    assert made(manager, "select id from shop.orders where id = any({ids})", ids=[2, 3]) == [(2,), (3,)]


def test_a_list_that_is_no_array_follows_in(tmp_path: Path) -> None:
    manager = SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.db")
    store(manager, ORDERS)

    with pytest.raises(InvalidSQLError, match=r"'ids' is a list, which sqlite takes after IN only.*Write in \{ids\}, without"):
        made(manager, "select id from shop.orders where id in ({ids})", ids=[2, 3])


@pytest.mark.parametrize(
    "text",
    [
        "select id from shop.orders where nothing = {größe}",
        "select id from shop.orders where id = {größe} frm",
        "select '{größe}' as x from shop.orders",
        "select nope({größe}) as x from shop.orders",
        "select id from shop.ordres where id = {größe}",
    ],
    ids=["column", "syntax", "quotes", "function", "table"],
)
def test_an_error_has_the_names_that_people_gave(manager: SQLAlchemyIOManager, text: str) -> None:
    store(manager, ORDERS)

    with pytest.raises(InvalidSQLError) as caught:
        made(manager, text, größe=3)

    assert "_wa_" not in str(caught.value)


def test_a_value_that_is_used_twice_is_one(manager: SQLAlchemyIOManager) -> None:
    store(manager, ORDERS)
    text = "select id + {n} as m, count(*) as c from shop.orders group by id + {n} order by id + {n}"

    assert made(manager, text, n=1) == [(2, 1), (3, 1), (4, 1)]
