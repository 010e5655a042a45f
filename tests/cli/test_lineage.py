"""`wa lineage`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

DAYS = """
import polars as pl

from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import Definitions, SourceAsset, asset, sql_asset


@asset(key="shop/orders", io_manager_key="lake")
def orders() -> pl.DataFrame:
    return pl.DataFrame({"id": [1, 2], "paid": [3, 4], "day": ["mon", "tue"]})


@asset(key="plots/line")
def line(days: pl.DataFrame) -> pl.DataFrame:
    return days


defs = Definitions(
    [
        orders,
        line,
        sql_asset("marts/days", "select day, sum(paid) as paid from shop.orders where id > 0 group by day"),
        sql_asset("marts/share", "select d.day, o.paid / d.paid as share from marts.days d join shop.orders o using (day)"),
        sql_asset("odd/a.b", \'select paid as "x.y" from marts.days\'),
    ],
    resources={"io_manager": DuckDBIOManager(database="days.duckdb"), "lake": ParquetIOManager(base_path="lake")},
)
"""


@pytest.fixture
def days(project: Path) -> Path:
    (project / "days.py").write_text(DAYS)
    return project


UPSTREAM = """\
marts/share.share
├── marts/days.paid  (derived)
│   └── shop/orders.paid  (aggregated)
└── shop/orders.paid  (derived)
"""

ROWS = """\
marts/share.share
├── marts/days.paid  (derived)
├── shop/orders.paid  (derived)
├── marts/days.day  (chooses rows)
└── shop/orders.day  (chooses rows)
"""

BOTH = """\
upstream:
marts/days.paid
└── shop/orders.paid  (aggregated)

downstream:
marts/days.paid
├── marts/share.share  (derived)
├── odd/a.b.x.y
└── plots/line  (not known; Python makes it from this table)
"""

TABLES = """\
upstream:
marts/days
└── shop/orders

downstream:
marts/days
├── marts/share
├── odd/a.b
└── plots/line
"""


@pytest.mark.parametrize("made", [False, True], ids=["never_made", "made"])
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["marts/share.share"], UPSTREAM),
        (["share.SHARE", "--depth", "1", "--rows"], ROWS),
        (["days.paid", "--upstream", "--downstream"], BOTH),
        (["marts/days", "--upstream", "--downstream"], TABLES),
        (["odd/a.b.x.y", "--depth", "1"], "odd/a.b.x.y\n└── marts/days.paid\n"),
        (["odd/a.b"], "odd/a.b\n└── marts/days\n    └── shop/orders\n"),
        (["shop/orders.id", "--downstream"], "shop/orders.id\n"),
        (["shop/orders.id", "--downstream", "--rows"], "shop/orders.id\n└── marts/days  (chooses rows)\n"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_tree_shows_where_it_comes_from_and_where_it_goes(
    days: Path, wa: Run, made: bool, given: list[str], shown: str
) -> None:
    if made:
        wa("materialize", "-m", "days.py")

    answer = wa("lineage", *given, "-m", "days.py")

    assert (answer.code, answer.err, answer.out) == (0, "", shown)


def test_what_was_shown_is_not_shown_again_with_all_that_follows(days: Path, wa: Run) -> None:
    (days / "diamond.py").write_text(
        """
from warehouse_assets import sql_asset
a = sql_asset("a", "select 1 as x")
b = sql_asset("b", "select x + 1 as x from a")
c = sql_asset("c", "select b.x + a.x as x from a, b")
d = sql_asset("d", "select b.x * c.x as x from b, c")
"""
    )

    assert wa("lineage", "d.x", "-m", "diamond.py").out == (
        "d.x\n├── b.x  (derived)\n│   └── a.x  (derived)\n└── c.x  (derived)\n    ├── a.x  (derived)\n    └── b.x  (derived; as above)\n"
    )


def test_mermaid_draws_tables_with_their_columns(days: Path, wa: Run) -> None:
    drawn = wa("lineage", "days.paid", "-m", "days.py", "--upstream", "--downstream", "--format", "mermaid").out

    assert drawn.splitlines() == [
        "flowchart LR",
        '  subgraph t0["marts/days"]',
        '    n0["paid"]',
        "  end",
        '  subgraph t1["shop/orders"]',
        '    n1["paid"]',
        "  end",
        '  subgraph t2["marts/share"]',
        '    n2["share"]',
        "  end",
        '  subgraph t3["odd/a.b"]',
        '    n3["x.y"]',
        "  end",
        '  n4["plots/line"]',
        "  n1 -->|aggregated| n0",
        "  n0 -->|derived| n2",
        "  n0 --> n3",
        "  n0 -->|not known| n4",
        "  classDef opaque stroke-dasharray: 4 3",
        "  class n4 opaque",
    ]


def test_mermaid_takes_names_of_any_letters(days: Path, wa: Run) -> None:
    (days / "odd.py").write_text(
        """
from warehouse_assets import sql_asset
odd = sql_asset("odd", 'select 1 as "a ""b"" <c>;`#`"')
copy = sql_asset("copy", 'select "a ""b"" <c>;`#`" as x from odd')
"""
    )

    drawn = wa("lineage", "copy.x", "-m", "odd.py", "--format", "mermaid").out

    assert '["a #quot;b#quot; #lt;c#gt;;#96;#35;#96;"]' in drawn


def test_json_tells_programs_the_links(days: Path, wa: Run) -> None:
    told = json.loads(wa("lineage", "days.paid", "-m", "days.py", "--downstream", "--format", "json").out)
    paid, line = {"asset": "marts/days", "column": "paid"}, {"asset": "plots/line", "column": None}

    assert told["downstream"]["start"] == [paid]
    assert told["downstream"]["links"][-1] == {"source": paid, "target": line, "kind": "unknown"}
    assert told["downstream"]["opaque"] == [{**line, "reason": "Python makes it from this table"}]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("marts/share.shar", "the table of 'marts/share' has no column 'shar'. Did you mean 'share'?"),
        ("marts/shar.share", "there is no asset 'marts/shar'"),
        ("", "has an empty segment"),
        ("marts/days.", "marts/days"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest_names(days: Path, wa: Run, name: str, said: str) -> None:
    answer = wa("lineage", name, "-m", "days.py")

    assert said in (answer.err or answer.out)
    assert answer.code == (0 if name.endswith(".") else 2)


def test_show_says_what_each_column_is_made_from(days: Path, wa: Run) -> None:
    wa("materialize", "-m", "days.py")

    shown = wa("show", "days", "-m", "days.py").out

    assert "made from" in shown
    assert "shop/orders.paid" in shown
