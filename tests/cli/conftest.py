from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from warehouse_assets.cli import main

SHOP = '''
"""A small shop."""
import polars as pl

from io_managers import DuckDBIOManager, ParquetIOManager
from warehouse_assets import SQL, Config, Definitions, SourceAsset, Table, asset


class Size(Config):
    rows: int = 3


@asset(key_prefix="staging", group_name="staging", kinds={"polars"}, owners=["team:shop"])
def orders(config: Size) -> pl.DataFrame:
    """Orders as they come in."""
    return pl.DataFrame({"id": range(config.rows), "customer": ["ann", "bob", "ann"] * (config.rows // 3)})


@asset(key_prefix="marts", group_name="marts", io_manager_key="lake", tags={"tier": "gold"})
def per_customer(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.group_by("customer").agg(pl.len().alias("orders")).sort("customer")


@asset(key_prefix="marts", group_name="marts")
def best(per_customer: Table) -> SQL:
    return SQL("select customer from {c} order by orders desc limit 1", c=per_customer)


defs = Definitions(
    [orders, per_customer, best, SourceAsset("raw/events")],
    resources={"io_manager": DuckDBIOManager(database="shop.duckdb"), "lake": ParquetIOManager(base_path="lake")},
)
'''

FAILING = """
from warehouse_assets import asset


@asset
def good() -> None: ...


@asset(deps=[good])
def bad():
    raise ValueError("no such luck")


@asset
def after(bad): ...


@asset(deps=[good])
def beside() -> None: ...
"""


class Answer(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_modules_of: Callable[[Path], None]) -> Iterator[Path]:
    """A folder with the modules `shop` and `failing`, as the current one."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WAREHOUSE_ASSETS_HOME", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    forget_modules_of(tmp_path)


@pytest.fixture
def wa(project: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs a command in the project's folder."""

    def run(*args: str) -> Answer:
        with pytest.raises(SystemExit) as exit_:
            main(list(args))
        captured = capsys.readouterr()
        return Answer(int(exit_.value.code or 0), captured.out, captured.err)

    return run
