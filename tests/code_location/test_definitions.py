from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from warehouse_assets import AssetKey, Definitions, InputContext, Instance, IOManager, OutputContext, SourceAsset, asset
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError, TableNotFoundError


class Shelf(IOManager):
    def __init__(self, **values: Any) -> None:
        self.values = values

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        self.values[context.asset_key.to_user_string()] = obj

    def load_input(self, context: InputContext) -> Any:
        return context.type_hint, context.columns, self.values[context.asset_key.to_user_string()]


@asset(io_manager_key="shelf")
def numbers() -> list[int]:
    return [1, 2]


@pytest.mark.semantics(30)
def test_all_faults_are_reported_at_once() -> None:
    @asset(name="numbers")
    def again() -> None: ...

    @asset(required_resource_keys={"mailer"})
    def total(numbrs: int) -> None: ...

    with pytest.raises(InvalidDefinitionsError) as caught:
        Definitions([numbers, again, total])

    text = str(caught.value)
    assert "asset 'numbers' is defined twice" in text
    assert "Did you mean 'numbers'?" in text
    assert text.count("test_definitions.py:") >= 3


@pytest.mark.semantics(30)
def test_resources_that_are_missing_are_named_with_who_needs_them() -> None:
    with pytest.raises(InvalidDefinitionError, match=r"'shelf' is the I/O manager of asset 'numbers'.*Did you mean 'shelv'"):
        Definitions([numbers], resources={"shelv": Shelf()})


@pytest.mark.semantics(30)
def test_merge_puts_parts_together() -> None:
    @asset
    def other() -> None: ...

    shelf = Shelf()
    merged = Definitions.merge(
        Definitions([numbers], resources={"shelf": shelf}), Definitions(other, resources={"shelf": shelf})
    )

    assert set(merged.graph.executable_keys) == {AssetKey("numbers"), AssetKey("other")}


@pytest.mark.semantics(30)
def test_merge_refuses_two_resources_of_one_name() -> None:
    parts = [Definitions([numbers], resources={"shelf": Shelf()}), Definitions(resources={"shelf": Shelf()})]

    with pytest.raises(InvalidDefinitionError, match="the resource 'shelf' is given twice"):
        Definitions.merge(*parts)


def test_values_are_loaded_outside_of_a_run() -> None:
    definitions = Definitions([numbers, SourceAsset("raw/old", io_manager_key="shelf")], resources={"shelf": Shelf()})
    definitions.resources["shelf"].values["raw/old"] = "x"
    definitions.materialize()

    assert definitions.load_asset_value("numbers") == (None, None, [1, 2])
    assert definitions.load_asset_value("numbers", as_type=list, columns=["a"]) == (list, ("a",), [1, 2])
    assert definitions.load_asset_value("raw/old")[2] == "x"
    with definitions.get_asset_value_loader() as loader, pytest.raises(TableNotFoundError, match="Did you mean 'numbers'"):
        loader.load_asset_value("number")


def test_a_part_of_a_table_is_loaded_outside_of_a_run(tmp_path) -> None:
    from io_managers.duckdb import DuckDBIOManager

    @asset
    def orders() -> pl.DataFrame:
        return pl.DataFrame({"id": [1, 2, 3], "kind": ["a", "b", "c"]})

    definitions = Definitions([orders], resources={"io_manager": DuckDBIOManager(database=str(tmp_path / "w.duckdb"))})
    definitions.materialize()
    with definitions.get_asset_value_loader() as loader:
        part = loader.load_asset_value("orders", columns=["kind"], where="id > 1", limit=1)

    assert part.rows() == [("b",)]
    assert definitions.load_asset_value("orders", where="id = 3").rows() == [(3, "c")]


def test_the_default_manager_keeps_values_beside_the_record(tmp_path: Any) -> None:
    @asset
    def letters() -> str:
        return "ab"

    definitions = Definitions([letters])
    with Instance.local(tmp_path) as instance:
        definitions.materialize(instance=instance)

        assert definitions.load_asset_value("letters", instance=instance) == "ab"
    assert (tmp_path / "storage").is_dir()
