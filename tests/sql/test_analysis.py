from __future__ import annotations

import pytest

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.analysis import replace_tables, table_references, token_spans

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
        ("select 1; select 2", "it holds 2 statements"),
        ("select * from a; drop table a", "it holds 2 statements"),
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
