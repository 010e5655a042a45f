from __future__ import annotations

import pytest

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.analysis import read_script, replace_tables, table_references, token_spans

READS: dict[str, list[str]] = {
    "select * from orders": ["orders"],
    "from orders": ["orders"],
    "from staging.orders select id": ["staging.orders"],
    "select * from staging.orders": ["staging.orders"],
    'select * from "sta ging"."or""ders"': ['sta ging.or"ders'],
    'select * from "a.b"."c/d"': ["a.b.c/d"],
    "select * from lake.staging.orders": ["lake.staging.orders"],
    "select * from orders o join lines l using (id)": ["orders", "lines"],
    "select * from orders, lines": ["orders", "lines"],
    "select * from orders as a, orders as b": ["orders", "orders"],
    "select * from (select * from orders) as x": ["orders"],
    "select (select max(id) from orders) as m": ["orders"],
    "select * from a where id in (select id from b) and exists (select 1 from c where c.id = a.id)": ["a", "b", "c"],
    "select * from a union all select * from b except select * from c": ["a", "b", "c"],
    "(select * from a) intersect (select * from b)": ["a", "b"],
    "with x as (select * from orders) select * from x": ["orders"],
    "with X as (select * from orders) select * from x": ["orders"],
    "with orders as (select * from raw.orders) select * from orders": ["raw.orders"],
    "with orders as (select * from orders) select * from orders": ["orders"],
    "with a as (select 1), b as (select * from a) select * from b": [],
    "with a as (select * from b), b as (select 1) select * from b": ["b"],
    "with recursive t as (select 1 as n union all select n + 1 from t where n < 3) select * from t": [],
    "with x as (select 1) select * from main.x": ["main.x"],
    "select * from (with x as (select 1) select * from x) y join x using (id)": ["x"],
    "with x as (select 1) select * from (with x as (select * from a) select * from x) y": ["a"],
    "with x as (select * from a) select * from b where id in (select id from x)": ["a", "b"],
    "with x as (select * from a) select * from x union select * from b": ["a", "b"],
    "select * from a, lateral (select * from b where b.id = a.id) as c": ["a", "b"],
    "select * from read_parquet('x.parquet')": [],
    "select * from range(3) t join a on a.id = t.range": ["a"],
    "select * from unnest([1, 2])": [],
    "select 'from b' as x -- from c\n/* from d */ from a": ["a"],
    "select * from 'events.parquet'": ["events.parquet"],
    "values (1, 2)": [],
    "select * from a pivot (sum(x) for y in (1, 2))": ["a"],
    "pivot a on y using sum(x)": ["a"],
    "select * from a tablesample 10%": ["a"],
    "select * from a where x = {y: 1}.y": ["a"],
    "select a.b.c from a": ["a"],
    "select * from a asof join b on a.t >= b.t": ["a", "b"],
    "select * from a qualify row_number() over (order by x) = 1": ["a"],
    "select columns('x.*') from a": ["a"],
    "select * exclude (x) from a;": ["a"],
    "select * from größe": ["größe"],
    "select * from 注文": ["注文"],
}


@pytest.mark.parametrize(("query", "tables"), READS.items(), ids=READS)
def test_the_tables_that_a_query_reads(query: str, tables: list[str]) -> None:
    assert [".".join(reference.parts) for reference in table_references(query)] == tables


@pytest.mark.parametrize("query", READS)
def test_each_is_found_where_it_stands_in_the_text(query: str) -> None:
    spans = {query[reference.start : reference.end].replace('"', "").replace("'", "") for reference in table_references(query)}

    assert spans == {".".join(reference.parts).replace('"', "") for reference in table_references(query)}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it holds no statement"),
        ("-- only a comment", "it holds no statement"),
        (
            "select 1; select 2",
            "line 1, column 1: it holds 2 statements, of which number 1, 'select 1', does nothing for the query",
        ),
        ("select * from a; drop table a", "number 1, 'select \\*', does nothing for the query"),
        ("set threads = 2; drop table a", "number 2, 'drop table', is no query"),
        ("drop table a;\n\n select 1", "line 1, column 1: .* 'drop table', changes what is stored. Before the query"),
        ("select 1;\n pragma x", "number 1, .*, does nothing"),
        (
            "create temp table t as select 1;\n create table u as select 1;\n select 1",
            "line 2, column 2: .* number 2, 'create table', changes",
        ),
        ("insert into a select 1; select * from a", "'insert into', changes what is stored"),
        ("attach 'x.duckdb'; select 1", "changes what is stored"),
        ("a", "it is no query"),
        ("with x as (select 1) insert into b select 1", "it is INSERT, not a query"),
        ("drop table a", "it is DROP, not a query"),
        ("insert into a select 1", "it is INSERT, not a query"),
        ("create table a as select 1", "it is CREATE, not a query"),
        ("update a set x = 1", "it is UPDATE, not a query"),
        ("delete from a", "it is DELETE, not a query"),
        ("attach 'x.duckdb'", "not a query"),
        ("copy a to 'x.csv'", "not a query"),
        ("pragma version", "not a query"),
        ("select (1", "line 1, column"),
        ("select\n  'a", "cannot be read"),
    ],
)
def test_what_is_not_one_query_is_refused(text: str, fault: str) -> None:
    with pytest.raises(InvalidSQLError, match=fault):
        table_references(text)


SCRIPTS: dict[str, list[str]] = {
    "create temp table x as select * from a; select * from x join b using (id)": ["a", "b"],
    "create or replace temp view X as from a; from x": ["a"],
    "create temp table x (id int); insert into x select id from a; delete from x where id in (from b); from temp.x": ["a", "b"],
    "create temp table x as from a; drop table x; select 1": ["a"],
    "create temp table x as from x; from x": ["x"],
    "create temp table x as select 1; from main.x": ["main.x"],
    "create macro twice(n) as n * 2; select twice(n) from a": ["a"],
    "create temp macro of(n) as table select * from a where id = n; from of(1)": ["a"],
    "set threads = 2; pragma enable_progress_bar; load json; from a;": ["a"],
    ";; from a;;": ["a"],
}


@pytest.mark.parametrize(("text", "tables"), SCRIPTS.items(), ids=SCRIPTS)
def test_statements_before_the_query_prepare_what_it_reads(text: str, tables: list[str]) -> None:
    script = read_script(text)

    assert [".".join(reference.parts) for reference in script.references] == tables
    assert [text[start:end] for start, end in script.statements] == [part.strip() for part in text.split(";") if part.strip()]


def test_nested_too_deeply_is_an_error_of_the_sql() -> None:
    with pytest.raises(InvalidSQLError, match=r"nested too deeply"):
        read_script("select " + "(" * 5000 + "1" + ")" * 5000)


def test_a_dialect_that_is_none_is_told() -> None:
    with pytest.raises(InvalidSQLError, match="Unknown dialect 'duckbd'"):
        read_script("select 1", "duckbd")


def test_lines_and_columns_are_counted_from_one() -> None:
    references = table_references("select *\nfrom a\njoin b using (id)")

    assert [(reference.line, reference.column) for reference in references] == [(2, 6), (3, 6)]


@pytest.mark.parametrize(
    ("query", "replaced"),
    [
        ("select a.x from a where a.y > 1", "select a.x from read('a') as \"a\" where a.y > 1"),
        ("select t.x from s.a as t", "select t.x from read('a') as t"),
        ("select t.x from s.a t join b", "select t.x from read('a') t join read('b') as \"b\""),
        ("select 'a' from a -- a", "select 'a' from read('a') as \"a\" -- a"),
        ("with a as (select * from a) select * from a", "with a as (select * from read('a') as \"a\") select * from a"),
    ],
)
def test_tables_are_replaced_and_keep_their_names(query: str, replaced: str) -> None:
    replacements = [(reference, f"read('{reference.parts[-1]}')") for reference in table_references(query)]

    assert replace_tables(query, replacements) == replaced


def test_a_replacement_that_changes_nothing_leaves_the_text() -> None:
    query = "select Orders.id from Orders"

    assert replace_tables(query, [(table_references(query)[0], '"Orders"')]) == query


def test_a_literal_is_one_token_and_a_comment_none() -> None:
    text = "select 'a b', \"c d\" -- e\n, $$f g$$ /* h */"

    assert [text[start:end] for start, end in token_spans(text)] == ["select", "'a b'", ",", '"c d"', ",", "$$f g$$"]


def test_text_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidSQLError, match="cannot be read"):
        token_spans("select 'a")


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("select x from t where", "a part of WHERE is missing here", (1, 17)),
        ("select x +\nfrom t", "a part of ADD is missing here", (2, 1)),
        ("select x from t\norder by", "a part of ORDER is missing here", (2, 1)),
    ],
)
def test_what_is_missing_is_told_in_words(text, message, position):
    with pytest.raises(InvalidSQLError, match=message) as caught:
        table_references(text)

    assert caught.value.position == position
