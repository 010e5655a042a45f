from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import duckdb
import pytest

from tests.sql.lineage_cases import CASES, OPAQUE, SCHEMA
from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.lineage import QueryLineage, SourceColumn, column_lineage

LINEAGES = {query: column_lineage(query, schema_of=SCHEMA) for query in CASES}
SOURCES = [SourceColumn(table, column) for table, columns in SCHEMA.items() for column in columns]
SHAPES: dict[str, Callable[[int], Any]] = {"st": lambda n: {"x": n, "y": -n}, "l": lambda n: [n] * (n % 3)}


def joined(columns: Iterable[SourceColumn]) -> str:
    return ",".join(".".join((*source.table, source.column)) for source in sorted(columns))


def shown(lineage: QueryLineage) -> str:
    words = {"derived": "f", "aggregated": "agg"}
    columns = []
    for column in lineage.columns:
        inside = joined(column.sources) + (f" if {joined(column.conditions)}" if column.conditions else "")
        columns.append(f"{column.name}=" + (inside if column.kind == "direct" else f"{words[column.kind]}({inside})"))
    return " ".join([*columns, *(["…"] if lineage.others else [])]) + (f" | {joined(lineage.rows)}" if lineage.rows else "")


def fill(connection: duckdb.DuckDBPyConnection, table: tuple[str, ...], seed: int, other: str | None = None) -> None:
    """A table of rows that are the same for each seed, but for the one column `other`."""
    columns, values = SCHEMA[table], {}
    for column in columns:
        numbers = random.Random(f"{table}{column}{seed}{'other' if column == other else ''}")
        shape = SHAPES.get(column, int)
        drawn = [numbers.choice([None, *range(1, 5 + 5 * (seed % 2))]) for _ in range(4 + 12 * seed)]
        values[column] = [None if number is None else shape(number) for number in drawn]
    rows = ", ".join(f'unnest(${at}) as "{column}"' for at, column in enumerate(columns, 1))
    name = ".".join(f'"{part}"' for part in table)
    connection.execute(f"create or replace table {name} as select {rows}", list(values.values()))


def answer(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the values of each, in no order."""
    *before, last = query.split("; ")
    for statement in before:
        connection.execute(statement.replace("create ", "create or replace ", 1))
    cursor = connection.execute(last)
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    return names, [sorted(repr(row[index]) for row in rows) for index in range(len(names))]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        connection.execute("create schema s")
        for table in SCHEMA:
            fill(connection, table, 0)
        yield connection


@pytest.fixture(scope="module")
def changes(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, set[SourceColumn]]]:
    """For each query and column of it the columns of tables that, filled otherwise, changed its values in the engine."""
    changed: dict[str, dict[str, set[SourceColumn]]] = {query: {} for query in CASES}
    for seed in range(4):
        for table in SCHEMA:
            fill(connection, table, seed)
        first = {query: answer(connection, query) for query in CASES}
        for source in SOURCES:
            fill(connection, source.table, seed, source.column)
            for query, (names, was) in first.items():
                if re.search(rf"\b{source.table[-1]}\b", query):
                    _, now = answer(connection, query)
                    for name, before, after in zip(names, was, now, strict=True):
                        if before != after:
                            changed[query].setdefault(name, set()).add(source)
            fill(connection, source.table, seed)
    return changed


@pytest.mark.parametrize(("query", "columns"), CASES.items(), ids=CASES)
def test_what_the_columns_are_made_from(query: str, columns: str) -> None:
    lineage = LINEAGES[query]

    assert (shown(lineage), lineage.is_complete, lineage.opaque) == (columns, True, None)


def test_the_columns_are_those_that_the_engine_gives(connection: duckdb.DuckDBPyConnection) -> None:
    given = {query: answer(connection, query)[0] for query in CASES}

    assert {query: [column.name for column in lineage.columns] for query, lineage in LINEAGES.items()} == given


def test_no_other_columns_change_what_the_engine_gives(changes: dict[str, dict[str, set[SourceColumn]]]) -> None:
    unforeseen = {
        f"{column.name} of {query}": joined(more)
        for query, lineage in LINEAGES.items()
        for column in lineage.columns
        if (more := changes[query].get(column.name, set()) - column.sources - column.conditions - lineage.rows)
    }

    assert unforeseen == {}


def test_all_that_columns_are_made_from_changes_what_the_engine_gives(
    changes: dict[str, dict[str, set[SourceColumn]]],
) -> None:
    idle = {
        f"{column.name} of {query}": joined(less)
        for query, lineage in LINEAGES.items()
        for column in lineage.columns
        if (less := column.sources - changes[query].get(column.name, set()))
    }

    assert idle == {}


@pytest.mark.parametrize("query", OPAQUE)
def test_what_cannot_be_told_is_opaque(query: str) -> None:
    columns, reason = OPAQUE[query]
    lineage = column_lineage(query, schema_of=SCHEMA)
    reasons = {lineage.opaque, *(column.opaque for column in lineage.columns)} - {None}

    assert (shown(lineage), reasons) == (columns, {reason} - {""})


@pytest.mark.parametrize("text", ["", "drop table t", "select (1", "select 'a", "create table k (a int)"])
def test_what_is_no_query_is_refused(text: str) -> None:
    with pytest.raises(InvalidSQLError):
        column_lineage(text)


@pytest.mark.parametrize(
    ("query", "columns"),
    {
        'select A as Low, "B" as "High" from t': "low=t.a High=t.B",
        "select b from t": "b=f()",
        "select count(*), a + 1, upper(a) from t": "count=agg() ?column?=f(t.a) upper=f(t.a)",
        "select v, o from t, unnest(array[a]) with ordinality as x(v, o)": "v=f(t.a) o=f(t.a) | t.a",
    }.items(),
)
def test_names_in_postgres_are_compared_as_it_does(query: str, columns: str) -> None:
    assert shown(column_lineage(query, "postgres", {("t",): ["a", "B"]})) == columns


@pytest.mark.parametrize(
    ("query", "columns"),
    {
        "insert into k select a, b from t": "a=t.a b=t.b",
        "insert into k (x, y) select a, b from t": "x=t.a y=t.b",
        "create table k as select a as x from t; insert into k select d from u": "x=t.a,u.d",
        "create or replace view k as select a as x from t": "x=t.a",
        "with x as (select a + b as y from t) insert into k (z) select y from x": "z=f(t.a,t.b)",
    }.items(),
)
def test_a_statement_that_ends_in_a_query_has_the_columns_of_what_it_fills(query: str, columns: str) -> None:
    assert shown(column_lineage(query, schema_of=SCHEMA)) == columns


@pytest.mark.parametrize(
    ("query", "names", "columns"),
    [
        ("select b, a from t", ["a", "b"], "a=t.a b=t.b"),
        ("select a, sum(b), max(c) from t group by a", ["a", "total", "most"], "a=t.a total=agg(t.b) most=agg(t.c) | t.a"),
        ("select * from t join u on t.a = u.a", ["a", "b", "c", "a_1", "d"], "a=t.a b=t.b c=t.c a_1=u.a d=u.d | t.a,u.a"),
        ("pivot t on b using sum(c)", ["a", "1", "7"], "a=t.a 1=agg(t.b,t.c) 7=agg(t.b,t.c) | t.a"),
        ("select *, d as e from unknown", ["d", "x", "e"], "d=unknown.d x=unknown.x e=unknown.d"),
        ("select A as B from t", ["b"], "b=t.a"),
        ("select a from t", ["a", "valid_from"], "a=t.a valid_from=f()"),
        ("select unnest(st) from n", ["x", "y"], "x=f(n.st) y=f(n.st) | n.st"),
    ],
)
def test_the_columns_of_a_stored_table_are_found_in_its_query(query: str, names: list[str], columns: str) -> None:
    fitted = column_lineage(query, schema_of=SCHEMA).fitted(names)

    assert shown(fitted) == columns
    assert [c.name for c in fitted.columns if c.opaque] == [n for n in names if n == "valid_from" or "unnest" in query]


def test_a_formula_of_any_length_is_followed() -> None:
    lineage = column_lineage(f"select {' + '.join(['a', 'b'] * 400)} as x from t where {' or '.join(['c = 1'] * 400)}")

    assert shown(lineage) == "x=f(t.a,t.b) | t.c"


@pytest.mark.parametrize("kind", ["union all", "union", "union all by name"])
def test_a_union_of_any_number_of_queries_is_followed(kind: str) -> None:
    lineage = column_lineage(f" {kind} ".join(["select a as x from t", "select d as x from u"] * 500), schema_of=SCHEMA)

    assert shown(lineage) == ("x=t.a,u.d | t.a,u.d" if kind == "union" else "x=t.a,u.d")


def test_the_text_of_a_formula_that_no_one_can_read_is_refused() -> None:
    with pytest.raises(InvalidSQLError):
        column_lineage(f"select {'(' * 5_000}1{')' * 5_000}")
