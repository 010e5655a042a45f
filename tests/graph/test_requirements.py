from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import AssetIn, ConfigurableResource, SourceAsset, asset, materialize
from warehouse_assets.errors import ResourceError
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.requirements import merge_resources, missing_resources, required_resources


class Database(ConfigurableResource):
    host: str = "localhost"


@asset(required_resource_keys={"clock"}, io_manager_key="lake", ins={"rates": AssetIn(input_manager_key="web")})
def bills(orders: int, rates: int, database: Database) -> int:
    return orders


@asset(resource_defs={"database": Database(host="a")})
def log(bills: int) -> None: ...


def graph() -> AssetGraph:
    return AssetGraph.build([bills, log, SourceAsset("orders", io_manager_key="shop"), SourceAsset("rates")])


@pytest.mark.semantics(12, 19)
def test_everything_that_assets_need_is_known_with_the_reason() -> None:
    assert required_resources(graph(), [bills, log]) == {
        "clock": "is required by asset 'bills'",
        "database": "is required by asset 'bills'",
        "lake": "is the I/O manager of asset 'bills'",
        "shop": "is the I/O manager that loads 'orders' for asset 'bills'",
        "web": "is the I/O manager that loads 'rates' for asset 'bills'",
    }


@pytest.mark.semantics(12, 19)
def test_what_is_missing_is_said_in_full() -> None:
    needed = required_resources(graph(), [bills, log])

    missing = missing_resources(needed, {"clocks": 1, "database": 2, "lake": 3, "shop": 4})

    assert missing == [
        "the resource 'clock' is required by asset 'bills', and is not given. Did you mean 'clocks'?",
        (
            "the resource 'web' is the I/O manager that loads 'rates' for asset 'bills', and is not given. "
            "Given are 'clocks', 'database', 'lake', 'shop'."
        ),
    ]


@pytest.mark.semantics(19)
@pytest.mark.parametrize("given", [{}, {"database": Database(host="a")}], ids=["alone", "equal"])
def test_resources_that_come_with_an_asset_are_added(given: dict[str, Any]) -> None:
    assert merge_resources(graph(), given, graph()) == {"database": Database(host="a")}


@pytest.mark.semantics(19)
def test_resources_that_conflict_are_an_error_that_names_both(store: Any) -> None:
    with pytest.raises(
        ResourceError, match="'database' is given twice, with different values: by the resources given and by asset 'log'"
    ):
        materialize([log, SourceAsset("bills")], resources={"database": Database(host="b"), "io_manager": store})
