"""The catalog of Iceberg tables: how it is opened, and under which name and at which place a table is in it."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from io_managers.iceberg.files import local_path
from warehouse_assets.errors import ExtraRequiredError
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

__all__ = ["IcebergCatalog", "IcebergPlace", "safe_name"]

BUSY_TIMEOUT = 60  # seconds for which a SQLite catalog waits for others

_catalogs: dict[tuple[Any, ...], Catalog] = {}
_opening = threading.Lock()
_locks: defaultdict[tuple[str, ...], threading.Lock] = defaultdict(threading.Lock)


def safe_name(name: str) -> str:
    """A name as a part of a path, which no reader has to quote, and no two names share, also where case makes no difference.

    >>> safe_name("orders")
    'orders'
    >>> safe_name("../a b")
    '___a_b-2c2c791a0618'
    """
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in name)[:100]
    return safe if safe == name == name.lower() else f"{safe}-{sha256(name.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class IcebergCatalog:
    """A catalog by its name and properties; where these name none, it is a SQLite file in the folder `warehouse`."""

    name: str
    warehouse: str | None
    properties: Mapping[str, str] = field(repr=False)

    @property
    def sqlite_path(self) -> str | None:
        """The file of a catalog that is made with the first write; None for a catalog that is declared."""
        if (
            self.warehouse is None
            or local_path(self.warehouse) is None
            or {"uri", "type", "py-catalog-impl"} & {*self.properties}
        ):
            return None
        return f"{self.warehouse}/catalog.db"

    def opened(self, *, create: bool = False) -> Catalog | None:
        """The catalog; None where it is one that is made with the first write, which this is not."""
        path = self.sqlite_path
        if path is not None and not create and not os.path.exists(path):
            return None
        key = (os.getpid(), self.name, self.warehouse, *sorted(self.properties.items()))
        with _opening:
            if path is not None and not os.path.exists(path):
                _catalogs.pop(key, None)
                os.makedirs(os.path.dirname(path), exist_ok=True)
            if key not in _catalogs:
                _catalogs[key] = self._load(path)
            return _catalogs[key]

    def _load(self, path: str | None) -> Catalog:
        try:
            from pyiceberg.catalog import load_catalog
        except ImportError:
            raise ExtraRequiredError.of("pyiceberg", "iceberg", "IcebergIOManager") from None
        own: dict[str, str] = {} if self.warehouse is None else {"warehouse": self.warehouse}
        if path is not None:
            from sqlalchemy import URL

            url = URL.create("sqlite", database=path, query={"timeout": str(BUSY_TIMEOUT)})
            own |= {"type": "sql", "uri": url.render_as_string(hide_password=False)}
        try:
            return load_catalog(self.name, **own, **self.properties)
        except Exception:
            if path is None:
                raise
            return load_catalog(self.name, **own, **self.properties)  # another process was making it

    def place(self, name: TableName, default_schema: str) -> IcebergPlace:
        """Where a table is."""
        return IcebergPlace(self, (name.schema or default_schema, name.table))


@dataclass(frozen=True)
class IcebergPlace:
    """A table in a catalog, whether there is one or not."""

    catalog: IcebergCatalog
    identifier: tuple[str, str]

    def table(self, *, create: bool = False) -> Table | None:
        """The table as it is; None where there is none. With `create`, the catalog and the schema are there afterwards."""
        opened = self.catalog.opened(create=create)
        if opened is None:
            return None
        from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

        try:
            return opened.load_table(self.identifier)
        except (NoSuchTableError, NoSuchNamespaceError):
            if create:
                with self._lock(self.identifier[0]):
                    self._make_namespace(opened)
            return None

    def _make_namespace(self, opened: Catalog) -> None:
        """Make the schema, unless there is one; another process may do so at the same moment, which each catalog tells in its own way."""
        namespace = self.identifier[:1]
        if opened.namespace_exists(namespace):
            return
        try:
            opened.create_namespace(namespace)
        except Exception:
            if not opened.namespace_exists(namespace):
                raise

    def lock(self) -> threading.Lock:
        """The lock of the threads of this process that publish the table."""
        return self._lock(*self.identifier)

    def _lock(self, *names: str) -> threading.Lock:
        return _locks[(self.catalog.name, self.catalog.warehouse or "", *names)]

    @property
    def opened(self) -> Catalog:
        """The catalog, for a write."""
        found = self.catalog.opened(create=True)
        assert found is not None
        return found

    @property
    def location(self) -> str | None:
        """Where a new table goes; None where its catalog says."""
        warehouse = self.catalog.warehouse
        return None if warehouse is None else f"{warehouse}/{'/'.join(map(safe_name, self.identifier))}"

    @property
    def uri(self) -> str:
        """The place for people and metadata."""
        return self.location or f"iceberg:{self.catalog.name}:{'.'.join(map(repr, self.identifier))}"

    def __str__(self) -> str:
        return ".".join(self.identifier)
