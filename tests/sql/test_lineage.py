from __future__ import annotations

import random
from collections.abc import Iterator

import duckdb
import pytest

from tests.sql.lineage_cases import CASES, OPAQUE, SCHEMA
from warehouse_assets import AssetKey
from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.lineage import Lineage, SourceColumn, column_lineage, to_column_lineage


def shown(lineage: Lineage) -> str:
    return " ".join(
        column.name + "=" + (",".join(".".join((*s.table, s.column)) for s in sorted(column.sources)) or "-")
        for column in lineage.columns
    )


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create schema s")
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, other: SourceColumn | None = None) -> None:
    """Rows that are the same each time, but for the one column `other`."""
    for table, columns in SCHEMA.items():
        name = ".".join(f'"{part}"' for part in table)
        declared = ", ".join(f'"{column}" integer' for column in columns)
        connection.execute(f"create or replace table {name} ({declared})")
        values = {}
        for column in columns:
            seed = f"{table}{column}{'other' if other == SourceColumn(table, column) else ''}"
            numbers = random.Random(seed)
            values[column] = [numbers.randrange(6) for _ in range(12)]
        for row in zip(*values.values(), strict=True):
            connection.execute(f"insert into {name} values ({', '.join('?' for _ in row)})", list(row))


def answer(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[list[str], list[list[str]]]:
    *before, last = query.split("; ")
    for statement in before:
        connection.execute(statement.replace("create ", "create or replace ", 1))
    cursor = connection.execute(last)
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    return names, [sorted(repr(row[index]) for row in rows) for index in range(len(names))]


@pytest.mark.parametrize(("query", "columns"), CASES.items(), ids=CASES)
def test_what_the_columns_are_made_from(query: str, columns: str) -> None:
    lineage = column_lineage(query, schema_of=SCHEMA)

    assert shown(lineage) == columns
    assert [column.opaque for column in lineage.columns if column.opaque] == []
    assert lineage.opaque is None


@pytest.mark.parametrize("query", CASES)
def test_the_engine_gives_the_same_columns_and_they_do_not_depend_on_others(
    query: str, connection: duckdb.DuckDBPyConnection
) -> None:
    lineage = column_lineage(query, schema_of=SCHEMA)
    fill(connection)
    names, values = answer(connection, query)

    assert [column.name.casefold() for column in lineage.columns] == [name.casefold() for name in names]
    if "order by" in query or "limit" in query or "row_number" in query:
        return  # ties: which row comes first is open
    for source in (SourceColumn(table, column) for table, columns in SCHEMA.items() for column in columns):
        fill(connection, source)
        _, others = answer(connection, query)
        changed = {column.name for column, was, now in zip(lineage.columns, values, others, strict=True) if was != now}
        named = {column.name for column in lineage.columns if source in column.sources | lineage.filters}

        assert changed - named == set(), source


@pytest.mark.parametrize(("query", "reason"), OPAQUE.items(), ids=OPAQUE)
def test_what_cannot_be_told_is_opaque(query: str, reason: str) -> None:
    assert reason in (column_lineage(query, schema_of=SCHEMA).opaque or "")


def test_a_named_column_of_an_unknown_table_is_its_own() -> None:
    assert shown(column_lineage("select k from unknown")) == "k=unknown.k"


@pytest.mark.parametrize("text", ["", "drop table t", "select (1"])
def test_what_is_no_query_is_refused(text: str) -> None:
    with pytest.raises(InvalidSQLError):
        column_lineage(text)


def test_names_in_postgres_are_compared_as_it_does() -> None:
    lineage = column_lineage('select A as Low, "B" as "High" from t', "postgres", {("t",): ["a", "B"]})

    assert shown(lineage) == "low=t.a High=t.B"


def test_the_lineage_of_assets_leaves_out_other_tables() -> None:
    lineage = column_lineage("select t.b + d as k, 1 as one from t join u using (a)", schema_of=SCHEMA)

    assert to_column_lineage(lineage, {("t",): AssetKey("t")}).deps_by_column == {"k": [(AssetKey("t"), "b")], "one": []}
