"""What Iceberg makes of polars types, which numbers its columns get, and how the types it has no equal for are remembered.

They are kept in the summary of each snapshot, so that every version of a table has those of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import polars as pl

from io_managers.lakehouse.types import StoredTypes
from io_managers.polars_types import instance_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.schema import Schema
    from pyiceberg.types import IcebergType, NestedField

__all__ = ["ICEBERG", "Numbering", "arrow_schema", "frame_types", "note"]


ICEBERG = StoredTypes("Iceberg", dict.fromkeys((pl.Int8, pl.Int16, pl.UInt8, pl.UInt16), pl.Int32()), takes_no_name=False)


@dataclass(frozen=True)
class Numbering:
    """The numbers by which Iceberg knows columns: those of a table, and those that come after them."""

    known: Mapping[str, tuple[pl.DataType, NestedField]] = field(default_factory=dict)
    last: int = 0

    @classmethod
    def of(cls, schema: Schema, last: int) -> Numbering:
        """That of a table with this schema, whose last number is `last`."""
        types = plain_types(schema)
        return cls({each.name: (types[each.name], each) for each in schema.fields}, last)

    def schema(self, types: Mapping[str, pl.DataType]) -> Schema:
        """The schema for frames with these columns: one that was there with the same type keeps its number, others get new ones.

        >>> first = Numbering().schema({"id": pl.Int64(), "tags": pl.List(pl.String())})
        >>> [field.field_id for field in first.fields]
        [1, 2]
        >>> [field.field_id for field in Numbering.of(first, 3).schema({"id": pl.String(), "tags": pl.List(pl.String())}).fields]
        [4, 2]
        """
        from pyiceberg.schema import Schema
        from pyiceberg.types import NestedField

        stored = ICEBERG.stored(types)
        numbers = count(self.last + 1)
        kept = {name: old for name, dtype in stored.items() if (old := self._same(name, dtype)) is not None}
        tops = {name: kept[name].field_id if name in kept else next(numbers) for name in stored}  # before those inside
        fields = []
        for name, dtype in stored.items():
            kind = kept[name].field_type if name in kept else _iceberg_type(dtype, numbers)
            fields.append(NestedField(tops[name], name, kind, required=False))
        return Schema(*fields)

    def _same(self, name: str, dtype: pl.DataType) -> NestedField | None:
        known = self.known.get(name)
        return known[1] if known is not None and known[0] == dtype else None


def _iceberg_type(dtype: pl.DataType, numbers: Iterator[int]) -> IcebergType:
    from pyiceberg import types as ice

    match dtype:
        case pl.Decimal():
            return ice.DecimalType(dtype.precision or 38, dtype.scale)
        case pl.Datetime(time_zone=zone):
            return ice.TimestamptzType() if zone else ice.TimestampType()
        case pl.List():
            number = next(numbers)
            return ice.ListType(number, _iceberg_type(instance_of(dtype.inner), numbers), element_required=False)
        case pl.Struct(fields=fields):
            own = [next(numbers) for _ in fields]
            return ice.StructType(
                *(
                    ice.NestedField(number, each.name, _iceberg_type(instance_of(each.dtype), numbers), required=False)
                    for number, each in zip(own, fields, strict=True)
                )
            )
    plain: dict[type[pl.DataType], type[IcebergType]] = {
        pl.Boolean: ice.BooleanType,
        pl.Int32: ice.IntegerType,
        pl.Int64: ice.LongType,
        pl.Float32: ice.FloatType,
        pl.Float64: ice.DoubleType,
        pl.Date: ice.DateType,
        pl.String: ice.StringType,
        pl.Binary: ice.BinaryType,
    }
    return plain[type(dtype)]()


def arrow_schema(schema: Schema) -> pa.Schema:
    """The columns of a data file, with their numbers."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return schema_to_pyarrow(schema)


def plain_types(schema: Schema) -> pl.Schema:
    """The types that the columns of a table are read with when nothing is remembered of them."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return pl.DataFrame(schema_to_pyarrow(schema, include_field_ids=False).empty_table()).schema


def note(types: Mapping[str, pl.DataType]) -> str:
    """What is to be remembered of the types of a frame, as text; none for nothing."""
    noted = ICEBERG.noted(types)
    return json.dumps(noted) if noted else ""


def frame_types(schema: Schema, noted: str) -> pl.Schema:
    """The types that the columns of a table have in frames: what is remembered of those that still are stored as they were."""
    known = json.loads(noted or "{}")
    return pl.Schema({name: ICEBERG.remembered(known.get(name), stored) for name, stored in plain_types(schema).items()})
