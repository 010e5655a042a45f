"""Ready-made checks of tables: of columns, of the number of rows and bytes, of freshness, and of the schema.

Each function gives a definition for `Definitions(asset_checks=[…])`. A check is one SQL statement in the store of the table
where that answers SQL, on an embedded DuckDB otherwise, and a second one for a sample of the rows at fault where there are any.
"""

from __future__ import annotations

from warehouse_assets.checks.columns import accepted_values, column_checks, not_null, relationship, unique
from warehouse_assets.checks.freshness import freshness
from warehouse_assets.checks.schema import schema_unchanged
from warehouse_assets.checks.sizes import HistoryBand, byte_size, row_count

__all__ = [
    "HistoryBand",
    "accepted_values",
    "byte_size",
    "column_checks",
    "freshness",
    "not_null",
    "relationship",
    "row_count",
    "schema_unchanged",
    "unique",
]
