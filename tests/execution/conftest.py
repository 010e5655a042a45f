from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.execution.checked import StagedValue
from warehouse_assets import (
    AssetKey,
    InProcessExecutor,
    InputContext,
    Instance,
    IOManager,
    OutputContext,
    ThreadExecutor,
    materialize,
)
from warehouse_assets.errors import TableNotFoundError


@pytest.fixture(params=[InProcessExecutor, lambda: ThreadExecutor(4)], ids=["in_process", "threads"])
def executor(request: pytest.FixtureRequest) -> Any:
    return request.param()


class SlicedManager(IOManager):
    """Keeps a value for each partition, and the contexts of all calls."""

    def __init__(self) -> None:
        self.slices: dict[AssetKey, dict[str | None, Any]] = {}
        self.outputs: list[OutputContext] = []
        self.inputs: list[InputContext] = []

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        self.outputs.append(context)
        keys = context.partition_keys if context.has_asset_partitions else (None,)
        self.slices.setdefault(context.asset_key, {}).update(dict.fromkeys(keys, obj))

    def load_input(self, context: InputContext) -> Any:
        self.inputs.append(context)
        if context.asset_key not in self.slices:
            raise TableNotFoundError(f"there is no table {context.asset_key.to_user_string()!r}")
        slices = self.slices[context.asset_key]
        if not context.has_asset_partitions:
            return slices[None]
        return {key: slices[key] for key in context.partition_keys if key in slices}

    def run_sql(self, context: OutputContext, sql: Any) -> None: ...

    @property
    def written(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(context.asset_key.to_user_string(), tuple(context.partition_keys)) for context in self.outputs]

    @property
    def read(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(context.asset_key.to_user_string(), tuple(context.partition_keys)) for context in self.inputs]


@pytest.fixture
def slices() -> SlicedManager:
    return SlicedManager()


@pytest.fixture
def run(slices: SlicedManager, instance: Instance, executor: Any) -> Callable[..., Any]:
    """Materializes with the manager and the instance of the test."""

    def run(*assets: Any, **options: Any) -> Any:
        return materialize(assets, resources={"io_manager": slices}, instance=instance, executor=executor, **options)

    return run


@pytest.fixture
def staging(new_manager: Any) -> Any:
    """A manager in memory that shows a value before it is published."""

    class StagingManager(new_manager):
        @contextmanager
        def stage(self, context: OutputContext, obj: Any) -> Iterator[StagedValue]:
            yield StagedValue(obj)
            self.handle_output(context, obj)
            context.add_output_metadata({"row_count": len(obj)})

    return StagingManager()
