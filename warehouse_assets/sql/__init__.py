"""SQL as a value: what an asset returns when its table is made by a query, and which tables that query reads."""

from __future__ import annotations

from warehouse_assets.sql.composition import PLACEHOLDER, Identifier
from warehouse_assets.sql.names import is_file_name, resolve_table
from warehouse_assets.sql.origin import SQLOrigin
from warehouse_assets.sql.value import SQL, ResolvedSQL

__all__ = ["PLACEHOLDER", "SQL", "Identifier", "ResolvedSQL", "SQLOrigin", "is_file_name", "resolve_table"]
