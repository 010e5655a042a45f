from __future__ import annotations

import datetime as dt
import pickle
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import SQL, AssetKey, Identifier, Table
from warehouse_assets.errors import InvalidSQLError

ORDERS = AssetKey(["staging", "orders"])
LINES = AssetKey("lines")


def answer(query: SQL, **tables: str) -> list[tuple[Any, ...]]:
    """The rows of a query, on real DuckDB, over tables given by the SQL that makes them."""
    with duckdb.connect() as connection:
        for name, made_by in tables.items():
            connection.execute(f'create table "{name}" as {made_by}')
        text, parameters = query.render()
        return connection.execute(text, parameters).fetchall()


@pytest.mark.parametrize(
    ("query", "text", "parameters"),
    [
        (SQL("select 1"), "select 1", {}),
        (SQL("select {a: 1} as s"), "select {a: 1} as s", {}),
        (SQL("select * from {t}", t=Table(ORDERS)), 'select * from "staging"."orders"', {}),
        (SQL("select {x}, {x}", x=1), "select $x, $x", {"x": 1}),
        (SQL("select {y: 1}, {x}", x=1), "select {y: 1}, $x", {"x": 1}),
        (SQL("select * from {q} t", q=SQL("select {x};", x=1)), "select * from (select $x\n) t", {"x": 1}),
        (
            SQL("from {p}, {q} where z = {x}", p=SQL("select {x}", x=1), q=SQL("select {x}", x=2), x=3),
            "from (select $x\n), (select $x_2\n) where z = $x_3",
            {"x": 1, "x_2": 2, "x_3": 3},
        ),
        (SQL("select {x}, {q}", x=1, q=SQL("select {x_2}, {x}", x=2, x_2=3)), None, {"x": 1, "x_2": 3, "x_3": 2}),
    ],
    ids=str,
)
def test_values_are_bound_and_never_pasted(query: SQL, text: str | None, parameters: dict[str, Any]) -> None:
    rendered = query.render()

    assert rendered == (text or rendered[0], parameters)


HOSTILE = [
    "'; drop table orders; --",
    "{x}",
    "$x",
    '"',
    "\\",
    "\n",
    "",
    None,
    1,
    2.5,
    True,
    dt.date(2026, 1, 2),
    b"\x00",
    [1, 2],
]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_a_hostile_value_arrives_as_it_is(value: Any) -> None:
    assert answer(SQL("select {x}", x=value)) == [(value,)]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9))
def test_a_hostile_table_name_is_quoted(name: str) -> None:
    quoted = SQL("select * from {t}", t=Table(AssetKey(name)))

    with duckdb.connect() as connection:
        connection.execute(f"create table {Table(AssetKey(name))} as select 1 as x")

        assert connection.execute(quoted.render()[0]).fetchall() == [(1,)]


@given(st.text(st.sampled_from("ab\"'.; \n$-/*"), min_size=1, max_size=9))
def test_a_hostile_table_name_is_found_again(name: str) -> None:
    key = AssetKey(["main", name])

    resolved = SQL("with x as (select 1) select * from {t} -- {t}", t=Table(key)).resolve({key: None})

    assert resolved.tables == (key,)


def test_a_query_inside_a_query_may_end_in_a_comment() -> None:
    assert answer(SQL("select count(*) from {q}", q=SQL("select * from t -- all of them")), t="select 1") == [(1,)]


def test_what_stands_in_a_comment_is_left_alone() -> None:
    query = SQL("select {x} -- {y} {t}\n/* {x} {q} */ from {q}", x=1, y=2, q=SQL("select 1\n--"), t=Table(AssetKey("a\nb")))

    resolved = query.resolve({})

    assert resolved.template == "select $x -- {y} {t}\n/* {x} {q} */ from (select 1\n--\n)"
    assert resolved.parameters == {"x": 1}


def test_the_tables_are_listed_each_once() -> None:
    query = SQL("select * from {t} a join lines on true join staging.orders", t=Table(ORDERS))

    assert query.tables() == (("staging", "orders"), ("lines",))


def test_tables_are_matched_with_assets_and_named_as_the_engine_knows_them() -> None:
    query = SQL("select orders.id from staging.orders join Lines using (id) where id > {least}", least=3)

    resolved = query.resolve({ORDERS: None, LINES: None, AssetKey("unused"): None})

    assert (resolved.tables, dict(resolved.parameters)) == ((ORDERS, LINES), {"least": 3})
    assert resolved.text({ORDERS: '"x"', LINES: "scan('l')"}) == (
        'select orders.id from "x" as "orders" join scan(\'l\') as "Lines" using (id) where id > $least'
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            SQL("select *\nfrom staging.ordrs"),
            "reads the table 'staging.ordrs', which is not among its dependencies (",
        ),
        (
            SQL("select * from elsewhere"),
            "Declare it with deps=[…] or an argument annotated Table. Declared are lines, staging/orders.",
        ),
        (SQL("set x = 1; select 2"), "the SQL of asset 'bills': it holds 2 statements, where one query is expected"),
        (
            SQL("select '{x}'", x=1),
            "the SQL of asset 'bills': it has {x} inside quotes, where no value can be put. Leave the quotes out.",
        ),
        (SQL('select "{x}"', x=1), "the SQL of asset 'bills': it has {x} inside quotes"),
        (
            SQL("select * from {q}", q=SQL("select '{t}'", t=Table(ORDERS))),
            "the SQL of asset 'bills': it has {t} inside quotes",
        ),
        (SQL("select '{x}", x=1), "the SQL of asset 'bills': it cannot be read"),
    ],
    ids=["close", "unknown", "two", "literal", "identifier", "nested", "torn"],
)
def test_what_is_wrong_names_the_asset(query: SQL, message: str) -> None:
    with pytest.raises(InvalidSQLError) as caught:
        query.resolve({ORDERS: None, LINES: None}, asset_key=AssetKey("bills"))

    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text", ["select * from 'x.parquet'", "select * from information_schema.tables", "select * from range(3)"]
)
def test_what_belongs_to_the_engine_needs_no_asset(text: str) -> None:
    assert SQL(text).resolve({}).tables == ()


def test_an_asset_that_has_the_name_of_a_common_table_expression_is_not_read() -> None:
    resolved = SQL("with lines as (select 1 as id) select * from lines join staging.orders").resolve(
        {ORDERS: None, LINES: None}
    )

    assert resolved.tables == (ORDERS,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SQL("select {a}", b=1), "the SQL has no place for 'b'. Write it in braces"),
        (lambda: SQL("select {since}", sinse=1), "the SQL has no place for 'sinse'. Did you mean 'since'?"),
        (lambda: SQL(3), "SQL is made from text"),
    ],
    ids=["unused", "typo", "number"],
)
def test_sql_that_cannot_be_meant_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InvalidSQLError) as caught:
        make()

    assert str(caught.value).startswith(message)


def test_sql_is_a_value_that_shows_itself() -> None:
    query = SQL("select {x}", x=1)

    assert (pickle.loads(pickle.dumps(query)), repr(query)) == (query, "SQL('select $x', x=1)")
    assert query != SQL("select {x}", x=2)


class TestComposition:
    @pytest.mark.parametrize(
        ("query", "rows"),
        [
            (SQL("select {c} from t", c=Identifier("a b")), [(1,), (2,)]),
            (SQL("select {c} from t", c=Identifier("t", 'q"q')), [("x",), ("y",)]),
            (SQL("select {c} from t", c=[Identifier("a b"), Identifier('q"q')]), [(1, "x"), (2, "y")]),
            (SQL("select * from t where {w}", w=SQL("{c} > {n}", c=Identifier("a b"), n=1)), [(2, "y")]),
            (
                SQL(
                    "select {sums} from t",
                    sums=[SQL("count(*) filter ({c} = {v})", c=Identifier("a b"), v=v) for v in (1, 2, 3)],
                ),
                [(1, 1, 0)],
            ),
            (SQL("select * from t {more}", more=SQL("where {c} = {v}", c=Identifier('q"q'), v="x").as_part()), [(1, "x")]),
            (SQL("select * from t {more}", more=SQL.join(" ", [])), [(1, "x"), (2, "y")]),
            (SQL("select count(*) from ({u})", u=SQL.join(" union all ", [SQL("from t"), SQL("from t -- again")])), [(4,)]),
            (SQL('select "a b" from t where "a b" in {ids}', ids=[2, 3]), [(2,)]),
            (SQL("select {s} from t", s=[SQL("{v} as one", v=1), SQL("{v} as two", v=2)]), [(1, 2), (1, 2)]),
        ],
        ids=str,
    )
    def test_parts_of_a_query_are_put_together(self, query, rows):
        assert answer(query, t="""select * from (values (1, 'x'), (2, 'y')) as v("a b", "q""q")""") == rows

    @pytest.mark.parametrize("name", ["'; drop table t; --", '"', "a.b", "{x}", "$x", "x\ny", "é"])
    def test_a_name_is_one_name(self, name):
        made = answer(SQL("select {c} from (select 7 as {c})", c=Identifier(name)))

        assert made == [(7,)]

    @pytest.mark.parametrize("parts", [(), ("",), (3,), ("a", None), ("a\0b",)], ids=repr)
    def test_what_is_no_name_is_refused(self, parts):
        with pytest.raises(InvalidSQLError, match="Identifier is made from names"):
            Identifier(*parts)

    def test_only_parts_are_joined(self):
        with pytest.raises(InvalidSQLError, match="'select 1' is no part of a query"):
            SQL.join(", ", ["select 1"])

    def test_values_of_parts_are_told_apart(self):
        query = SQL("select {x}, {parts}", x=0, parts=[SQL("{x}", x=1), SQL("{x} + {y}", x=2, y=3)])

        assert answer(query) == [(0, 1, 5)]

    def test_a_part_survives_copies(self):
        part = SQL.join(", ", [SQL("{x}", x=1)])

        assert pickle.loads(pickle.dumps(part)).is_part
        assert part.told(dialect="duckdb").is_part
        assert part == SQL.join(", ", [SQL("{x}", x=1)])


def template(*parts: Any) -> Any:
    """A template string as Python 3.14 makes it, which older ones cannot write."""
    kind = type("Template", (), {"__module__": "string.templatelib"})
    made: Any = kind()
    made.strings = parts[::2]
    made.interpolations = [SimpleNamespace(**{"conversion": None, "format_spec": "", **part}) for part in parts[1::2]]
    return made


def test_a_template_string_binds_its_values():
    query = SQL(template("select ", {"expression": "day", "value": 3}, " + ", {"expression": "f(x)", "value": 4}, " as {day2}"))

    assert query.render() == ("select $day + $value_2 as {day2}", {"day": 3, "value_2": 4})


def test_a_template_string_keeps_names_apart():
    query = SQL(template("select ", {"expression": "x", "value": 3}, ", {x}, ", {"expression": "x", "value": 4}, ""))
    text, parameters = query.render()

    assert text == "select $x_, {x}, $x__"
    assert parameters == {"x_": 3, "x__": 4}


@pytest.mark.parametrize("odd", [{"conversion": "r"}, {"format_spec": ">3"}])
def test_a_template_string_formats_nothing(odd):
    with pytest.raises(InvalidSQLError, match="has a format"):
        SQL(template("select ", {"expression": "x", "value": 3, **odd}, ""))


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (Colour.RED, "red"),
        (Path("a/b"), "a/b"),
        (range(3), [0, 1, 2]),
        (frozenset([4]), [4]),
        (np.array([1, 2]), [1, 2]),
        (pl.Series([1, 2]), [1, 2]),
        (pa.array([1, 2]), [1, 2]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_of_python_are_those_that_databases_have(value, bound):
    _, parameters = SQL("select {x}", x=value).render()

    assert parameters == {"x": bound}
    assert type(parameters["x"]) is type(bound)


def test_sql_with_arrays_can_be_compared():
    one, same, other = (SQL("select {x}", x=np.array(values)) for values in ([1, 2], [1, 2], [1, 3]))

    assert (one == same, one == other) == (True, False)


def test_a_place_may_have_any_name_that_python_has():
    query = SQL("select {größe} + {Δ} as {名}, '{}', {1}, {a-b}", größe=1, Δ=2, 名=Identifier("é"))

    assert query.render() == ("select $größe + $Δ as \"é\", '{}', {1}, {a-b}", {"größe": 1, "Δ": 2})
    assert answer(SQL("select {größe} as x", größe=3)) == [(3,)]


@pytest.mark.parametrize(
    "value", [pl.DataFrame({"a": [1]}), pl.LazyFrame({"a": [1]}), pa.table({"a": [1]})], ids=["eager", "lazy", "arrow"]
)
def test_a_frame_is_no_value(value):
    with pytest.raises(InvalidSQLError, match="'x' is a frame, which is no value in SQL"):
        SQL("select {x}", x=value)


@pytest.mark.parametrize("value", [(n for n in range(3)), ORDERS, int, print], ids=["generator", "key", "class", "function"])
def test_what_is_no_value_is_refused(value):
    with pytest.raises(InvalidSQLError, match=r"'x' is .*, which is no value in SQL"):
        SQL("select {x}", x=value)


def test_parts_and_values_are_not_mixed_in_a_list():
    with pytest.raises(InvalidSQLError, match="'b' is no part of a query"):
        SQL("select {x}", x=[Identifier("id"), "b"])


def test_a_template_and_names_beside_it_go_together():
    query = SQL(template("select ", {"expression": "x", "value": 3}, ", {y}"), y=4)

    assert query.render()[1] == {"x": 3, "y": 4}
    with pytest.raises(InvalidSQLError, match="'x' is in the template, and given by name too"):
        SQL(template("select ", {"expression": "x", "value": 3}, ""), x=4)


def test_a_template_in_a_template_is_a_query():
    inner = template("select ", {"expression": "é", "value": 3}, " as x")
    query = SQL(template("select x + 1 from ", {"expression": "inner", "value": inner}, ""))

    assert answer(query) == [(4,)]


@pytest.mark.parametrize("end", [";", "; -- end", " ;\n/* end */ ", "-- end;"])
def test_a_subquery_may_end_as_people_end_it(end):
    assert answer(SQL("from ({q})", q=SQL(f"select 1 {end}"))) == [(1,)]


def test_a_separator_has_no_places():
    with pytest.raises(InvalidSQLError, match="has a place for a value"):
        SQL.join(" {x} ", [SQL("1"), SQL("2")])
