"""Columns of a table in a SQL database and of rows that come to it: what has to change, under a declared policy, so that they fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from io_managers.sqlalchemy.types import Kind, kind_of
from io_managers.table import SchemaPolicy
from warehouse_assets.errors import SchemaChangedError
from warehouse_assets.keys import AssetKey

__all__ = ["Fitting", "fitting"]

_BITS: dict[type[pl.DataType], tuple[int, int]] = {
    pl.Int8: (7, 7), pl.Int16: (15, 15), pl.Int32: (31, 31), pl.Int64: (63, 63), pl.Int128: (127, 127),
    pl.UInt8: (0, 8), pl.UInt16: (0, 16), pl.UInt32: (0, 32), pl.UInt64: (0, 64), pl.UInt128: (0, 128),
}  # fmt: skip


@dataclass(slots=True)
class Fitting:
    """The columns that the table is to have, and by which of the rows each is filled; those that are added, dropped and retyped."""

    dtypes: dict[str, pl.DataType]
    filled: dict[str, str] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    retyped: list[str] = field(default_factory=list)


def fitting(
    stored: Mapping[str, pl.DataType],
    incoming: Mapping[str, pl.DataType],
    policy: SchemaPolicy,
    key: AssetKey,
    *,
    alike: Callable[[Kind, Kind], bool] | None,
    folds_case: bool,
) -> Fitting:
    """How the columns of a table of asset `key` are to change for these rows; SchemaChangedError where the policy allows it not.

    Columns go by name. One without any value fits every type; a number fits a column of larger ones. SQL knows nothing of types
    that are only noted, so that what it gives fits what is stored `alike`; this is None for frames.
    """
    fold = str.casefold if folds_case else str
    names = {fold(name): name for name in stored}
    fit = Fitting(dict(stored))
    changes: list[str] = []
    for name, dtype in incoming.items():
        if (own := names.get(fold(name))) is None:
            changes += [f"{name!r} ({dtype}) is new"] * (policy == "fail")
            fit.dtypes[name] = dtype
            fit.added.append(name)
            fit.filled[name] = name
            continue
        fit.filled[own] = name
        old = stored[own]
        if (unified := _unified(old, dtype, alike)) is None and policy == "sync":
            unified = _wider(old, dtype)
        if unified is None:
            changes.append(f"{own!r} is {dtype}, and was {old}")
        elif unified != old:
            fit.dtypes[own] = unified
            if kind_of(unified) != kind_of(old):
                fit.retyped.append(own)
    missing = [own for own in stored if own not in fit.filled]
    changes += [f"{own!r} is missing" for own in missing if policy == "fail"]
    if changes:
        raise SchemaChangedError(
            f"asset {key.to_user_string()!r} gave other columns than its table has: {', '.join(changes)}", hint=_hint(policy)
        )
    if policy == "sync":
        fit.dropped = missing
        for own in missing:
            del fit.dtypes[own]
    return fit


def _unified(old: pl.DataType, new: pl.DataType, alike: Callable[[Kind, Kind], bool] | None) -> pl.DataType | None:
    """The type of a column that has the one and is to take the other as it is; None where it does not fit."""
    if old == new or new == pl.Null():
        return old
    if old == pl.Null():
        return new
    if alike is not None and alike(kind_of(old), kind_of(new)):
        return new if kind_of(old) == kind_of(new) else old
    have, need = _BITS.get(type(old)), _BITS.get(type(new))
    if have and need:
        return old if all(first >= second for first, second in zip(have, need, strict=True)) else None
    return old if (old, new) == (pl.Float64(), pl.Float32()) else None


def _wider(old: pl.DataType, new: pl.DataType) -> pl.DataType | None:
    """The type that holds the values of both; None where there is none."""
    frames = [pl.DataFrame(schema={"x": dtype}) for dtype in (old, new)]
    try:
        wider = pl.concat(frames, how="vertical_relaxed").schema["x"]
    except pl.exceptions.PolarsError:
        return None if old.is_nested() or new.is_nested() else pl.String()
    return wider


def _hint(policy: SchemaPolicy) -> str:
    if policy == "sync":
        return "No type holds both. Give the column another name, or make the whole table anew."
    ways = '"append" to add columns and fill missing ones, or "sync"' if policy == "fail" else '"sync"'
    return f'Declare metadata={{"schema_policy": …}} with {ways} to give the table the columns of its newest partition.'
