"""Tests for warehouse_assets.sql.faults."""

from __future__ import annotations

import pickle

import pytest

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.sql.faults import fault_said, position_said
from warehouse_assets.sql.origin import SQLOrigin

WRITTEN = "select id,\n\tamonut\nfrom shop.orders"
GIVEN = 'select id,\n\tamonut\nfrom "w"."shop"."orders" as "orders"'
SAID = 'column "amonut" does not exist\nLINE 2: \tamonut\n        \t^'.replace("        \t^", "         ^")


def test_a_fault_is_shown_in_its_file() -> None:
    sql = SQL(WRITTEN).told(origin=SQLOrigin("models/bills.sql", 4))
    fault = fault_said(sql, SAID, GIVEN, AssetKey("bills"))

    assert str(fault) == (
        "the SQL of asset 'bills': column \"amonut\" does not exist (models/bills.sql:5:2)\n    \tamonut\n    \t^^^^^^"
    )
    assert str(pickle.loads(pickle.dumps(fault))) == str(fault)


def test_a_fault_is_found_in_python() -> None:
    sql = SQL("""
        select amonut
        from shop.orders
    """)
    fault = fault_said(sql, "no such column: amonut", sql.template)

    assert (fault.where or "").endswith("test_faults.py:32:16")


def test_a_fault_in_text_that_is_put_together_is_told_by_the_call() -> None:
    column = "amonut"
    sql = SQL(f"select {column}")
    fault = fault_said(sql, "no such column: amonut", sql.template)

    assert (fault.where or "").endswith("test_faults.py:42, line 1 and column 8 of the text")


def test_a_fault_is_found_in_the_query_that_it_is_in() -> None:
    inner = SQL("select id, knd from shop.orders").told(origin=SQLOrigin("inner.sql", 1))
    outer = SQL("select id from {inner} where id = {n}", inner=inner, n=1).told(origin=SQLOrigin("outer.sql", 1))
    text, _ = outer.render("duckdb")

    assert fault_said(outer, "no such column: knd", text).where == "inner.sql:1:12"


@pytest.mark.parametrize(
    ("said", "text", "position"),
    [
        ("oops", "select a", None),
        ("no such column: a", "select a, a", None),
        ("no such column: t.a", "select t.a", 7),
        ("no such column: x.a", "select a, ab", 7),
        ('near "whre": syntax error', "select a from t whre (b", 16),
        ("You have an error near 'whre b' at line 1", "select a from t whre b", 16),
        ('Binder Error: Referenced column "b" not found', "select a, b", 10),
        ("x\n\nLINE 1: ...b as b1, b as b2 from...\n                    ^", "select b as b0, b as b1, b as b2 from t", 25),
        ("x\nLINE 2: a, a\n           ^", "select a,\na, a", 13),
        ("x\nLINE 1: a\n                      ^", "select a", None),
    ],
    ids=["nothing", "twice", "qualified", "alias", "sqlite", "mysql", "duckdb", "cut", "line", "beyond"],
)
def test_the_place_that_an_engine_means(said: str, text: str, position: int | None) -> None:
    assert position_said(said, text) == position


def test_what_cannot_be_parsed_is_shown() -> None:
    sql = SQL("select a,\n  b from t where where x").told(origin=SQLOrigin("q.sql", 1))

    with pytest.raises(InvalidSQLError, match=r"\(q.sql:2:18\)\n      b from t where where x\n +\^{5}$"):
        sql.resolve({})
