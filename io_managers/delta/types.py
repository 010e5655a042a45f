"""What Delta makes of polars types, and how the types it has no equal for are remembered: in the metadata of the field.

So a type that is remembered goes when someone else replaces the column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers.lakehouse.types import StoredTypes

if TYPE_CHECKING:
    import deltalake

__all__ = ["DELTA", "delta_schema", "frame_types"]

DELTA = StoredTypes("Delta", {pl.UInt8: pl.Int16(), pl.UInt16: pl.Int32()})

NOTE = "polars"  # the key in a field's metadata under which its type is kept


def delta_schema(types: Mapping[str, pl.DataType]) -> deltalake.Schema:
    """The schema of a table for frames with these columns."""
    from deltalake import Field, Schema

    plain = Schema.from_arrow(pl.DataFrame(schema=DELTA.stored(types)).to_arrow(compat_level=pl.CompatLevel.oldest()).schema)
    noted = {name: {NOTE: json.dumps(said)} for name, said in DELTA.noted(types).items()}
    return Schema([Field(field.name, field.type, nullable=True, metadata=noted.get(field.name)) for field in plain.fields])


def frame_types(schema: deltalake.Schema) -> pl.Schema:
    """The types that the columns of a table have in frames: what is remembered of those that still are stored as they were."""
    columns = zip(schema.fields, pl.Schema(schema).items(), strict=True)
    return pl.Schema({name: DELTA.remembered(_noted(field.metadata.get(NOTE)), stored) for field, (name, stored) in columns})


def _noted(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError):  # none, or one of others
        return None
