from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from warehouse_assets.asset_tests.difference import Comparison, difference

pytestmark = pytest.mark.semantics(34)


def told(made: Any, expected: Any, **options: Any) -> str:
    return "\n".join(difference(pl.DataFrame(made), pl.DataFrame(expected), Comparison(**options)))


ORDERS = {"id": [1, 2, 3], "day": ["mon", "tue", "wed"], "amount": [1.0, 2.0, None]}


def test_equal_frames_have_no_difference_in_any_order() -> None:
    made = pl.DataFrame(ORDERS)

    assert told(made, made.reverse().select("amount", "id", "day")) == ""
    assert told(made.clear(), made.clear()) == ""
    assert told({"n": [1, 1, 2]}, {"n": [2, 1, 1]}) == ""


def test_cells_that_differ_are_shown_by_the_column_that_tells_rows_apart() -> None:
    made = {"id": [1, 2, 4], "day": ["mon", "", "thu"], "amount": [1.0, 2.5, 4.0]}

    assert told(made, ORDERS) == (
        "rows only made:\n"
        "  id  day  amount\n"
        "  4   thu  4.0\n"
        "rows only expected:\n"
        "  id  day  amount\n"
        "  3   wed  null\n"
        "cells that differ:\n"
        "  id  column  made  expected\n"
        "  2   day     ''    tue\n"
        "  2   amount  2.5   2.0"
    )


def test_columns_and_types_that_differ_are_shown() -> None:
    made = pl.DataFrame({"id": [1], "n": [2], "more": ["x"]}, schema_overrides={"n": pl.Int32})

    assert told(made, {"id": [1], "n": [2], "less": [1.5]}) == (
        "columns only made: more (String)\n"
        "columns only expected: less (Float64)\n"
        "types that differ:\n"
        "  column  made   expected\n"
        "  n       Int32  Int64"
    )


def test_types_can_be_left_aside_but_text_is_no_number() -> None:
    made = pl.DataFrame({"n": [2], "day": [dt.date(2024, 5, 1)], "text": ["1"]}, schema_overrides={"n": pl.Int8})
    moment = dt.datetime.fromisoformat("2024-05-01")

    assert told(made, {"n": [2.0], "day": [moment], "text": ["1"]}, check_types=False) == ""
    assert "text    String  Int64" in told(made, {"n": [2], "day": [moment], "text": [1]}, check_types=False)
    assert "1     n       2     2.5" in told(made, {"n": [2.5], "day": [moment], "text": ["1"]}, check_types=False, by=["text"])
    assert told({"n": [1.1]}, {"n": [Decimal("1.1")]}, check_types=False) == ""


def test_the_order_of_rows_counts_where_it_is_asked_for() -> None:
    assert told({"n": [1, 2, 3]}, {"n": [2, 1]}, check_order=True) == (
        "3 rows made, 2 expected\n"
        "rows only made:\n"
        "  n\n"
        "  3\n"
        "cells that differ:\n"
        "  row  column  made  expected\n"
        "  1    n       1     2\n"
        "  2    n       2     1"
    )


def test_rows_are_told_apart_by_several_columns() -> None:
    made = {"a": [1, 1], "b": ["x", "y"], "n": [1, 2]}

    assert told(made, {**made, "n": [1, 3]}, by=["a", "b"]) == (
        "cells that differ:\n  a  b  column  made  expected\n  1  y  n       2     3"
    )
    assert told(made, made, by=["a"]) == (
        "several rows made have the same a:\n  a\n  1\nseveral rows expected have the same a:\n  a\n  1"
    )
    assert told(made, made, by=["c"]) == "rows cannot be told apart by 'c', which both do not have in one type"


def test_rows_that_nothing_tells_apart_are_counted() -> None:
    assert told({"n": [1, 1, 2]}, {"n": [1, 2, 2]}) == "rows only made:\n  n\n  1\nrows only expected:\n  n\n  2"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([0.1 + 0.2], [0.3]),
        ([float("nan"), None], [None, float("nan")]),
        ([1e-13, 0.3, 0.1], [0.1, 0.3 + 1e-12, 0.0]),
        ([[0.1 + 0.2]], [[0.3]]),
        ([{"a": 0.1 + 0.2}], [{"a": 0.3}]),
    ],
    ids=["float", "nan", "many", "list", "struct"],
)
def test_floats_may_differ_by_a_little(made: list[Any], expected: list[Any]) -> None:
    repeated = [1] * len(made)

    assert told({"n": made}, {"n": expected}) == ""
    assert told({"k": repeated, "n": made}, {"k": repeated, "n": expected}) == ""


def test_how_little_is_said() -> None:
    made = {"id": [1], "n": [1.0]}

    assert told(made, {"id": [1], "n": [1.05]}, rel_tol=0.1) == ""
    assert told(made, {"id": [1], "n": [1.05]}, abs_tol=0.1) == ""
    assert told(made, {"id": [1], "n": [1.05]}) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pl.Series([1, 2], dtype=pl.Datetime("ns")), pl.Series([1, 3], dtype=pl.Datetime("ns"))),
        (pl.Series([1, 2], dtype=pl.Duration("ns")), pl.Series([1, 3], dtype=pl.Duration("ns"))),
        (pl.Series([1, 2], dtype=pl.Time), pl.Series([1, 3], dtype=pl.Time)),
        (pl.Series([None, "a"]), pl.Series(["", "a"])),
        (pl.Series([Decimal("1.1")]), pl.Series([Decimal("1.2")])),
        (pl.Series([[1, None]]), pl.Series([[1, 0]])),
        (pl.Series([0.0, None]), pl.Series([0.0, float("nan")])),
        (pl.Series([None], dtype=pl.Int64), pl.Series([0])),
    ],
    ids=["moment", "duration", "time", "null and empty", "decimal", "list", "null and nan", "null and zero"],
)
def test_small_differences_are_differences(one: pl.Series, other: pl.Series) -> None:
    assert told({"n": one}, {"n": one}) == ""
    assert told({"n": one}, {"n": other}) != ""


def test_a_large_difference_stays_small_in_the_terminal() -> None:
    made = {f"column {number}": range(100) for number in range(40)}

    text = told(made, {name: [1000] for name in made})

    assert len(text.splitlines()) == 17
    assert max(map(len, text.splitlines())) <= 120
    assert "… and 90 more" in text


def test_a_long_text_is_cut() -> None:
    assert f"{'x' * 39}…" in told({"id": [1], "t": ["x" * 300]}, {"id": [1], "t": ["y"]})
