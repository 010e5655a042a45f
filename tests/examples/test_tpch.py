from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from examples.tpch.definitions import definitions
from examples.tpch.land import TABLES, land
from examples.tpch.published import PUBLISHED
from tests.servers.database import Database
from warehouse_assets import AssetKey, Definitions, Instance

QUERIES = {file.stem: file.read_text() for file in sorted(Path("examples/tpch/queries").resolve().glob("*.sql"))}
SCALE = 0.01

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tpch")
    land(folder / "tpch", SCALE)
    return folder


@pytest.fixture(scope="module")
def by_hand(folder: Path) -> Iterator[Callable[[str], Rows]]:
    """The rows of a query as DuckDB gives them over the landed files."""
    with duckdb.connect() as connection:
        connection.execute("create schema tpch")
        for table in TABLES:
            connection.execute(f"create view tpch.{table} as from '{folder}/tpch/{table}.parquet'")
        yield lambda query: connection.execute(query).fetchall()


def comparable(rows: Rows) -> Rows:
    """In one order, with numbers alike in engines that divide and average by other types."""
    return sorted((tuple(_rounded(value) for value in row) for row in rows), key=repr)


def _rounded(value: Any) -> Any:
    return f"{float(value):.9g}" if isinstance(value, (int, float, Decimal)) else value


def test_each_question_depends_on_the_tables_that_it_reads(folder: Path) -> None:
    graph = definitions("duckdb", folder).graph
    parents = {key: {parent.path[-1] for parent in graph[AssetKey(["answers", key])].parents} for key in QUERIES}

    assert len(parents) == 22
    assert parents["q06"] == {"lineitem"}
    assert parents["q13"] == {"customer", "orders"}
    assert parents["q15"] == {"lineitem", "supplier"}
    assert parents["q20"] == {"lineitem", "nation", "part", "partsupp", "supplier"}
    assert set.union(*parents.values()) == set(TABLES)


@pytest.fixture(scope="module")
def in_duckdb(folder: Path) -> Path:
    materialize(definitions("duckdb", folder))
    return folder / "warehouse.duckdb"


@pytest.mark.parametrize("query", QUERIES)
def test_duckdb_keeps_what_the_query_gives_by_hand(in_duckdb: Path, by_hand: Callable[[str], Rows], query: str) -> None:
    with duckdb.connect(in_duckdb, read_only=True) as connection:
        stored = connection.execute(f"from answers.{query}").fetchall()

    assert comparable(stored) == comparable(by_hand(QUERIES[query]))
    assert stored


@pytest.fixture(scope="module")
def in_parquet(folder: Path) -> Path:
    materialize(definitions("parquet", folder))
    return folder / "answers"


@pytest.mark.parametrize("query", QUERIES)
def test_parquet_keeps_what_the_query_gives_by_hand(in_parquet: Path, by_hand: Callable[[str], Rows], query: str) -> None:
    stored = duckdb.sql(f"from '{in_parquet}/{query}.parquet'").fetchall()

    assert comparable(stored) == comparable(by_hand(QUERIES[query]))


def test_postgresql_keeps_what_the_queries_give_by_hand(
    tmp_path: Path, postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path / "tpch", SCALE / 10)  # it has no indexes, and evaluates some subqueries row by row
    monkeypatch.setenv("TPCH_DATABASE_URL", postgres.url)
    materialize(definitions("postgresql", tmp_path))
    with closing(psycopg.connect(postgres.url)) as connection:
        rows = {table: connection.execute(f"select count(*) from tpch.{table}").fetchall() for table in TABLES}
        stored = {query: comparable(connection.execute(f"select * from answers.{query}").fetchall()) for query in QUERIES}
        given = {query: comparable(connection.execute(text).fetchall()) for query, text in QUERIES.items()}

    assert rows == {table: duckdb.sql(f"select count(*) from '{tmp_path}/tpch/{table}.parquet'").fetchall() for table in TABLES}
    assert stored == given


def test_it_is_run_as_a_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.tpch", "--scale", str(SCALE), "--folder", str(tmp_path), "--store", "parquet"]
    environment = {**os.environ, "WAREHOUSE_ASSETS_HOME": str(tmp_path / "record")}
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)

    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(QUERIES)
    assert lines[0] == (
        "q01       4 rows  Pricing summary: what was billed, shipped and returned up to 90 days before the last day of shipping."
    )


def test_tables_that_are_there_are_not_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    land(folder / "tpch", SCALE)

    with pytest.raises(SystemExit, match="pip install tpchgen-cli"):
        land(folder / "other", SCALE)


def test_what_was_published_is_of_columns_that_there_are(in_duckdb: Path) -> None:
    with duckdb.connect(in_duckdb, read_only=True) as connection:
        columns = {query: connection.sql(f"from answers.{query}").columns for query in PUBLISHED}

    assert [query for query, row in PUBLISHED.items() if set(row) - set(columns[query])] == []


def materialize(defs: Definitions) -> None:
    """Make everything, and record it nowhere."""
    assert defs.materialize(instance=Instance.ephemeral()).success
