"""`FsspecIOManager`: a file for each asset, in any file system that fsspec knows. The default I/O manager."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from pydantic import Field

from io_managers.cloud import fields_of
from io_managers.files import Files
from io_managers.fsspec.pickles import Pickles
from warehouse_assets.io_manager import ConfigurableIOManager, InputContext, OutputContext, Rehearsal, StagedTable
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import SchemaPolicy
from warehouse_assets.tables import TableStats

if TYPE_CHECKING:
    from io_managers.fsspec.tables import FileTables

__all__ = ["FsspecIOManager"]

Format: TypeAlias = Literal["pickle", "arrow", "csv", "ndjson"]


class FsspecIOManager(ConfigurableIOManager):
    """Keeps each asset as a file under `base_path`, a folder or a URL such as `s3://bucket/prefix`; one for each partition.

    `format` says what is in it. A "pickle", the default, holds any value; lazy frames and streams are read once and kept whole, and
    come back as the frame that an annotation asks for. Load only what you or people you trust have stored: reading a pickle can run
    any code. "arrow" (Arrow IPC, or Feather), "csv" and "ndjson" (JSON by lines) hold tables, of which no more than some rows are in
    memory on the way; `schema_policy` is that of their partitions. `storage_options` go to the file system.
    """

    base_path: str
    format: Format = "pickle"
    storage_options: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    schema_policy: SchemaPolicy = "fail"

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for files under the URL `uri`, whose query has fields of this class and options of the file system."""
        return cls(**fields_of(uri, cls))

    @cached_property
    def _keeper(self) -> Pickles | FileTables:
        if self.format == "pickle":
            return Pickles(Files(self.base_path, self.storage_options))
        from io_managers.fsspec.tables import FileTables

        return FileTables(
            base_path=self.base_path,
            form=self.format,
            storage_options=self.storage_options,
            schema_policy=self.schema_policy,
        )

    @property
    def store_id(self) -> str:
        return self._keeper.store_id

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The URI of the file, or of what would be one if the asset had no partitions."""
        return self._keeper.place_of(key, metadata)

    def check_asset(self, key: AssetKey, metadata: Mapping[str, Any], partitions_def: Any) -> None:
        """`partition_expr` may be missing: then the rows of a partition are what was returned for it."""
        self._keeper.check_asset(key, metadata, partitions_def)

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        self._keeper.handle_output(context, obj)

    def stage(self, context: OutputContext, obj: Any) -> AbstractContextManager[StagedTable]:
        """Write `obj`, and publish it as the block ends."""
        return self._keeper.stage(context, obj)

    def rehearsal(self) -> AbstractContextManager[Rehearsal]:
        """Tables without rows; what is in a stored pickle is not told without loading it."""
        return self._keeper.rehearsal()

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Keep the answer to `sql`, from an embedded DuckDB."""
        return self._keeper.run_sql(context, sql)

    def load_input(self, context: InputContext) -> Any:
        return self._keeper.load_input(context)

    def drop(self, context: OutputContext) -> bool:
        """Remove the file, or those of the partitions that are meant; whether there was one."""
        return self._keeper.drop(context)
