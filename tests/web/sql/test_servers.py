"""Attacks on the databases behind the SQL page, which a parser that is not theirs would not hold back alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pymysql
import pytest

from io_managers import DuckDBIOManager, SQLAlchemyIOManager
from tests.servers.database import Database
from warehouse_assets import Definitions, Instance, asset
from warehouse_assets.sql import strangers
from warehouse_assets.web.answers import sql as answers
from warehouse_assets.web.answers.sql import Query, query_rows

IN_POSTGRES = """
create function public.wipe() returns int language sql volatile as 'delete from shop.orders; select 1';
create function public.calm() returns int language sql stable as 'select 1';
create function public.minus(integer, text) returns int language sql volatile as 'delete from shop.orders; select 1';
create operator public.|-| (leftarg = integer, rightarg = text, function = public.minus);
create view shop.writing as select public.wipe() as n;
create view shop.behind as select n from shop.writing;
create view shop.computing as select public.calm() as n, clock_timestamp() as at;
create sequence public.numbers;
"""
ON_POSTGRES = {
    "a function": "select wipe() from shop.orders",
    "one that says it is calm": "select calm() from shop.orders",
    "one with a quoted name": 'select "public"."wipe"() from shop.orders',
    "one that sorts": "select id from shop.orders order by wipe()",
    "one in a subquery": "select * from shop.orders where id in (select wipe())",
    "one for rows": "select * from wipe()",
    "an operator": "select id::int OPERATOR(public.|-|) 'x'::text from shop.orders",
    "a view": "select * from shop.writing",
    "a view of a view": "select * from shop.behind",
    "a file": "select pg_read_file('/etc/passwd') from shop.orders",
    "a file by its system function": "select pg_catalog.pg_read_binary_file('/etc/passwd') from shop.orders",
    "a folder": "select pg_ls_dir('/') from shop.orders",
    "a large object": "select lo_import('/etc/passwd') from shop.orders",
    "another server": "select * from dblink('host=other', 'select 1') as t(x int)",
    "a program": "copy (select 1) to program 'touch /tmp/wa-hacked'",
    "a program behind a parenthesis": "select 1) to program 'touch /tmp/wa-hacked' --",
    "sleep": "select pg_sleep(100) from shop.orders",
    "sleep by an alias of sleep": "select pg_sleep_for('1 hour') from shop.orders",
    "SQL in text": "select query_to_xml('select 1', true, true, '') from shop.orders",
    "SQL of a table": "select table_to_xml('pg_authid', true, true, '') from shop.orders",
    "SQL in a rewriting": "select ts_rewrite('a'::tsquery, 'select wipe()::text::tsquery, null::tsquery') from shop.orders",
    "a lock": "select pg_advisory_lock(1) from shop.orders",
    "ending others": "select pg_terminate_backend(1) from shop.orders",
    "a setting": "select set_config('transaction_read_only', 'off', false) from shop.orders",
    "reading a setting": "select current_setting('data_directory') from shop.orders",
    "a number": "select nextval('numbers') from shop.orders",
    "several": "select 1; delete from shop.orders",
    "dollars": "select $$;$$; delete from shop.orders; select $x$ $x$",
    "a dollar in another": "select $a$ $b$ $a$; delete from shop.orders --$b$",
    "backslashes": "select E'\\''; delete from shop.orders; --'",
    "a name with escapes": 'select U&"\\0077ipe"() from shop.orders',
    "delete within": "with gone as (delete from shop.orders returning *) select * from gone",
    "insert within": "with x as (insert into shop.orders values (9) returning *) select * from x",
    "a role": "set role postgres",
    "a new table": "select * into mine from shop.orders",
    "locked rows": "select * from shop.orders for update",
    "passwords": "select * from shop.orders, pg_authid as other",
    "passwords by their schema": "select * from shop.orders, pg_catalog.pg_shadow as other",
    "what others do": "select * from shop.orders, pg_stat_activity as other",
    "what others do, by a function": "select * from pg_stat_get_activity(null)",
    "other tables": "select * from shop.orders, information_schema.tables as other",
    "a whole row of a system table": "select (select x from pg_authid x limit 1) from shop.orders",
    "explain": "explain analyze select wipe() from shop.orders",
    "a block": "do $$ begin perform wipe(); end $$",
    "a call": "call wipe()",
    "a message": "select pg_notify('x', 'y') from shop.orders",
    "a parameter": "select $1 from shop.orders",
}
IN_MARIADB = [
    "create function wipe() returns int modifies sql data begin delete from shop.orders; return 1; end",
    "create function upper_() returns int no sql return 1",
    "create view shop.writing as select {own}.wipe() as n",
    "create view shop.computing as select now() as at, 1 as n",
    "create sequence numbers",
]
ON_MARIADB = {
    "a function": "select wipe() from shop.orders",
    "one that is calm": "select upper_() from shop.orders",
    "one of a schema": "select shop.upper('x') from shop.orders",
    "one with a quoted name": "select `wipe`() from shop.orders",
    "one behind the name of a subquery": "with wipe (a) as (select 1) select wipe() from wipe",
    "one between braces": "select {fn wipe()} from shop.orders",
    "a view": "select * from shop.writing",
    "a file": "select load_file('/etc/passwd') from shop.orders",
    "a new file": "select * from shop.orders into outfile '/tmp/wa-hacked'",
    "a new file behind a parenthesis": "select 1) as x into outfile '/tmp/wa-hacked' -- ",
    "a dump": "select 1 into dumpfile '/tmp/wa-hacked'",
    "a variable": "select @x := 1 from shop.orders",
    "a variable of the server": "select @@datadir from shop.orders",
    "sleep": "select sleep(100) from shop.orders",
    "work": "select benchmark(1000000000, md5('x')) from shop.orders",
    "a lock": "select get_lock('x', 100) from shop.orders",
    "a number": "select nextval(numbers) from shop.orders",
    "a number in words": "select next value for numbers from shop.orders",
    "several": "select 1; delete from shop.orders",
    "a hash": "select 1 # ;\n; delete from shop.orders",
    "dashes": "select 1 --1\n; delete from shop.orders",
    "double quotes": 'select "\\""; delete from shop.orders -- "',
    "delete within": "with x as (select 1) delete from shop.orders",
    "passwords": "select * from shop.orders, mysql.user as other",
    "passwords by their view": "select * from shop.orders, mysql.global_priv as other",
    "what others do": "select * from shop.orders, information_schema.processlist as other",
    "a prepared statement": "prepare x from 'delete from shop.orders'",
    "analysis": "select * from shop.orders procedure analyse(1, 1)",
    "locked rows": "select * from shop.orders lock in share mode",
    "a handler": "handler shop.orders open",
    "loading": "load data infile '/etc/passwd' into table shop.orders",
}
WRITING_ON_MARIADB = {
    name: ON_MARIADB[name]
    for name in (
        "a function",
        "one with a quoted name",
        "a view",
        "a number",
        "a number in words",
        "several",
        "delete within",
        "loading",
    )
}
ON_SQLITE = {
    "an extension": "select load_extension('x') from shop.orders",
    "a file": "select writefile('/tmp/wa-hacked', 'x') from shop.orders",
    "another file": "attach '/tmp/wa-hacked' as other",
    "several": "select 1; delete from orders",
    "a setting": "pragma query_only = off",
    "a setting as a table": "select * from shop.orders, pragma_table_info('orders') as other",
    "what tables there are": "select * from shop.orders, sqlite_master as other",
    "delete within": "with x as (select 1) delete from orders",
    "a copy": "vacuum into '/tmp/wa-hacked'",
    "a tokenizer": "select fts3_tokenizer('simple') from shop.orders",
    "pages": "select * from shop.orders, dbstat as other",
}


ON_DUCKDB = {
    "a file": "select * from shop.orders, read_text('/etc/passwd')",
    "files": "select * from shop.orders, glob('/*')",
    "a file by name": "select * from shop.orders, '/etc/passwd.csv'",
    "another database": "attach '/tmp/wa-hacked' as other",
    "a copy": "copy shop.orders to '/tmp/wa-hacked'",
    "a setting": "set enable_external_access = true",
    "settings": "pragma database_list",
    "a variable": "select getenv('HOME') from shop.orders",
    "several": "select 1; drop table shop.orders",
    "delete within": "with gone as (delete from shop.orders returning *) select * from gone",
    "a sequence": "select nextval('x') from shop.orders",
    "an extension": "install httpfs",
    "secrets": "select * from shop.orders, duckdb_secrets()",
    "a query in text": "select * from shop.orders, query('select content from read_text(''/etc/passwd'')')",
}


@asset(key_prefix="shop")
def orders() -> pl.DataFrame:
    """Three of them."""
    return pl.DataFrame({"id": [1, 2, 3], "who": ["ann", "bob", None]})


@asset(io_manager_key="other")
def people() -> pl.DataFrame:
    """Who, elsewhere."""
    return pl.DataFrame({"who": ["ann"], "age": [30]})


def view_named(name: str) -> Any:
    """An asset whose table is a view that somebody made."""

    @asset(name=name, key_prefix="shop")
    def made() -> None:
        """Made by hand."""

    return made


@pytest.fixture(autouse=True)
def _unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests goes on to do other things."""
    monkeypatch.setattr(answers, "_confine", lambda: None)


@pytest.fixture
def past_the_parser(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has what is asked from then on go to the databases as it is, as if a parser had been deceived."""
    return lambda: monkeypatch.setattr(strangers, "only_reading", lambda text, dialect, keys: text)


@contextmanager
def opened(store: Any, folder: Path) -> Iterator[Callable[[str], Any]]:
    store = SQLAlchemyIOManager(url=store) if isinstance(store, str) else store
    other = DuckDBIOManager(database=str(folder / "other.duckdb"))
    views = [view_named(name) for name in ("writing", "behind", "computing")]
    definitions = Definitions([orders, people, *views], resources={"io_manager": store, "other": other})
    with Instance.ephemeral() as instance:
        definitions.materialize(["shop/orders", "people"], instance=instance)
        yield lambda text: query_rows(definitions, Query(text))


def refused(ask: Callable[[str], Any], attacks: dict[str, str]) -> dict[str, bool]:
    """Which of the attacks had no answer."""
    return {name: (answer := ask(sql)).fault is not None and not answer.rows for name, sql in attacks.items()}


def shown(ask: Callable[[str], Any], sql: str) -> list[list[str]]:
    """The rows of an answer, as text."""
    answer = ask(sql)
    assert answer.fault is None, answer.fault.message
    return [[cell.text for cell in row] for row in answer.rows]


def test_postgres_reads_and_does_nothing_else(postgres: Database, tmp_path: Path, past_the_parser: Callable[[], None]) -> None:
    with opened(postgres.url, tmp_path) as ask, psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(IN_POSTGRES)
        held = refused(ask, ON_POSTGRES)
        rows = shown(ask, "select count(*), min(who), sum(id) filter (where id > 1) from shop.orders")
        view = shown(ask, "select n from shop.computing")
        joined = shown(ask, "select o.id, p.age, upper(o.who) || 'x' as w from shop.orders o join people p using (who)")
        typed = shown(
            ask,
            "select (id::numeric(9,2) / 2)::numeric(9,1) as x, now() > '2020-01-01' as y, random() < 2 as z from shop.orders order by id",
        )
        comment = shown(ask, "select id /* /* */ , wipe() /* */ */ from shop.orders order by id")
        wrong = ask("select id,\n  nope from shop.orders").fault
        past_the_parser()
        held_by_itself = refused(ask, ON_POSTGRES)
        left = shown(ask, "select count(*) from shop.orders")
        number = connection.execute("select is_called from public.numbers").fetchone()

    assert held == dict.fromkeys(ON_POSTGRES, True)
    assert held_by_itself == dict.fromkeys(ON_POSTGRES, True)
    assert (rows, left, number) == ([["3", "ann", "5"]], [["3"]], (False,))
    assert view == [["1"]]
    assert joined == [["1", "30", "ANNx"]]
    assert typed[0] == ["0.5", "true", "true"]
    assert comment == [["1"], ["2"], ["3"]]
    assert (wrong.line, wrong.column, "nope" in wrong.message) == (2, 3, True)
    assert not os.path.exists("/tmp/wa-hacked")


def test_mariadb_reads_and_does_nothing_else(
    mariadb_alone: Database, tmp_path: Path, past_the_parser: Callable[[], None]
) -> None:
    at = mariadb_alone
    connected = pymysql.connect(host=at.host, port=at.port, user=at.user, password=at.password, database=at.name)
    with opened(at.url, tmp_path) as ask, closing(connected) as connection, connection.cursor() as cursor:
        for statement in IN_MARIADB:
            cursor.execute(statement.format(own=at.name))
        connection.commit()
        held = refused(ask, ON_MARIADB)
        rows = shown(ask, "select count(*), min(who) from shop.orders")
        view = shown(ask, "select n from shop.computing")
        joined = shown(
            ask, "select o.id, p.age, concat(upper(o.who), 'x') as w from shop.orders o join people p on p.who = o.who"
        )
        comment = shown(ask, "select 1 /*! , sleep(100) */ from shop.orders where 1 /*! or wipe() */")
        past_the_parser()
        held_by_itself = refused(ask, WRITING_ON_MARIADB)
        left = shown(ask, "select count(*) from shop.orders")

    assert held == dict.fromkeys(ON_MARIADB, True)
    assert held_by_itself == dict.fromkeys(WRITING_ON_MARIADB, True)
    assert (rows, left) == ([["3", "ann"]], [["3"]])
    assert (view, comment) == ([["1"]], [["1"]] * 3)
    assert joined == [["1", "30", "ANNx"]]
    assert not os.path.exists("/tmp/wa-hacked")


def test_sqlite_reads_and_does_nothing_else(tmp_path: Path, past_the_parser: Callable[[], None]) -> None:
    with opened(f"sqlite:///{tmp_path}/shop.sqlite", tmp_path) as ask:
        held = refused(ask, ON_SQLITE)
        rows = shown(ask, "select count(*), min(who) from shop.orders")
        joined = shown(ask, "select o.id, p.age, upper(o.who) || 'x' as w from shop.orders o join people p on p.who = o.who")
        past_the_parser()
        held_by_itself = refused(ask, ON_SQLITE)
        left = shown(ask, "select count(*) from shop.orders")

    assert held == dict.fromkeys(ON_SQLITE, True)
    assert held_by_itself == dict.fromkeys(ON_SQLITE, True)
    assert (rows, left) == ([["3", "ann"]], [["3"]])
    assert joined == [["1", "30", "ANNx"]]
    assert not os.path.exists("/tmp/wa-hacked")


def test_duckdb_reads_and_does_nothing_else(tmp_path: Path, past_the_parser: Callable[[], None]) -> None:
    with opened(DuckDBIOManager(database=str(tmp_path / "shop.duckdb")), tmp_path) as ask:
        held = refused(ask, ON_DUCKDB)
        rows = shown(ask, "select count(*), min(who) from shop.orders")
        joined = shown(ask, "select o.id, p.age from shop.orders o join people p on p.who = o.who")
        past_the_parser()
        held_by_itself = refused(ask, ON_DUCKDB)
        left = shown(ask, "select count(*) from shop.orders")

    assert held == dict.fromkeys(ON_DUCKDB, True)
    assert held_by_itself == dict.fromkeys(ON_DUCKDB, True)
    assert (rows, left) == ([["3", "ann"]], [["3"]])
    assert joined == [["1", "30"]]
    assert not os.path.exists("/tmp/wa-hacked")
