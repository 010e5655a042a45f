from __future__ import annotations

import pytest

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.strangers import only_reading

KEYS = [AssetKey(["staging", "orders"]), AssetKey("regions"), AssetKey("odd.csv")]


@pytest.mark.parametrize(
    "text",
    [
        "select * from staging.orders",
        "from orders",
        "with x as (select 1 as n) select * from x, orders",
        "with recursive t as (select 1 as n union all select n + 1 from t where n < 9) select * from t",
        "select * from unnest([1, 2]) as t(x), range(3), (values (1)) as v(y)",
        "select count(*) filter (where id > 1), list_transform([1], x -> x + 1), strftime(today(), '%Y') from orders",
        "pivot orders on customer",
        "select 'copy x to y; read_csv(1)' as said from regions",
        'select * from "odd.csv"',
        "select * from main.regions",
    ],
)
def test_queries_over_assets_are_let_through(text: str) -> None:
    assert only_reading(text, "duckdb", KEYS) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("delete from orders", "no query"),
        ("select * into x from orders", "change"),
        ("select * from orders for update", "change"),
        ("select 1; select 2", "2 statements"),
        ("-- nothing", "0 statements"),
        ("select pg_read_file('/etc/passwd')", "pg_read_file"),
        ("select * from pg_ls_dir('/')", "cannot stand for a table"),
        ("select load_file('/etc/passwd')", "load_file"),
        ("select load_extension('x.so')", "load_extension"),
        ("select dblink('host=x', 'select 1')", "dblink"),
        ("select set_config('a', 'b', false)", "set_config"),
        ("select nextval('s')", "nextval"),
        ("select sleep(100)", "sleep"),
        ("select 1 from orders where exists (select * from read_blob('x'))", "read_blob"),
        ("select * from pg_catalog.pg_authid", "no asset"),
        ("select * from 'other.parquet'", "no asset"),
        ("select 1\0", "NUL"),
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "mysql"])
def test_what_reaches_further_is_refused(text: str, why: str, dialect: str) -> None:
    with pytest.raises(InvalidSQLError, match=why):
        only_reading(text, dialect, KEYS)


def test_what_some_engines_run_in_comments_is_blank() -> None:
    text = "select 1 /*! , sleep(9) */ -- x\n, '--' /* \u202e */"

    assert only_reading(text, "mysql", KEYS) == "select 1" + " " * 23 + "\n, '--'" + " " * 8


def test_a_refusal_has_its_place() -> None:
    with pytest.raises(InvalidSQLError) as caught:
        only_reading("select *\nfrom read_csv('x')", "duckdb", KEYS)

    assert caught.value.position == (2, 6)
