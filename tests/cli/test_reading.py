from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Wa = Callable[..., Any]


def test_list_names_assets_and_sources_before_anything_is_made(wa: Wa, project: Path) -> None:
    answer = wa("list", "-m", "shop")

    assert answer.code == 0
    lines = [line.split() for line in answer.out.splitlines()]
    assert ["staging/orders", "staging", "polars", "never"] in lines
    assert not (project / ".warehouse_assets").exists()
    assert ["raw/events", "default", "source"] in lines


def test_list_shows_what_was_measured(wa: Wa) -> None:
    wa("materialize", "-m", "shop")

    rows = {row["key"]: row for row in json.loads(wa("list", "-m", "shop", "--json").out)}

    assert rows["staging/orders"]["row_count"] == 3
    assert rows["staging/orders"]["byte_size"] > 0
    assert rows["marts/best"]["upstream"] == ["marts/per_customer"]


def test_list_takes_a_selection(wa: Wa) -> None:
    answer = wa("list", "-m", "shop", "-s", "group:marts and not marts/best", "--json")

    assert [row["key"] for row in json.loads(answer.out)] == ["marts/per_customer"]


def test_show_gives_definition_and_latest_materialization(wa: Wa) -> None:
    wa("materialize", "-m", "shop")

    answer = wa("show", "staging/orders", "-m", "shop")

    assert answer.code == 0
    assert answer.out.startswith("staging/orders\nOrders as they come in.\n")
    assert "owners        team:shop" in answer.out
    assert "row count     3" in answer.out
    assert "downstream    marts/per_customer" in answer.out
    assert ["customer", "VARCHAR"] in [line.split() for line in answer.out.splitlines()]


def test_show_keeps_the_lines_of_a_query_together(project: Path, wa: Wa) -> None:
    file = project / "shop.py"
    file.write_text(file.read_text().replace('SQL("select customer from {c}', 'SQL("select customer\\nfrom {c}\\n '))
    wa("materialize", "-m", "shop")
    lines = wa("show", "marts/best", "-m", "shop").out.splitlines()
    first = lines.index("sql           select customer")

    assert lines[first + 1 : first + 3] == [
        '              from "marts"."per_customer"',
        "                order by orders desc limit 1",
    ]


def test_show_tells_which_data_a_table_was_made_from(wa: Wa) -> None:
    wa("materialize", "-m", "shop")

    lines = wa("show", "per_customer", "-m", "shop").out.splitlines()

    assert [line.split()[:4] for line in lines if line.startswith("made from")] == [["made", "from", "staging/orders", "at"]]


def test_show_finds_an_asset_by_its_last_segment(wa: Wa) -> None:
    assert json.loads(wa("show", "best", "-m", "shop", "--json").out)["key"] == "marts/best"


def test_show_of_what_was_never_made_says_so(wa: Wa) -> None:
    assert "never materialized here" in wa("show", "best", "-m", "shop").out


def test_show_suggests_a_close_key(wa: Wa) -> None:
    answer = wa("show", "marts/bset", "-m", "shop")

    assert (answer.code, answer.err) == (2, "Error: there is no asset 'marts/bset'. Did you mean 'marts/best'?\n")


def test_query_joins_tables_of_several_stores(wa: Wa) -> None:
    wa("materialize", "-m", "shop")

    answer = wa(
        "query",
        "select o.customer, c.orders, count(*) as n from staging.orders o join marts.per_customer c using (customer) "
        "group by all order by all",
        "-m",
        "shop",
        "--csv",
    )

    assert answer.out.splitlines() == ["customer,orders,n", "ann,2,2", "bob,1,1"]


def test_query_shows_a_table_and_its_rows(wa: Wa) -> None:
    wa("materialize", "-m", "shop")

    answer = wa("query", "select * from staging.orders order by id", "-m", "shop", "--limit", "2")

    assert answer.code == 0
    assert "2 rows of 3; --limit 0 shows all" in answer.out


def test_query_writes_json_lines(wa: Wa) -> None:
    wa("materialize", "-m", "shop")

    answer = wa("query", "select customer from marts.best", "-m", "shop", "--json")

    assert json.loads(answer.out) == {"customer": "ann"}


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select * from staging.ordrs", "Did you mean 'staging/orders'?"),
        ("select nothing from staging.orders", "nothing"),
        ("drop table staging.orders", "not a query"),
        ("select 1; select 2", "2 statements"),
        ("selec 1", "Error: "),
    ],
)
def test_a_query_that_cannot_be_meant_is_one_line_and_changes_nothing(wa: Wa, sql: str, message: str) -> None:
    wa("materialize", "-m", "shop")

    answer = wa("query", sql, "-m", "shop")

    assert answer.code == 2
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert wa("query", "select count(*) as n from staging.orders", "-m", "shop", "--csv").out.split() == ["n", "3"]


def test_query_of_a_table_that_was_never_made_names_its_asset(wa: Wa) -> None:
    answer = wa("query", "select * from marts.best", "-m", "shop")

    assert answer.code == 1
    assert "asset 'marts/best'" in answer.err
    assert "materialized first" in answer.err


def test_an_unknown_command_is_guessed(wa: Wa) -> None:
    answer = wa("materialise")

    assert (answer.code, answer.err) == (2, "Error: There is no command 'materialise'. Did you mean 'materialize'?\n")


def test_help_and_version(wa: Wa) -> None:
    assert "materialize" in wa("--help").out
    assert wa("--version").out.startswith("warehouse-assets ")
    assert wa().code == 0


def test_the_version_loads_no_heavy_library(project: Path) -> None:
    code = (
        "import sys\nfrom warehouse_assets.cli import main\n"
        "try: main(['--version'])\nexcept SystemExit: pass\n"
        "heavy = {'polars', 'pyarrow', 'duckdb', 'pydantic', 'sqlalchemy', 'rich', 'fsspec', 'sqlglot', 'msgspec'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_a_query_of_what_is_no_asset_names_those_that_are(wa: Wa) -> None:
    answer = wa("query", "select * from nothing_like_it", "-m", "shop")

    assert answer.code == 2
    assert answer.err.startswith(
        "Error: the SQL reads the table 'nothing_like_it', which is no asset here (query:1:15). There are marts/best,"
    )


@pytest.mark.semantics(31)
def test_the_jobs_of_a_module_are_listed(wa: Wa, project: Path) -> None:
    job = 'from warehouse_assets import define_asset_job\nmarts = define_asset_job("all_marts", "group:marts", description="Daily.")\n'
    (project / "with_job.py").write_text((project / "failing.py").read_text() + job.replace("group:marts", "good"))

    answer = wa("list", "-m", "with_job")

    assert "all_marts" in answer.out
    assert "Daily." in answer.out
