from __future__ import annotations

from contextlib import closing
from typing import Any

from tests.servers.database import Database
from tests.servers.postgres_server import Databases, fresh_database


def test_adbc_loads_and_reads_arrow(postgres: Database) -> None:
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow as pa

    rows = pa.table({"n": [1, 2, None]})
    with closing(adbc.connect(postgres.url)) as connection, closing(connection.cursor()) as cursor:
        cursor.adbc_ingest("numbers", rows)
        cursor.execute("select n from numbers")
        read = cursor.fetch_arrow_table()

    assert read.to_pydict() == rows.to_pydict()


def test_psycopg_copies(postgres: Database) -> None:
    import psycopg

    with psycopg.connect(postgres.url) as connection:
        connection.execute("create table numbers (n integer)")
        with connection.cursor().copy("copy numbers from stdin (format csv)") as copy:
            copy.write("1\n2\n")
        rows = connection.execute("select sum(n) from numbers").fetchall()

    assert rows == [(3,)]


def test_sqlalchemy_finds_an_empty_database_in_each_test(postgres: Database) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(postgres.sqlalchemy_url)
    tables = sqlalchemy.inspect(engine).get_table_names()
    engine.dispose()

    assert tables == []


def test_a_database_is_dropped_also_when_somebody_is_connected(postgres: Database, postgres_address: dict[str, Any]) -> None:
    import psycopg

    with fresh_database(postgres_address) as dropped:
        forgotten = psycopg.connect(dropped.url)
    forgotten.close()
    with psycopg.connect(postgres.url) as connection:
        names = {name for (name,) in connection.execute("select datname from pg_database")}

    assert (dropped.name in names, postgres.name in names) == (False, True)


def test_a_database_that_is_lent_again_is_as_new(postgres_address: dict[str, Any]) -> None:
    import psycopg

    def described(connection: psycopg.Connection[Any]) -> list[Any]:
        schemas = "select nspname, nspowner::regrole::text, nspacl::text from pg_namespace where nspname !~ '^pg_' order by 1"
        relations = "select count(*), (select count(*) from pg_proc), (select count(*) from pg_type) from pg_class"
        return [connection.execute(query).fetchall() for query in (schemas, relations, "show lock_timeout")]

    with closing(Databases(postgres_address)) as databases:
        with databases.lent() as first, psycopg.connect(first.url, autocommit=True) as connection:
            new = described(connection)
            connection.execute(
                'create schema "it\'s"; create table "it\'s".t (n int primary key); create table public.t (n int)'
            )
            connection.execute("create function f() returns int language sql as 'select 1'")
            connection.execute(f"alter database {first.name} set lock_timeout = 77")
        with databases.lent() as second, psycopg.connect(second.url) as connection:
            again = described(connection)

    assert second.name == first.name
    assert again == new
