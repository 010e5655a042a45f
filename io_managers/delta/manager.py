"""`DeltaLakeIOManager`: tables as Delta Lake keeps them, in a local folder or an object store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import unquote

from pydantic import Field

from io_managers.delta.place import DeltaPlace, folder_name
from io_managers.lakehouse.manager import LakehouseIOManager
from warehouse_assets.errors import ExtraRequiredError
from warehouse_assets.keys import AssetKey

__all__ = ["DeltaLakeIOManager"]


class DeltaLakeIOManager(LakehouseIOManager):
    """Keeps each asset as a Delta table, `base_path/schema/table`; `base_path` is a folder or a URL such as `s3://bucket/prefix`.

    A write is one entry in the log of the table: its data files are there before, and no reader knows of them. `storage_options`
    are those of the `deltalake` package. Where another writer was faster, a write looks at the table anew and tries again, for up to
    `commit_timeout` seconds. SQL assets run on an embedded DuckDB. Needs `pip install "warehouse-assets[delta]"`.
    """

    base_path: str
    storage_options: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for `delta:///folder`, or for `delta+s3://bucket/prefix` and the like."""
        scheme, _, rest = uri.partition("://")
        own = scheme.removeprefix("delta").removeprefix("+")
        return cls(base_path=f"{own}://{rest}" if own not in ("", "file") else unquote(rest))

    @property
    def store_id(self) -> str:
        return f"delta:{self._root}"

    @property
    def _root(self) -> str:
        path = self.base_path.removeprefix("file://")
        return path.rstrip("/") if "://" in path else os.path.abspath(path)

    def place(self, key: AssetKey, metadata: Mapping[str, Any]) -> DeltaPlace:
        try:
            import deltalake  # noqa: F401
        except ImportError:
            raise ExtraRequiredError.of("deltalake", "delta", "DeltaLakeIOManager") from None
        options = {name: str(value) for name, value in self.storage_options.items()}
        if self._root.startswith("s3"):
            options = {"aws_conditional_put": "etag", **options}
        name = self.table_name(key, metadata)
        return DeltaPlace(self._root, f"{folder_name(name.schema or self.schema_)}/{folder_name(name.table)}", options)
