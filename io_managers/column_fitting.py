"""Columns of stored rows and of rows that come beside them: what has to change, under a declared policy, so that they fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from io_managers.deferred import Deferred
from warehouse_assets.errors import SchemaChangedError
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import SchemaPolicy

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["Fitting", "fitting", "joint_schema"]


@dataclass(frozen=True, slots=True)
class Fitting:
    """The columns that a table gets, and whether the files that are stored have to be written anew for that."""

    schema: pl.Schema
    rewrites: bool = False

    def fits(self, schema: pl.Schema) -> bool:
        """Whether a file with these columns can stay as it is."""
        return list(schema.items()) == list(self.schema.items())

    def fitted(self, frame: pl.LazyFrame, *besides: str) -> pl.LazyFrame:
        """The frame with the columns of the table, in their order, and some `besides`; missing ones are null."""
        known = frame.collect_schema()
        own = [(pl.col(name) if name in known else pl.lit(None)).cast(dtype).alias(name) for name, dtype in self.schema.items()]
        return frame.select(*own, *besides)


def fitting(stored: pl.Schema | None, incoming: pl.Schema, policy: SchemaPolicy, key: AssetKey) -> Fitting:
    """The columns of a table of asset `key` once these rows are in it; SchemaChangedError where the policy allows no change.

    Columns go by name. One without any value fits every type, as it comes and as it is stored, and a number one of larger ones.
    """
    if stored is None:
        return Fitting(incoming)
    missing = [name for name in stored if name not in incoming]
    types: dict[str, pl.DataType] = {}
    changes: list[str] = []
    for name, dtype in [*stored.items(), *((name, dtype) for name, dtype in incoming.items() if name not in stored)]:
        joint = _joint(dtype, incoming.get(name, dtype), policy)
        if name not in stored and policy == "fail":
            changes.append(f"{name!r} ({dtype}) is new")
        elif joint is None:
            changes.append(f"{name!r} is {incoming[name]}, and was {dtype}")
        else:
            types[name] = joint
    changes += [f"{name!r} is missing" for name in missing if policy == "fail"]
    if changes:
        raise SchemaChangedError(
            f"asset {key.to_user_string()!r} gave other columns than its table has: {', '.join(changes)}", hint=_hint(policy)
        )
    if policy != "sync":
        return Fitting(pl.Schema(types))
    widened = any(dtype not in (types[name], pl.Null) for name, dtype in stored.items())
    return Fitting(pl.Schema({name: dtype for name, dtype in types.items() if name in incoming}), bool(missing) or widened)


def _joint(old: pl.DataType, new: pl.DataType, policy: SchemaPolicy) -> pl.DataType | None:
    """The type of a column that had one type and comes with another; None where it may not have both, or cannot."""
    if new in (old, pl.Null):
        return old
    if old == pl.Null:
        return new
    try:
        frames = [pl.LazyFrame(schema={"x": dtype}) for dtype in (old, new)]
        wider = pl.concat(frames, how="vertical_relaxed").collect_schema()["x"]
    except (pl.exceptions.SchemaError, pl.exceptions.InvalidOperationError):
        return None
    is_narrower = wider == old and ((old.is_integer() and new.is_integer()) or (old.is_float() and new.is_float()))
    return wider if policy == "sync" or is_narrower else None


def _hint(policy: SchemaPolicy) -> str:
    if policy == "sync":
        return "No type holds both. Give the column another name, or make the whole table anew."
    ways = '"append" to add columns and fill missing ones, or "sync"' if policy == "fail" else '"sync"'
    return f'Declare metadata={{"schema_policy": …}} with {ways} to give the table the columns of its newest partition.'


def joint_schema(schemas: Iterable[pl.Schema]) -> pl.Schema:
    """The columns of all, in the order in which they come; a column without values takes the type that others have."""
    joint: dict[str, pl.DataType] = {}
    for schema in schemas:
        for name, dtype in schema.items():
            if joint.setdefault(name, dtype) == pl.Null:
                joint[name] = dtype
    return pl.Schema(joint)
