"""`IcebergIOManager`: tables as Apache Iceberg keeps them, in any catalog that pyiceberg knows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import unquote

from pydantic import Field

from io_managers.iceberg.catalog import IcebergCatalog
from io_managers.iceberg.place import IcebergPlace
from io_managers.lakehouse.files import local_path
from io_managers.lakehouse.manager import LakehouseIOManager
from warehouse_assets.errors import ExtraRequiredError
from warehouse_assets.keys import AssetKey

__all__ = ["IcebergIOManager"]


class IcebergIOManager(LakehouseIOManager):
    """Keeps each asset as an Iceberg table in a catalog, by default a SQLite file in the folder `warehouse`.

    `catalog` and `properties` are the name and the properties of any catalog that pyiceberg knows; what is declared for it in
    `.pyiceberg.yaml` holds too. `warehouse` is the folder or the URL in which tables are made. A write is one snapshot: its data
    files are there before, and no reader knows of them. Where another writer was faster, a write looks at the table anew and tries
    again, for up to `commit_timeout` seconds. SQL assets run on an embedded DuckDB. Needs `pip install "warehouse-assets[iceberg]"`.
    """

    warehouse: str | None = None
    catalog: str = "default"
    properties: Mapping[str, str] = Field(default_factory=dict, repr=False)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for a warehouse, `iceberg:///folder`, or for a catalog that is declared elsewhere, `iceberg://name`."""
        name, _, path = uri.partition("://")[2].partition("/")
        return cls(warehouse=f"/{unquote(path)}" if path else None, catalog=unquote(name) or "default")

    @property
    def store_id(self) -> str:
        return f"iceberg:{self._root or ''}:{self.catalog}"

    @property
    def _root(self) -> str | None:
        if self.warehouse is None:
            return None
        path = local_path(self.warehouse)
        return self.warehouse.rstrip("/") if path is None else os.path.abspath(path)

    def apart(self, folder: str) -> Self:
        return self.with_config({"warehouse": folder, "catalog": f"rehearsal {folder}", "properties": {}})

    def place(self, key: AssetKey, metadata: Mapping[str, Any]) -> IcebergPlace:
        try:
            import pyiceberg  # noqa: F401
        except ImportError:
            raise ExtraRequiredError.of("pyiceberg", "iceberg", "IcebergIOManager") from None
        name = self.table_name(key, metadata)
        return IcebergPlace(
            IcebergCatalog(self.catalog, self._root, self.properties), (name.schema or self.schema_, name.table)
        )
