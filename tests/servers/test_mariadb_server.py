from __future__ import annotations

from contextlib import closing
from typing import Any

from tests.servers.database import Database
from tests.servers.mariadb_server import fresh_database


def test_sqlalchemy_writes_and_reads(mariadb: Database) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(mariadb.sqlalchemy_url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table numbers (n integer, word varchar(10))"))
        connection.execute(sqlalchemy.text("insert into numbers values (1, '☃'), (2, null)"))
        rows = connection.execute(sqlalchemy.text("select * from numbers order by n")).fetchall()
    engine.dispose()

    assert [tuple(row) for row in rows] == [(1, "☃"), (2, None)]


def test_each_test_finds_an_empty_database(mariadb: Database) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(mariadb.sqlalchemy_url)
    tables = sqlalchemy.inspect(engine).get_table_names()
    engine.dispose()

    assert tables == []


def test_a_database_is_dropped_also_when_somebody_holds_a_lock(mariadb: Database, mariadb_address: dict[str, Any]) -> None:
    import pymysql

    with fresh_database(mariadb_address) as dropped:
        forgotten = pymysql.connect(**mariadb_address, database=dropped.name)
        with forgotten.cursor() as cursor:
            cursor.execute("create table numbers (n integer)")
            cursor.execute("insert into numbers values (1)")
    forgotten._force_close()
    with closing(pymysql.connect(**mariadb_address, database=mariadb.name)) as connection, connection.cursor() as cursor:
        cursor.execute("show databases")
        names = {name for (name,) in cursor.fetchall()}

    assert (dropped.name in names, mariadb.name in names) == (False, True)
