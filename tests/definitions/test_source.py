from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import AssetKey, AssetSpec, SourceAsset, StaticPartitionsDefinition, asset, materialize
from warehouse_assets.errors import ResourceError

DAYS = StaticPartitionsDefinition(["mon", "tue"])


@pytest.mark.semantics(11)
def test_a_source_says_what_it_is() -> None:
    source = SourceAsset(
        "raw/orders",
        metadata={"rows": 3},
        io_manager_key="lake",
        description="From the shop.",
        group_name="raw",
        tags={"a": "b"},
        partitions_def=DAYS,
    )

    assert (source.key, source.metadata, source.io_manager_key) == (AssetKey(["raw", "orders"]), {"rows": 3}, "lake")
    assert (source.description, source.group_name, source.partitions_def) == ("From the shop.", "raw", DAYS)
    assert repr(source) == "SourceAsset('raw/orders')"


@pytest.mark.semantics(11, 12, 24)
@pytest.mark.parametrize(
    "declare",
    [
        lambda metadata: SourceAsset("raw/orders", metadata=metadata, io_manager_key="lake"),
        lambda metadata: AssetSpec("raw/orders", metadata=metadata).with_io_manager_key("lake"),
    ],
    ids=["source", "spec"],
)
def test_an_external_table_is_loaded_by_its_own_manager(declare: Any, new_manager: Any, store: Any) -> None:
    lake = new_manager(**{"raw/orders": 3})

    @asset
    def bills(orders: int) -> int:
        return orders + 1

    result = materialize([bills, declare({"path": "x"})], resources={"io_manager": store, "lake": lake})

    assert (result.asset_value("bills"), lake.loaded, lake.stored) == (4, ["raw/orders"], [])
    assert lake.inputs[0].upstream_output.definition_metadata == {"path": "x"}


@pytest.mark.semantics(11)
def test_a_source_brings_its_manager(new_manager: Any, store: Any) -> None:
    lake = new_manager(orders=3)

    @asset
    def bills(orders: int) -> int:
        return orders + 1

    result = materialize([bills, SourceAsset("orders", io_manager_def=lake)], resources={"io_manager": store})

    assert (result.asset_value("bills"), lake.loaded) == (4, ["orders"])


@pytest.mark.semantics(12)
def test_a_missing_manager_is_named_before_anything_runs(store: Any) -> None:
    @asset
    def bills(orders: int) -> int:
        raise AssertionError

    with pytest.raises(ResourceError, match=r"'lake' is the I/O manager that loads 'orders' for asset 'bills'.*'lakes'\?"):
        materialize([bills, SourceAsset("orders", io_manager_key="lake")], resources={"io_manager": store, "lakes": store})


@pytest.mark.semantics(13)
def test_an_asset_becomes_a_source_that_carries_all_of_it(store: Any) -> None:
    @asset(key_prefix="raw", metadata={"path": "x"}, io_manager_def=store, group_name="g", tags={"a": "b"}, partitions_def=DAYS)
    def orders() -> int:
        """From the shop."""
        return 3

    source = orders.to_source_asset()

    assert (source.key, source.metadata, source.description) == (orders.key, {"path": "x"}, "From the shop.")
    assert (source.io_manager_def, source.group_name, source.partitions_def) == (store, "g", DAYS)


@pytest.mark.semantics(13)
@pytest.mark.parametrize("how", ["io_manager_key", "io_manager_def"])
def test_a_derived_asset_and_a_source_swap_either_way(how: str, new_manager: Any) -> None:
    lake = new_manager()
    options: dict[str, Any] = {how: "lake" if how == "io_manager_key" else lake}
    resources = {"lake": lake}

    @asset(**options)
    def orders() -> int:
        return 3

    @asset(**options)
    def bills(orders: int) -> int:
        return orders + 1

    values = [
        materialize(assets, resources=resources).asset_value("bills")
        for assets in ([orders, bills], [orders.to_source_asset(), bills])
    ]

    assert (values, lake.stored) == ([4, 4], ["orders", "bills", "bills"])


@pytest.mark.semantics(14)
@pytest.mark.parametrize("declare", [SourceAsset, AssetSpec], ids=["source", "spec"])
def test_a_source_is_loadable_and_never_run(declare: Any, new_manager: Any) -> None:
    store = new_manager(orders=3)

    @asset
    def bills(orders: int) -> int:
        return orders + 1

    result = materialize([declare("orders"), bills], resources={"io_manager": store})

    assert (result.steps(), result.asset_value("orders")) == (["bills"], 3)


def test_a_copy_of_a_source_has_another_key() -> None:
    source = SourceAsset("orders", metadata={"a": 1}, group_name="g")

    copy = source.with_attributes(new_keys={source.key: AssetKey(["raw", "orders"])})

    assert (copy.key, copy.group_name, copy.metadata, source.key) == (
        AssetKey(["raw", "orders"]),
        "g",
        {"a": 1},
        AssetKey("orders"),
    )
