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
from warehouse_assets.execution.context import AssetExecutionContext
from warehouse_assets.execution.resources import LazyResources, ResourcePool

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
    own = {name: value for source in sources for name, value in source.resource_defs.items()}
    pool = ResourcePool({**own, **(resources or {})}, run_id=run.run_id, instance=instance)
    seen: list[AssetObservation] = []
    ended = Event("RUN_FAILURE", run.run_id, time.time())
    try:
        for source in sources:
            observation = _observation(source, _call(source, pool, run, instance))
            instance.store_events([Event("ASSET_OBSERVATION", run.run_id, time.time(), data=observation)])
            seen.append(observation)
        ended = Event("RUN_SUCCESS", run.run_id, time.time())
    finally:
        pool.close()
        instance.store_events([ended])
    return seen


class _ObserveContext(AssetExecutionContext):
    """What the function of a source knows of the run that observes it."""

    __slots__ = ("_instance", "_run")

    def __init__(self, source: SourceAsset, pool: ResourcePool, run: RunRecord, instance: Instance) -> None:
        super().__init__(assets_def=None, selected=(source.key,), resources=LazyResources(pool))  # type: ignore[arg-type]
        self._run = run
        self._instance = instance

    @property
    def run_id(self) -> str:
        return self._run.run_id

    @property
    def run(self) -> RunRecord:
        return self._run

    @property
    def instance(self) -> Instance:
        return self._instance


def _call(source: SourceAsset, pool: ResourcePool, run: RunRecord, instance: Instance) -> Any:
    function = source.observe_function
    assert function is not None
    values = {name: pool.get(name) for name in function.resource_parameters}
    if function.context_parameter is not None:
        values[function.context_parameter] = _ObserveContext(source, pool, run, instance)
    positional = [values.pop(name) for name in function.positional_only]
    return function.fn(*positional, **values)


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
