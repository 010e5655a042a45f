"""What such a store makes of polars types, of which it has fewer: how a column is stored, and how it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from io_managers.polars_types import decode, encode, instance_of, is_null_inside
from warehouse_assets.errors import SchemaChangedError, UnsupportedTypeError
from warehouse_assets.keys import AssetKey

__all__ = ["StoredTypes"]


@dataclass(frozen=True, slots=True)
class StoredTypes:
    """The types of a store: signed integers, decimals of up to 38 digits, days, moments in microseconds, text, bytes, lists, structs.

    A column of another type is stored as the one that other readers expect. `integers` says which small ones the store has others for,
    `takes_no_name` whether a column may have the empty one.

    >>> types = StoredTypes("Delta", {pl.UInt8: pl.Int16()})
    >>> types.stored_as(pl.UInt64()), types.stored_as(pl.UInt8()), types.stored_as(pl.Datetime("ms", "Europe/Berlin"))
    (Decimal(precision=20, scale=0), Int16, Datetime(time_unit='us', time_zone='UTC'))
    """

    store: str
    integers: Mapping[type[pl.DataType], pl.DataType]
    takes_no_name: bool = True

    def stored_as(self, dtype: pl.DataType, *, nested: bool = False) -> pl.DataType:
        """The type that a column of `dtype` has in the store, and that it is read with when nothing is remembered of it."""
        match dtype:
            case pl.Categorical() | pl.Enum() | pl.Null() | pl.Int128() | pl.UInt128():
                return pl.String()
            case pl.UInt64():
                return pl.Decimal(20, 0)
            case pl.UInt32() | pl.Time() | pl.Duration():
                return pl.Int64()
            case pl.Datetime(time_unit="ns") if nested:
                return pl.Int64()
            case pl.Datetime(time_zone=zone):
                return pl.Datetime("us", "UTC" if zone else None)
            case pl.Float16():
                return pl.Float32()
            case pl.List() | pl.Array():
                return pl.List(self.stored_as(instance_of(dtype.inner), nested=True))
            case pl.Struct(fields=fields):
                return pl.Struct([pl.Field(each.name, self.stored_as(instance_of(each.dtype), nested=True)) for each in fields])
        return self.integers.get(type(dtype), dtype)

    def stored(self, types: Mapping[str, pl.DataType]) -> pl.Schema:
        """The types of the columns of a frame in the store."""
        return pl.Schema({name: self.stored_as(dtype) for name, dtype in types.items()})

    def noted(self, types: Mapping[str, pl.DataType]) -> dict[str, Any]:
        """What is to be remembered, as JSON can hold it, of columns that the store has other types for."""
        return {name: encode(dtype) for name, dtype in types.items() if self.stored_as(dtype) != dtype}

    def remembered(self, noted: Any, stored: pl.DataType) -> pl.DataType:
        """The type of a column in frames: what was noted of it, as long as it is stored as that was."""
        try:
            dtype = decode(noted)
        except (ValueError, TypeError):  # nothing, or what others noted
            return stored
        return dtype if self.stored_as(dtype) == stored else stored

    def into_store(self, types: Mapping[str, pl.DataType], key: AssetKey) -> list[pl.Expr]:
        """The columns of a frame of asset `key`, as they are stored."""
        return [self._into_store(pl.col(name), name, dtype, key) for name, dtype in types.items()]

    def into_frames(self, types: Mapping[str, pl.DataType]) -> list[pl.Expr]:
        """Stored columns, with the types that they have in frames."""
        return [
            pl.col(name) if self.stored_as(dtype) == dtype else _restored(pl.col(name), dtype) for name, dtype in types.items()
        ]

    def check(self, types: Mapping[str, pl.DataType], key: AssetKey) -> None:
        """Raise UnsupportedTypeError or SchemaChangedError, naming the asset, for columns that a table cannot have."""
        whose = f"asset {key.to_user_string()!r}"
        if not types:
            raise UnsupportedTypeError(f"{whose} returned a frame without columns, which {self.store} cannot keep")
        seen: dict[str, str] = {}
        for name, dtype in types.items():
            if dtype == pl.Object:
                raise UnsupportedTypeError(f"the column {name!r} of {whose} holds Python objects")
            if not name and not self.takes_no_name:
                raise UnsupportedTypeError(f"{whose} returned a column without a name, which {self.store} cannot keep")
            if (other := seen.setdefault(name.casefold(), name)) is not name:
                raise SchemaChangedError(
                    f"{whose} returned the columns {other!r} and {name!r}, which are one to {self.store}",
                    hint="Rename one of them; case makes no difference.",
                )

    def _into_store(self, column: pl.Expr, name: str, dtype: pl.DataType, key: AssetKey) -> pl.Expr:
        stored = self.stored_as(dtype)
        if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
            column = column.map_batches(lambda moments: self._whole(moments, name, key), dtype, is_elementwise=True)
        return column if stored == dtype else column.cast(stored)

    def _whole(self, moments: pl.Series, name: str, key: AssetKey) -> pl.Series:
        """Moments that microseconds tell."""
        if (moments.dt.timestamp("ns") % 1000 != 0).any():
            raise UnsupportedTypeError(
                f"the column {name!r} of asset {key.to_user_string()!r} has moments between two microseconds, "
                f"which {self.store} cannot keep",
                hint=f'Round them, with pl.col({name!r}).dt.cast_time_unit("us"), or store them as integers.',
            )
        return moments


def _restored(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.List) and is_null_inside(dtype):  # for which a cast to lists of nulls does nothing
        return column.list.eval(_restored(pl.element(), instance_of(dtype.inner)))
    return column.cast(dtype)
