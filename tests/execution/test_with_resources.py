from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import (
    AssetIn,
    AssetSpec,
    ConfigurableResource,
    DataVersion,
    Definitions,
    Instance,
    SourceAsset,
    asset,
    materialize,
    observable_source_asset,
    observe,
    resource,
    with_resources,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError

pytestmark = pytest.mark.semantics(19, 28)


class Rate(ConfigurableResource):
    factor: int = 1


@asset(io_manager_key="house", ins={"raw": AssetIn("raw/prices")})
def prices(raw: list[int], rate: Rate) -> list[int]:
    return [n * rate.factor for n in raw]


def test_assets_and_sources_bring_their_resources_and_managers(new_manager: Any) -> None:
    lake, house = new_manager(**{"raw/prices": [1, 2]}), new_manager()

    bound = with_resources(
        [prices, AssetSpec("raw/prices").with_io_manager_key("lake")],
        {"lake": lake, "house": house, "rate": Rate(factor=3), "unknown to all": 1},
    )

    assert materialize(bound).asset_value("prices") == [3, 6]
    assert (lake.loaded, house.stored) == (["raw/prices"], ["prices"])
    assert "unknown to all" not in Definitions(bound).resources


def test_the_default_manager_is_bound_where_it_is_given(store: Any) -> None:
    numbers = asset(name="numbers")(lambda: [1])

    materialize(with_resources([numbers], {"io_manager": store}))

    assert store.stored == ["numbers"]
    assert materialize(with_resources([numbers], {})).success


def test_resources_that_resources_need_come_along() -> None:
    @resource(required_resource_keys={"host"})
    def client(context: Any) -> str:
        return f"client of {context.resources.host}"

    @asset(required_resource_keys={"client"})
    def who(context) -> str:
        return str(context.resources.client)

    assert materialize(with_resources([who], {"client": client, "host": "db"})).asset_value("who") == "client of db"
    with pytest.raises(InvalidDefinitionError, match="asset 'who' needs the resource 'host', which is not given"):
        with_resources([who], {"client": client})


def test_resources_are_configured_by_key(store: Any) -> None:
    config = {"rate": {"config": {"factor": 5}}}

    bound = with_resources(
        [prices, SourceAsset("raw/prices", io_manager_key="house")],
        {"house": store, "rate": Rate()},
        resource_config_by_key=config,
    )
    store.values[bound[1].key] = [2]

    assert materialize(bound).asset_value("prices") == [10]


def test_all_faults_are_reported_at_once_with_their_places() -> None:
    own = asset(name="own", resource_defs={"db": 1}, required_resource_keys={"db"})(lambda: 1)
    lost = asset(name="lost", required_resource_keys={"databse"})(lambda: 1)

    with pytest.raises(InvalidDefinitionsError) as caught:
        with_resources([own, lost, prices], {"db": 2, "database": 3, "house": 4}, {"db": {"config": {"a": 1}}})

    text = str(caught.value)
    assert [
        fault
        for fault in ("takes no configuration", "'own' brings the resource 'db'", "'databse'", "'rate'")
        if fault not in text
    ] == []
    assert "Did you mean 'database'?" in text
    assert text.count("test_with_resources.py:") == 3


def test_what_an_asset_brings_already_stays() -> None:
    own = asset(name="own", resource_defs={"db": 1}, required_resource_keys={"db"})(lambda context: context.resources.db)

    assert materialize(with_resources([own], {"db": 1})).asset_value("own") == 1
    assert materialize(with_resources([own], {})).asset_value("own") == 1


def test_an_observed_source_brings_its_resources(instance: Instance) -> None:
    @observable_source_asset
    def landed(rate: Rate) -> DataVersion:
        return DataVersion(str(rate.factor))

    [observation] = observe(with_resources([landed], {"rate": Rate(factor=3)}), instance=instance)

    assert list(observation.tags.values()) == ["3"]
