"""The catalog of Iceberg tables: how it is opened, and what is asked of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from io_managers.lakehouse.files import local_path
from warehouse_assets.errors import ExtraRequiredError

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

__all__ = ["IcebergCatalog", "safe_name"]

_DECLARED = {"uri", "type", "py-catalog-impl"}  # the properties that say which catalog it is

BUSY_TIMEOUT = 60  # seconds for which a SQLite catalog waits for others

_catalogs: dict[tuple[Any, ...], Catalog] = {}
_opening = threading.Lock()


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
        """The file of a catalog that is made with the first write; None for a catalog that is declared, here or in `.pyiceberg.yaml`."""
        if self.warehouse is None or local_path(self.warehouse) is None or _DECLARED & {*self.properties}:
            return None
        try:
            from pyiceberg.catalog import _ENV_CONFIG
        except ImportError:
            raise ExtraRequiredError.of("pyiceberg", "iceberg", "IcebergIOManager") from None
        is_declared = _DECLARED & {*(_ENV_CONFIG.get_catalog_config(self.name) or ())}
        return None if is_declared else f"{self.warehouse}/catalog.db"

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
        from pyiceberg.catalog import load_catalog

        own: dict[str, str] = {} if self.warehouse is None else {"warehouse": self.warehouse}
        if path is not None:
            from sqlalchemy import URL

            url = URL.create("sqlite", database=path, query={"timeout": str(BUSY_TIMEOUT)})
            own |= {"type": "sql", "uri": url.render_as_string(hide_password=False)}
        tries = 2  # since another process may be making the tables of the catalog
        while True:
            try:
                return load_catalog(self.name, **own, **self.properties)
            except Exception:
                tries -= 1
                if not tries:
                    raise

    def table(self, identifier: tuple[str, str]) -> Table | None:
        """A table as it is; None where there is none."""
        opened = self.opened()
        if opened is None:
            return None
        from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

        try:
            return opened.load_table(identifier)
        except (NoSuchTableError, NoSuchNamespaceError):
            return None

    def make_namespace(self, name: str) -> None:
        """Make a schema, unless there is one; another process may do so at the same moment, which each catalog tells in its own way."""
        opened = self.for_writing
        with _opening:
            if opened.namespace_exists((name,)):
                return
            try:
                opened.create_namespace((name,))
            except Exception:
                if not opened.namespace_exists((name,)):
                    raise

    @property
    def for_writing(self) -> Catalog:
        """The catalog, which is made where it is not there."""
        found = self.opened(create=True)
        assert found is not None
        return found
