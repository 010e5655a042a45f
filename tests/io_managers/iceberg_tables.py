"""Iceberg tables as others see them: with pyiceberg alone."""

from __future__ import annotations

from pyiceberg.catalog import Catalog, load_catalog

from io_managers.iceberg import IcebergIOManager


def catalog_of(manager: IcebergIOManager) -> Catalog:
    """The catalog of a manager whose warehouse is a folder."""
    return load_catalog("default", type="sql", uri=f"sqlite:///{manager.warehouse}/catalog.db", warehouse=manager.warehouse)
