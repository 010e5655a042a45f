"""The files of a new project: three tables, one in partitions, one in polars and one in SQL, and tests of them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["project_files"]


def project_files(name: str, package: str) -> Mapping[str, str]:
    """The text of each file of a project, by its path."""
    return {
        path.replace("PACKAGE", package): text.replace("PACKAGE", package).replace("NAME", name)
        for path, text in _FILES.items()
    }


_PYPROJECT = """\
[project]
name = "NAME"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["warehouse-assets[duckdb]"]

[dependency-groups]
dev = ["pytest>=8"]

[tool.warehouse_assets]
module = "PACKAGE.definitions"

[tool.pytest.ini_options]
pythonpath = ["."]
"""

_DEFINITIONS = '''\
"""The tables of this project, and where they are kept."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from io_managers import DuckDBIOManager
from warehouse_assets import (
    AssetExecutionContext,
    BackfillPolicy,
    Definitions,
    StaticPartitionsDefinition,
    asset,
    load_assets_from_sql_files,
)

ROOT = Path(__file__).parents[1]

shops = StaticPartitionsDefinition(["north", "south"])


@asset(
    key_prefix="raw",
    partitions_def=shops,
    backfill_policy=BackfillPolicy.single_run(),
    metadata={"partition_expr": "shop"},
)
def sales(context: AssetExecutionContext) -> pl.DataFrame:
    """What was sold. Each shop is a partition, which can be made by itself."""
    sold = pl.DataFrame(
        {
            "shop": ["north", "north", "south", "south"],
            "product": ["apple", "pear", "apple", "apple"],
            "pieces": [3, 5, 2, -1],
            "price": [0.5, 0.8, 0.5, 0.5],
        }
    )
    return sold.filter(pl.col("shop").is_in(context.partition_keys))


@asset(key_prefix="staging")
def orders(sales: pl.LazyFrame) -> pl.LazyFrame:
    """Sales without returns, with what each came to."""
    return sales.filter(pl.col("pieces") > 0).with_columns(amount=pl.col("pieces") * pl.col("price"))


defs = Definitions(
    [sales, orders, *load_assets_from_sql_files(ROOT / "models")],
    resources={"io_manager": DuckDBIOManager(database=str(ROOT / "warehouse.duckdb"))},
)
'''

_MODEL = """\
/* ---
description: What each product came to.
checks: [not_null: product, unique: product]
--- */
select product, round(sum(amount), 2) as revenue
from staging.orders
group by product
order by product
"""

_MODEL_TEST = """\
tests:
  - name: adds up what a product came to
    given:
      staging/orders:
        - {product: apple, amount: 1.5}
        - {product: apple, amount: 1.0}
    expect:
      - {product: apple, revenue: 2.5}
"""

_TEST = """\
from __future__ import annotations

import polars as pl
from PACKAGE.definitions import defs, orders, sales

from io_managers import InMemoryIOManager
from warehouse_assets import PartitionKeyRange, materialize


def test_orders_are_sales_without_returns() -> None:
    result = materialize(
        [sales, orders],
        partition_key_range=PartitionKeyRange("north", "south"),
        resources={"io_manager": InMemoryIOManager()},
    )

    frame = result.asset_value("staging/orders", as_type=pl.DataFrame)
    assert (frame.height, frame["amount"].sum()) == (3, 6.5)


def test_all_tables_are_declared() -> None:
    assert [key.to_user_string() for key in defs.graph.order] == ["raw/sales", "staging/orders", "marts/revenue"]
"""

_README = """\
# NAME

Tables that are declared once, in [PACKAGE/definitions.py](PACKAGE/definitions.py) and as SQL in [models](models).

```console
pip install "warehouse-assets[duckdb]" pytest
wa list            # the tables, and what each is made from
wa materialize     # make them all
wa query "select * from marts.revenue"
wa status          # what is fresh, and what is not
wa test            # the tests beside the SQL
pytest             # the tests of the functions
```

`raw/sales` is in partitions: `wa materialize --partition north` makes one of them, and what follows from it.
"""

_FILES = {
    "pyproject.toml": _PYPROJECT,
    "README.md": _README,
    ".gitignore": ".warehouse_assets/\n__pycache__/\n*.duckdb\n*.duckdb.wal\n",
    "PACKAGE/__init__.py": "",
    "PACKAGE/definitions.py": _DEFINITIONS,
    "models/marts/revenue.sql": _MODEL,
    "models/marts/revenue.test.yaml": _MODEL_TEST,
    "tests/test_definitions.py": _TEST,
}
