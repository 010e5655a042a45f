"""`observe`: look at sources, and record what is seen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.outputs import DataVersion, ObserveResult
from warehouse_assets.definitions.source import SourceAsset
from warehouse_assets.errors import InvalidDefinitionError, InvalidOutputError
from warehouse_assets.events import DATA_VERSION_TAG, AssetObservation, Event, RunRecord
from warehouse_assets.execution.resources import ResourcePool

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = ["observe"]


def observe(
    assets: Iterable[SourceAsset], *, instance: Instance, resources: Mapping[str, Any] | None = None
) -> list[AssetObservation]:
    """Call the function of each observable source, and record what it returns as an observation with its data version.

    Raises InvalidDefinitionError for a source without a function; an error of user code is raised as itself, after those before
    it were recorded.
    """
    sources = list(assets)
    for source in sources:
        if not isinstance(source, SourceAsset) or source.observe_function is None:
            raise InvalidDefinitionError(f"{source!r} cannot be observed", hint="Declare it with @observable_source_asset.")
    run = RunRecord(os.urandom(8).hex(), "QUEUED", time.time(), asset_keys=tuple(source.key for source in sources))
    instance.create_run(run)
    instance.store_events([Event("RUN_START", run.run_id, time.time())])
    pool = ResourcePool(resources or {}, run_id=run.run_id, instance=instance)
    seen: list[AssetObservation] = []
    ended = Event("RUN_FAILURE", run.run_id, time.time())
    try:
        for source in sources:
            observation = _observation(source, _call(source, pool))
            instance.store_events([Event("ASSET_OBSERVATION", run.run_id, time.time(), data=observation)])
            seen.append(observation)
        ended = Event("RUN_SUCCESS", run.run_id, time.time())
    finally:
        pool.close()
        instance.store_events([ended])
    return seen


def _call(source: SourceAsset, pool: ResourcePool) -> Any:
    function = source.observe_function
    assert function is not None
    values = {name: pool.get(name) for name in function.resource_parameters}
    return function.fn(**values)


def _observation(source: SourceAsset, result: Any) -> AssetObservation:
    if isinstance(result, DataVersion):
        result = ObserveResult(data_version=result)
    if not isinstance(result, ObserveResult):
        raise InvalidOutputError(
            f"observing {source.key.to_user_string()!r} gave a value of type {type(result).__qualname__}",
            hint="Return a DataVersion or an ObserveResult.",
        )
    versions = {DATA_VERSION_TAG: result.data_version} if result.data_version is not None else {}
    return AssetObservation(source.key, metadata=result.metadata, tags={**result.tags, **versions})
