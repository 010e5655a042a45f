"""`AssetExecutionContext`: what a function knows of the run it is part of, and what it can say of the assets it makes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.execution.partition_context import PartitionContext
from warehouse_assets.io_manager.contexts import logger
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey
from warehouse_assets.metadata import MetadataValue, normalize_metadata

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.definitions.ops import OpDefinition
    from warehouse_assets.events import RunRecord
    from warehouse_assets.execution.partitions import ChosenPartitions
    from warehouse_assets.execution.session import RunSession
    from warehouse_assets.execution.table_versions import AsOf

__all__ = ["AssetExecutionContext", "OpExecutionContext"]


class AssetExecutionContext(PartitionContext):
    """What an asset's function knows of its run, given to a first parameter named `context`."""

    asset_parameter: ClassVar[str] = "context"

    __slots__ = (
        "_data_versions",
        "_metadata",
        "_partitions",
        "_report",
        "_selected",
        "_session",
        "assets_def",
        "log",
        "op_config",
        "resources",
        "retry_number",
        "step_key",
    )

    def __init__(
        self,
        *,
        assets_def: AssetsDefinition,
        selected: tuple[AssetKey, ...],
        session: RunSession | None = None,
        step_key: str = "",
        resources: Any = None,
        op_config: Any = None,
        retry_number: int = 0,
        log: logging.Logger = logger,
        report: Callable[[float, float | None], None] | None = None,
        partitions: ChosenPartitions | None = None,
    ) -> None:
        self.assets_def = assets_def
        self.step_key = step_key
        self.resources = resources
        self.op_config = op_config
        self.retry_number = retry_number
        self.log = log
        self._selected = selected
        self._session = session
        self._report = report
        self._partitions = partitions
        self._metadata: dict[AssetKey, dict[str, MetadataValue]] = {}
        self._data_versions: dict[AssetKey, str] = {}

    # the run

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._session.run.run_id if self._session is not None else ""

    @property
    def run(self) -> RunRecord:
        """The record of the run, as it was when the run began."""
        return self._require_session().run

    @property
    def instance(self) -> Any:
        """The instance that records the run."""
        return self._require_session().instance

    @property
    def run_tags(self) -> Mapping[str, str]:
        """The tags of the run."""
        return self.run.tags

    # the assets

    @property
    def asset_key(self) -> AssetKey:
        """The one asset that is made; InvalidInvocationError where there are several."""
        return self._one_key()

    @property
    def selected_asset_keys(self) -> frozenset[AssetKey]:
        """The assets that are to be made."""
        return frozenset(self._selected)

    @property
    def selected_output_names(self) -> frozenset[str]:
        """The outputs that are to be yielded."""
        return frozenset(self.assets_def.output_for(key).name for key in self._selected)

    def asset_key_for_output(self, output_name: str = "result") -> AssetKey:
        """The asset that an output makes; InvalidInvocationError for an output that is not there."""
        outputs = self.assets_def.outputs
        if output_name not in outputs:
            raise InvalidInvocationError(
                f"{self.assets_def.node_name!r} has no output {output_name!r}; it has {sorted(outputs)}"
            )
        return outputs[output_name].spec.key

    @property
    def op_execution_context(self) -> AssetExecutionContext:
        """This context: there is only one."""
        return self

    # what can be said

    def add_output_metadata(
        self, metadata: Mapping[str, Any], output_name: str | None = None, asset_key: CoercibleToAssetKey | None = None
    ) -> None:
        """Record metadata with the materialization of an asset: of the only one, or of one named by its output or key."""
        if asset_key is not None:
            key = AssetKey.coerce(asset_key)
        elif output_name is not None:
            key = self.asset_key_for_output(output_name)
        else:
            key = self._one_key()
        if key not in self._selected:
            raise InvalidInvocationError(f"asset {key.to_user_string()!r} is not made by this step")
        self._metadata.setdefault(key, {}).update(normalize_metadata(metadata))

    def add_asset_metadata(self, metadata: Mapping[str, Any], asset_key: CoercibleToAssetKey | None = None) -> None:
        """Record metadata with the materialization of an asset."""
        self.add_output_metadata(metadata, asset_key=asset_key)

    def set_data_version(self, asset_key: CoercibleToAssetKey, data_version: Any) -> None:
        """Say which version the data of an asset has."""
        self._data_versions[AssetKey.coerce(asset_key)] = str(getattr(data_version, "value", data_version))

    def report_progress(self, done: float, total: float | None = None) -> None:
        """Tell those who watch how far the asset is: `done` of `total`, in any unit."""
        if self._report is not None:
            self._report(done, total)

    def load_asset_value(
        self,
        asset_key: CoercibleToAssetKey,
        *,
        as_type: Any = None,
        columns: Iterable[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
        partition_key: str | None = None,
        as_of: AsOf | None = None,
    ) -> Any:
        """The stored value of another asset of the graph, as `as_type`: of one partition, or the whole, now or `as_of` then.

        Of a table it is only these `columns`, the rows for which the SQL condition `where` holds, and no more than `limit`.
        """
        from warehouse_assets.execution.tables import part_asked_for

        metadata = part_asked_for(columns, where, limit)
        tables = self._require_session().tables
        return tables.load(AssetKey.coerce(asset_key), as_type, metadata=metadata, partition_key=partition_key, as_of=as_of)

    def metadata_for(self, key: AssetKey) -> Mapping[str, MetadataValue]:
        """What was recorded so far for an asset."""
        return self._metadata.get(key, {})

    def data_version_for(self, key: AssetKey) -> str | None:
        """The version that was set for an asset."""
        return self._data_versions.get(key)

    def _one_key(self) -> AssetKey:
        if len(self._selected) != 1:
            raise InvalidInvocationError(
                f"{self.assets_def.node_name!r} makes {len(self._selected)} assets; say which one is meant"
            )
        return self._selected[0]

    def _require_session(self) -> RunSession:
        if self._session is None:
            raise InvalidInvocationError("this context was built by hand and belongs to no run")
        return self._session


class OpExecutionContext(AssetExecutionContext):
    """What the function of an op knows of its run, given to a first parameter named `context`."""

    __slots__ = ("_output_metadata", "_selected_outputs", "op")

    def __init__(
        self,
        around: AssetExecutionContext,
        *,
        op: OpDefinition,
        selected: frozenset[str],
        resources: Any = None,
        op_config: Any = None,
        retry_number: int = 0,
    ) -> None:
        super().__init__(
            assets_def=around.assets_def,
            selected=around._selected,
            session=around._session,
            step_key=around.step_key,
            resources=resources,
            op_config=op_config,
            retry_number=retry_number,
            log=around.log,
            report=around._report,
            partitions=around._partitions,
        )
        self.op = op
        self._metadata = around._metadata  # what an op says of an asset is said for the step
        self._data_versions = around._data_versions
        self._selected_outputs = selected
        self._output_metadata: dict[str, dict[str, MetadataValue]] = {}

    @property
    def selected_output_names(self) -> frozenset[str]:
        """The outputs of the op that are needed."""
        return self._selected_outputs

    def add_output_metadata(
        self, metadata: Mapping[str, Any], output_name: str | None = None, asset_key: CoercibleToAssetKey | None = None
    ) -> None:
        """Record metadata with an output of the op, or with an asset; that of an output counts where it becomes an asset."""
        if asset_key is not None:
            super().add_output_metadata(metadata, asset_key=asset_key)
            return
        if output_name is None and len(self.op.outs) == 1:
            output_name = next(iter(self.op.outs))
        if output_name is None or output_name not in self.op.outs:
            raise InvalidInvocationError(f"the op {self.op.name!r} has no output {output_name!r}; it has {list(self.op.outs)}")
        self._output_metadata.setdefault(output_name, {}).update(normalize_metadata(metadata))

    def metadata_of(self, output_name: str) -> Mapping[str, MetadataValue]:
        """What was recorded so far for an output of the op."""
        return self._output_metadata.get(output_name, {})
