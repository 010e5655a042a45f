"""`FsspecIOManager`: any Python value as one file, in any file system that fsspec knows. The default I/O manager."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import Field

from io_managers.files import Files
from io_managers.frames import converted, row_count, settled, table_schema
from warehouse_assets.errors import TableNotFoundError, UnsupportedTypeError
from warehouse_assets.io_manager import ConfigurableIOManager, InputContext, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import IntMetadataValue, TextMetadataValue, stats_metadata
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table, TableStats

__all__ = ["FsspecIOManager"]

SUFFIX = ".pickle"


class FsspecIOManager(ConfigurableIOManager):
    """Keeps each value as a pickle file under `base_path`, a folder or a URL such as `s3://bucket/prefix`.

    `storage_options` go to the file system. Lazy frames and streams are read once and kept whole, and come back as the frame that
    an annotation asks for. Load only what you or people you trust have stored: reading a pickle can run any code.
    """

    base_path: str
    storage_options: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for files under the URL `uri`."""
        return cls(base_path=uri)

    @cached_property
    def _files(self) -> Files:
        return Files(self.base_path, self.storage_options)

    @property
    def store_id(self) -> str:
        return f"pickle:{self._files.uri(self._files.root)}"

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The URI of the file."""
        return self._files.uri(self._files.path(key, SUFFIX))

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        if isinstance(obj, SQL):
            context.add_output_metadata(stats_metadata(self.run_sql(context, obj)))
            return
        obj = settled(obj, context.asset_key)
        uri, size = self._write(context, obj)
        measured = {"byte_size": IntMetadataValue(size), "uri": TextMetadataValue(uri)}
        if (rows := row_count(obj)) is not None:
            measured["row_count"] = IntMetadataValue(rows)
        context.add_output_metadata(measured)

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Keep the answer to `sql`, from an embedded DuckDB, as a polars DataFrame."""
        from io_managers.engine import collected

        frame = collected(sql, context.sources, context.asset_key)
        uri, size = self._write(context, frame)
        return TableStats(frame.height, size, table_schema(frame.schema), uri=uri)

    def load_input(self, context: InputContext) -> Any:
        if context.type_hint is Table:
            return Table(context.asset_key)
        path = self._files.path(context.asset_key, SUFFIX)
        try:
            with self._files.open(path) as file:
                value = pickle.load(file)
        except FileNotFoundError:
            key = context.asset_key.to_user_string()
            raise TableNotFoundError(
                f"there is no file {self._files.uri(path)}; it should come from {context.made_by or f'asset {key!r}'}",
                hint="Materialize it first, or check that both use the same base path.",
            ) from None
        return converted(value, context.type_hint, context.columns, context.asset_key)

    def drop(self, context: OutputContext) -> bool:
        """Remove the file; whether there was one."""
        return self._files.remove(self._files.path(context.asset_key, SUFFIX))

    def _write(self, context: OutputContext, obj: Any) -> tuple[str, int]:
        path = self._files.path(context.asset_key, SUFFIX)
        with self._files.replacing(path) as target:
            try:
                if isinstance(target, str):
                    with open(target, "wb") as file:
                        pickle.dump(obj, file, pickle.HIGHEST_PROTOCOL)
                else:
                    pickle.dump(obj, target, pickle.HIGHEST_PROTOCOL)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                raise UnsupportedTypeError(
                    f"the value of asset {context.asset_key.to_user_string()!r}, of type {type(obj).__qualname__}, "
                    f"cannot be pickled: {error}",
                    hint="Return plain data, or give the asset an I/O manager that knows the type.",
                ) from error
        return self._files.uri(path), self._files.size(path)
