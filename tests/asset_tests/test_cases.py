"""Tests of assets that are written in YAML."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from warehouse_assets import DailyPartitionsDefinition, Definitions, SourceAsset, load_assets_from_sql_files, sql_asset
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError, InvalidInvocationError
from warehouse_assets.testing import AssetTest, asset_tests, check_asset


def written(tmp_path: Path, sql: str, text: str) -> list[AssetTest]:
    (tmp_path / "daily.sql").write_text(sql)
    (tmp_path / "daily.test.yaml").write_text(text)
    return asset_tests(Definitions([SourceAsset("raw/orders"), *load_assets_from_sql_files(tmp_path)]))


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("[{x: 1}, {x: 2.5}]", ("DOUBLE", 3.5)),
        ("[{x: 1}, {x: 2}, {y: 5}]", ("BIGINT", 3)),
        ("{columns: {x: integer}, rows: [{x: 1}]}", ("INTEGER", 1)),
        ('{columns: {x: "decimal(10, 2)"}, rows: [{x: "1.25"}]}', ("DECIMAL(10,2)", 1.25)),
        ("{columns: {x: integer}}", ("INTEGER", None)),
        ('{csv: "x\\n4\\n5\\n"}', ("BIGINT", 9)),
        ('{sql: "select range::smallint as x from range(3)"}', ("SMALLINT", 3)),
    ],
    ids=["numbers", "left out", "typed", "decimal", "no rows", "csv", "sql"],
)
def test_what_is_given_has_types(tmp_path, given, made):
    sql = "select coalesce(max(typeof(x)), (select typeof(x) from (select x from raw.orders union all select null) limit 1)) as kind, sum(x) as total from raw.orders"
    kind, total = made
    expect = f"[{{kind: '{kind}', total: {'null' if total is None else total}}}]"

    (test,) = written(tmp_path, sql, f"tests:\n- given: {{raw/orders: {given}}}\n  expect: {expect}\n")
    test.run()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ("2026-01-01", "DATE"),
        ("2026-01-01 12:30", "TIMESTAMP"),
        ("2026-01-01T12:30:01.5", "TIMESTAMP"),
        ("tomorrow", "VARCHAR"),
        ("true", "BOOLEAN"),
        ("[1, 2]", "BIGINT[]"),
    ],
)
def test_days_and_moments_are_known_by_their_form(tmp_path, values, kind):
    text = f"tests:\n- given: {{raw/orders: [{{x: {values}}}, {{x: null}}]}}\n  expect: [{{kind: '{kind}'}}]\n"

    (test,) = written(tmp_path, "select any_value(typeof(x)) as kind from raw.orders where x is not null", text)
    test.run()


def test_only_what_is_expected_is_compared(tmp_path):
    given = "{raw/orders: [{x: 1, y: 2}]}"
    good, bad, unknown = written(
        tmp_path,
        "from raw.orders",
        f"tests:\n- given: {given}\n  expect: [{{y: 2}}]\n- given: {given}\n  expect: [{{y: 3}}]\n"
        f"- given: {given}\n  expect: [{{y: 2, z: 1}}]\n",
    )
    good.run()
    with pytest.raises(AssertionError, match="asset 'daily' is not as expected"):
        bad.run()
    with pytest.raises(AssertionError, match="z"):
        unknown.run()


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ("date '2026-01-31'", "2026-01-31"),
        ("'2026-01-31'", "2026-01-31"),
        ("timestamp '2026-01-31 12:30'", "2026-01-31 12:30"),
        ("timestamptz '2026-01-31 12:30+01'", "2026-01-31T11:30:00Z"),
        ("time '12:30'", "12:30:00"),
        ("1.50::decimal(4, 2)", "1.5"),
        ("[1, 2]", "[1, 2]"),
        ("true", "true"),
        ("null::integer", "null"),
    ],
)
def test_what_is_expected_is_read_as_what_is_made(tmp_path, made, expected):
    (test,) = written(tmp_path, f"select {made} as x", f"tests: [{{expect: [{{x: {expected}}}]}}]")
    test.run()


def test_no_rows_can_be_expected(tmp_path):
    some, none = written(
        tmp_path,
        "select x from raw.orders where x > 1",
        "tests:\n- given: {raw/orders: [{x: 2}]}\n  expect: []\n- given: {raw/orders: [{x: 1}]}\n  expect: []\n",
    )
    none.run()
    with pytest.raises(AssertionError, match="1 rows made, 0 expected"):
        some.run()


def test_an_input_that_is_not_given_is_an_error(tmp_path):
    (test,) = written(tmp_path, "from raw.orders", "tests: [{expect: []}]")

    with pytest.raises(InvalidInvocationError, match="reads 'raw/orders', which is not given"):
        test.run()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tests: 3", "the tests are no list"),
        ("tests: [3]", "test 1 is 3"),
        ("tests:\n- {}", "the test expects nothing .*daily.test.yaml:2"),
        ("tests:\n- expect: []\n  givn: {}", "the test has 'givn' .*daily.test.yaml:3.* Did you mean 'given'?"),
        ("tests:\n- expect: []\n  given: [1]", "what is given is no mapping"),
        ("tests:\n- expect: [\n", "the YAML cannot be read"),
    ],
    ids=["no list", "no mapping", "no expect", "key", "given", "yaml"],
)
def test_a_faulty_file_is_told_with_its_place(tmp_path, text, message):
    with pytest.raises(InvalidDefinitionError, match=message):
        written(tmp_path, "select 1 as n", text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("3", "'raw/orders' is 3, not a table"),
        ("{}", "'raw/orders' is {}, not a table"),
        ("{row: []}", "'raw/orders' has 'row'.*Did you mean 'rows'"),
        ("{rows: [], csv: x}", "told in several ways"),
        ("{rows: [1]}", "the rows of 'raw/orders' are"),
        ("{columns: [x]}", "the columns of 'raw/orders' are"),
        ('{columns: {x: "int; drop table y"}}', "the type of the column 'x' of 'raw/orders' is 'int; drop table y'"),
        ("{columns: {x: intt}}", "'raw/orders' cannot be made"),
        ("{sql: selec 1}", "'raw/orders' cannot be made"),
        ("{columns: {x: date}, rows: [{x: tomorrow}]}", "'raw/orders' cannot be made"),
    ],
)
def test_a_table_that_cannot_be_meant_is_told_with_its_place(tmp_path, given, message):
    (test,) = written(tmp_path, "select 1 as n", f"tests:\n- expect: []\n  given:\n    raw/orders: {given}\n")

    with pytest.raises(InvalidDefinitionError, match=message) as caught:
        test.run()

    assert "daily.test.yaml:4" in str(caught.value)


def test_faults_of_all_files_are_told_together(tmp_path):
    (tmp_path / "other.sql").write_text("select 1 as n")
    (tmp_path / "other.test.yaml").write_text("tests: 4")

    with pytest.raises(InvalidDefinitionsError) as caught:
        written(tmp_path, "select 1 as n", "tests: 3")

    assert len(caught.value.exceptions) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tests: [{expect: []}]", "the test names no asset"),
        ("tests: [{asset: dialy, expect: []}]", "there is no asset 'dialy'.*Did you mean 'daily'"),
    ],
)
def test_a_file_of_its_own_names_assets_that_are_there(tmp_path, text, message):
    (tmp_path / "daily.sql").write_text("select 1 as n")
    (tmp_path / "more.test.yaml").write_text(text)
    defs = Definitions(load_assets_from_sql_files(tmp_path))

    with pytest.raises(InvalidDefinitionError, match=message):
        asset_tests(defs, files=[tmp_path / "more.test.yaml"])
    with pytest.raises(InvalidDefinitionError, match="no file or folder"):
        asset_tests(defs, files=[tmp_path / "nothing"])


def test_sql_assets_and_files_are_checked_as_others_are(tmp_path):
    (tmp_path / "daily.sql").write_text("select day, sum(x) as total from raw.orders group by day")
    files = load_assets_from_sql_files(tmp_path)
    alone = sql_asset("marts/top", "select max(total) as total from daily")
    defs = Definitions([SourceAsset("raw/orders"), *files, alone])

    check_asset(defs, "daily", given={"raw/orders": {"day": [1, 1], "x": [2, 3]}}, expect={"day": [1], "total": [5]})
    check_asset(defs, "marts/top", given={"daily": {"total": [2, 3]}}, expect=pl.DataFrame({"total": [3]}))
    check_asset(alone, "marts/top", given={"daily": {"total": [2, 3]}}, expect={"total": [3]})


def test_a_test_is_of_a_partition(tmp_path):
    days = DailyPartitionsDefinition("2026-01-01")
    source = SourceAsset("raw/orders")
    daily = sql_asset("daily", "select $partition_key as day, count(*) as n from raw.orders", partitions_def=days)
    (tmp_path / "one.test.yaml").write_text(
        "tests:\n- asset: daily\n  partition: 2026-01-02\n  given: {orders: [{x: 1}]}\n  expect: [{day: '2026-01-02', n: 1}]\n"
    )

    (test,) = asset_tests(Definitions([source, daily]), files=[tmp_path])
    test.run()

    assert str(test) == "daily: test 1"
