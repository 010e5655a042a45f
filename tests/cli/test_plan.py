"""`wa plan`: what would be made, and what would break."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SALES = '''
"""A shop whose tables are made by SQL."""
import polars as pl

from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import Definitions, TableOptions, asset, sql_asset


@asset(key_prefix="raw", code_version="1", table=TableOptions(columns={"id": pl.Int64, "customer": pl.String, "amount": pl.Int64}))
def events() -> pl.DataFrame:
    return pl.DataFrame({"id": [1, 2], "customer": ["ann", "bob"], "amount": [3, 4]})


orders = sql_asset("staging/orders", "select id, customer, amount from raw.events")
per_customer = sql_asset("marts/per_customer", "select customer, sum(amount) as spent from staging.orders group by customer")
best = sql_asset("marts/best", "select customer from marts.per_customer order by spent desc limit 1")


@asset(key_prefix="marts", io_manager_key="lake", code_version="1")
def names(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.select("customer").unique()


defs = Definitions(
    [events, orders, per_customer, best, names],
    resources={"io_manager": DuckDBIOManager(database="sales.duckdb"), "lake": ParquetIOManager(base_path="lake")},
)
'''


@pytest.fixture
def sales(project: Path, wa: Callable[..., Any], forget_modules_of: Callable[[Path], None]) -> Callable[..., Any]:
    """Runs a command on the module as its file is now."""
    (project / "sales.py").write_text(SALES)

    def run(command: str, *args: str) -> Any:
        forget_modules_of(project)
        return wa(command, "-m", "sales", *args)

    return run


def rename(project: Path) -> None:
    file = project / "sales.py"
    file.write_text(
        file.read_text().replace("select id, customer, amount", "select id, customer as client, amount::int as amount")
    )


def test_a_first_plan_tells_what_is_made_of_what_is_promised(sales: Callable[..., Any], project: Path) -> None:
    answer = sales("plan", "staging/orders+")

    assert (answer.code, answer.err) == (0, "")
    assert (
        answer.out
        == """\
+ staging/orders      missing
    columns unknown: raw/events is not there yet, and its columns are not known
+ marts/per_customer  missing
    columns unknown: staging/orders is not there yet, and its columns are not known
+ marts/names         missing
    columns unknown: staging/orders is not there yet, and its columns are not known
+ marts/best          missing
    columns unknown: marts/per_customer is not there yet, and its columns are not known

4 assets to make: 4 new
"""
    )
    assert not (project / ".warehouse_assets").exists()


def test_a_plan_of_all_starts_with_what_is_promised(sales: Callable[..., Any]) -> None:
    answer = sales("plan")

    assert (
        answer.out
        == """\
+ raw/events          missing
    columns
      + id        BIGINT
      + customer  VARCHAR
      + amount    BIGINT
+ staging/orders      missing
    columns
      + id        BIGINT
      + customer  VARCHAR
      + amount    BIGINT
+ marts/per_customer  missing
    columns
      + customer  VARCHAR
      + spent     HUGEINT
+ marts/names         missing
    columns
      + customer  String
+ marts/best          missing
    columns
      + customer  VARCHAR

5 assets to make: 5 new
"""
    )


def test_a_renamed_column_ends_with_2_and_names_what_breaks(sales: Callable[..., Any], project: Path) -> None:
    assert sales("materialize").code == 0
    fresh = sales("plan")
    rename(project)
    answer = sales("plan")
    lines = answer.out.splitlines()

    assert (fresh.code, fresh.out) == (0, "Nothing to do: all 5 assets are fresh\n")
    assert (answer.code, answer.err) == (2, "")
    assert lines[0].startswith("~ staging/orders      its code changed (")
    assert lines[1:12] == [
        "    SQL",
        "         id,",
        "      -  customer,",
        "      -  amount",
        "      +  customer AS client,",
        "      +  CAST(amount AS INT) AS amount",
        "       FROM raw.events",
        "    columns",
        "      - customer  VARCHAR",
        "      ~ amount    BIGINT → INTEGER",
        "      + client    VARCHAR",
    ]
    assert lines[12].startswith("! marts/per_customer  staging/orders is stale: its code changed (")
    assert lines[13].startswith("    breaks at sales.py:15")
    assert lines[14] == "      staging/orders has no column 'customer' any more"
    assert (
        '      the LazyFrame of asset \'marts/names\': unable to find column "customer"; valid columns: ["id", "amount"]'
        in lines
    )
    assert "    columns unknown: marts/per_customer breaks" in lines
    assert lines[-2:] == ["4 assets to make: 4 anew", "2 assets would break: marts/per_customer, marts/names"]


def test_a_plan_for_programs(sales: Callable[..., Any], project: Path) -> None:
    sales("materialize")
    rename(project)
    answer = sales("plan", "staging/orders", "--json")
    told = json.loads(answer.out)
    orders, mart, names = told["assets"]

    assert answer.code == 2
    assert (told["runs"], told["broken"]) == (["staging/orders"], ["marts/per_customer", "marts/names"])
    assert (orders["runs"], orders["status"], orders["causes"][0]["kind"]) == (True, "stale", "code")
    assert orders["place"] == "sales.py:14"
    assert orders["changes"] == [
        {"kind": "removed", "column": "customer", "old": "VARCHAR", "new": None},
        {"kind": "retyped", "column": "amount", "old": "BIGINT", "new": "INTEGER"},
        {"kind": "added", "column": "client", "old": None, "new": "VARCHAR"},
    ]
    assert [column["name"] for column in orders["predicted"]] == ["id", "client", "amount"]
    assert (mart["runs"], mart["predicted"], mart["faults"][0]["column"]) == (False, None, "customer")
    assert mart["faults"][0]["upstream"] == names["faults"][0]["upstream"] == "staging/orders"
    assert names["faults"][0]["where"].startswith("sales.py:")


def test_faulty_sql_in_a_file_is_shown_with_its_line_and_column(
    sales: Callable[..., Any], project: Path, wa: Callable[..., Any]
) -> None:
    (project / "models" / "marts").mkdir(parents=True)
    (project / "models" / "marts" / "totals.sql").write_text(
        "/* ---\ndescription: What was spent\n--- */\nselect\n    customer,\n    sum(amount) as total\nfrom staging.orders\ngroup by all\n"
    )
    file = project / "sales.py"
    text = file.read_text().replace("events, orders, per", "*load_assets_from_sql_files('models'), events, orders, per")
    file.write_text(text.replace("import Definitions,", "import Definitions, load_assets_from_sql_files,"))
    sales("materialize")
    rename(project)
    answer = sales("plan")

    assert answer.code == 2
    assert "    breaks at models/marts/totals.sql:5:5\n" in answer.out
    assert "      customer,\n      ^^^^^^^^\n      reaches marts/totals.customer" in answer.out


def test_all_plans_what_is_fresh_too(sales: Callable[..., Any]) -> None:
    sales("materialize")
    answer = sales("plan", "--all")

    assert answer.code == 0
    assert [line for line in answer.out.splitlines() if line] == [
        "~ raw/events          fresh",
        "~ staging/orders      fresh",
        "~ marts/per_customer  fresh",
        "~ marts/names         fresh",
        "~ marts/best          fresh",
        "5 assets to make: 5 anew",
    ]


def test_no_colours_reach_a_pipe(sales: Callable[..., Any], project: Path) -> None:
    sales("materialize")
    rename(project)

    assert "\x1b" not in sales("plan").out


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("nothing",), 2, "nothing"),
        (("--partition", "2024-01-01"), 2, "no selected asset is partitioned"),
    ],
    ids=["unknown", "partition"],
)
def test_what_cannot_be_meant_ends_with_2(args: tuple[str, ...], code: int, said: str, sales: Callable[..., Any]) -> None:
    answer = sales("plan", *args)

    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
