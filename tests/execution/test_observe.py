from __future__ import annotations

import pytest

from warehouse_assets import (
    AssetExecutionContext,
    DataVersion,
    Instance,
    SourceAsset,
    asset,
    materialize,
    observable_source_asset,
    observe,
)
from warehouse_assets.definitions.outputs import ObserveResult
from warehouse_assets.errors import InvalidDefinitionError, InvalidOutputError
from warehouse_assets.events import DATA_VERSION_TAG


@observable_source_asset(key_prefix="raw", group_name="sources")
def orders() -> DataVersion:
    """Orders of the shop."""
    return DataVersion("2024-05-01")


@pytest.mark.semantics(14)
def test_an_observation_records_the_data_version(instance: Instance) -> None:
    (observation,) = observe([orders], instance=instance)

    event = instance.get_latest_observation_event("raw/orders")
    assert event is not None
    assert event.asset_observation == observation
    assert observation.tags == {DATA_VERSION_TAG: "2024-05-01"}
    assert [run.status for run in instance.get_runs()] == ["SUCCESS"]


@pytest.mark.semantics(14)
def test_an_observation_may_hold_metadata(instance: Instance) -> None:
    source = SourceAsset("raw/lines", observe_fn=lambda: ObserveResult(metadata={"files": 3}))

    (observation,) = observe([source], instance=instance)

    assert observation.metadata["files"].value == 3


@pytest.mark.semantics(14)
def test_an_observable_source_is_loaded_and_never_run(instance: Instance, new_manager: type) -> None:
    @asset
    def total(orders: int) -> None:
        assert orders == 5

    store = new_manager(**{"raw/orders": 5})
    result = materialize([orders, total], resources={"io_manager": store}, instance=instance)

    assert result.steps() == ["total"]
    assert instance.get_latest_observation_event("raw/orders") is None


def test_a_failed_observation_fails_its_run_and_keeps_those_before(instance: Instance) -> None:
    def fails() -> DataVersion:
        raise ConnectionError("no route")

    with pytest.raises(ConnectionError):
        observe([orders, SourceAsset("raw/lines", observe_fn=fails)], instance=instance)

    assert instance.get_latest_observation_event("raw/orders") is not None
    assert [run.status for run in instance.get_runs()] == ["FAILURE"]


def test_what_cannot_be_observed_is_said(instance: Instance) -> None:
    with pytest.raises(InvalidDefinitionError, match="@observable_source_asset"):
        observe([SourceAsset("raw/lines")], instance=instance)
    with pytest.raises(InvalidOutputError, match="DataVersion"):
        observe([SourceAsset("raw/lines", observe_fn=lambda: 3)], instance=instance)


@pytest.mark.semantics(14)
def test_the_function_of_a_source_may_take_a_context(instance: Instance) -> None:
    @observable_source_asset(key="raw/orders", resource_defs={"files": ["a", "b"]})
    def landed(context: AssetExecutionContext) -> DataVersion:
        context.log.debug("looking")
        assert instance.get_run_by_id(context.run_id).run_id == context.run.run_id
        assert context.instance is instance
        return DataVersion(f"{context.asset_key.to_user_string()}: {len(context.resources.files)}")

    [observation] = observe([landed], instance=instance)

    assert list(observation.tags.values()) == ["raw/orders: 2"]
