"""Python functions that SQL calls: their code is part of the version of the SQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from io_managers import DeltaLakeIOManager, DuckDBIOManager, IcebergIOManager, ParquetIOManager, sql_function
from warehouse_assets import SQL, Definitions, Instance, asset, sql_asset

MANAGERS: dict[str, Callable[..., Any]] = {
    "duckdb": DuckDBIOManager,
    "parquet": lambda functions: ParquetIOManager(base_path="memory://lake", functions=functions),
    "delta": lambda functions: DeltaLakeIOManager(base_path="lake", functions=functions),
    "iceberg": lambda functions: IcebergIOManager(warehouse="lake", functions=functions),
}
FEE = """
RATE = 2

def helper(amount):
    return amount * RATE

def fee(amount: int) -> int:
    return helper(amount) + 1
"""


def scope_of(text: str) -> dict[str, Any]:
    """The names of a program without a file, whose functions count by their bytecode."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(text, scope)
    return scope


def versions(manager: Any) -> dict[str, str | None]:
    @asset(code_version="auto")
    def made() -> SQL:
        return SQL("select fee(2) as fee")

    assets = [
        sql_asset("calling", "select Fee (1) as fee"),
        sql_asset("quoted", 'select "fee"(1) as fee'),
        sql_asset("inner", SQL("from {q}", q=SQL("select 1 + fee(1) as fee"))),
        sql_asset("other", "select 1 as fees"),
        made,
    ]
    from warehouse_assets.graph.code.versions import CodeVersions

    graph = Definitions(assets, resources={"io_manager": manager}).graph
    code_version = CodeVersions(graph.resources)
    return {node.key.to_user_string(): code_version(node) for node in graph}


@pytest.mark.semantics(25)
@pytest.mark.parametrize("manager", MANAGERS)
@pytest.mark.parametrize(
    "changed",
    [FEE.replace("+ 1", "+ 2"), FEE.replace("RATE = 2", "RATE = 3"), FEE.replace("amount * RATE", "amount - RATE")],
    ids=["itself", "a constant that it uses", "what it calls"],
)
def test_a_function_that_changes_makes_what_calls_it_stale(manager: str, changed: str) -> None:
    before, after = (versions(MANAGERS[manager](functions=[scope_of(text)["fee"]])) for text in (FEE, changed))

    assert {key for key in after if before[key] != after[key]} == {"calling", "quoted", "inner", "made"}


def test_what_is_declared_of_a_function_counts_too() -> None:
    fee = scope_of(FEE)["fee"]
    before, after = (versions(DuckDBIOManager(functions=[sql_function(fee, takes_null=null)])) for null in (False, True))

    assert {key for key in after if before[key] != after[key]} == {"calling", "quoted", "inner", "made"}


def test_functions_that_are_not_called_change_nothing() -> None:
    unused = scope_of("def unused(n: int) -> int:\n    return n")["unused"]
    fee = scope_of(FEE)["fee"]

    assert versions(DuckDBIOManager(functions=[fee])) == versions(DuckDBIOManager(functions=[unused, fee]))


@pytest.mark.semantics(26)
def test_a_run_of_what_is_stale_calls_the_new_function(tmp_path: Path) -> None:
    def project(text: str) -> Definitions:
        store = DuckDBIOManager(database=f"{tmp_path}/shop.duckdb", functions=[scope_of(text)["fee"]])
        return Definitions([sql_asset("calling", "select fee(5) as fee")], resources={"io_manager": store})

    with Instance.ephemeral() as instance:
        project(FEE).materialize(instance=instance)
        project(FEE.replace("+ 1", "+ 2")).materialize(instance=instance, only_stale=True)
        fresh = project(FEE.replace("+ 1", "+ 2")).materialize(instance=instance, only_stale=True)

        assert project(FEE).load_asset_value("calling", instance=instance).item() == 12
        assert fresh.get_asset_materialization_events() == []
