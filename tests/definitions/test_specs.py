from __future__ import annotations

from pathlib import Path

import pytest

from warehouse_assets import AllPartitionMapping, AssetDep, AssetIn, AssetKey, AssetSpec, SourceAsset, asset
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError


@pytest.mark.semantics(11)
def test_a_spec_declares_a_table_that_something_else_fills() -> None:
    spec = AssetSpec("raw/orders", metadata={"path": "x"}, group_name="raw", deps=["a", SourceAsset("b")])

    kept = spec.with_io_manager_key("lake")

    assert (kept.key, kept.io_manager_key, spec.io_manager_key) == (AssetKey(["raw", "orders"]), "lake", None)
    assert (kept.metadata, kept.group_name, kept.deps) == (spec.metadata, spec.group_name, spec.deps)


@pytest.mark.semantics(10)
def test_a_spec_is_checked_and_names_the_place_of_its_declaration() -> None:
    with pytest.raises(InvalidDefinitionsError) as caught:
        AssetSpec("orders", owners=["x"], kinds=["a b"])

    assert [Path(__file__).name in str(fault) for fault in caught.value.exceptions] == [True, True]


def test_a_changed_spec_is_checked_too() -> None:
    with pytest.raises(InvalidDefinitionError, match="owner"):
        AssetSpec("orders").replace_attributes(owners=["x"])


@pytest.mark.semantics(5)
def test_a_dependency_is_about_one_asset() -> None:
    class Several:
        keys = (AssetKey("a"), AssetKey("b"))

    with pytest.raises(InvalidDefinitionError, match="stands for 2"):
        AssetDep(Several())


@pytest.mark.semantics(5)
def test_a_definition_of_several_assets_stands_for_all_its_keys() -> None:
    class Several:
        keys = (AssetKey("a"), AssetKey("b"))

    @asset(deps=[Several()])
    def bills() -> None: ...

    assert bills.dependency_keys == set(Several.keys)


@pytest.mark.semantics(5)
def test_an_input_keeps_what_it_was_given() -> None:
    given = AssetIn("a/b", metadata={"columns": ["x"]}, input_manager_key="lake", partition_mapping=AllPartitionMapping())

    assert (given.key, given.metadata, given.input_manager_key, given.partition_mapping) == (
        AssetKey(["a", "b"]),
        {"columns": ["x"]},
        "lake",
        AllPartitionMapping(),
    )


def test_specs_of_the_same_declaration_are_equal() -> None:
    assert AssetSpec("a", kinds=["x"]) == AssetSpec("a", kinds=["x"]) != AssetSpec("a")
