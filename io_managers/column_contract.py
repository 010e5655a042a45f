"""The columns that an asset promises in `TableOptions(columns=…)`, and whether a table has them."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import enum
import functools
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import duckdb

from io_managers.database import in_memory
from io_managers.engine_types import Column
from io_managers.frames import is_lazy, is_polars
from warehouse_assets.errors import ColumnContractError, InvalidDefinitionError
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import TableOptions
from warehouse_assets.tables import TableColumn, TableSchema, TableStats

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ColumnContract", "Promised", "described", "descriptions"]

_NOT_NULL = re.compile(r"\s+not\s+null\s*$", re.IGNORECASE)

# For types of Python, the polars types that hold their values.
_HOLDING: Mapping[Any, Sequence[str]] = {
    bool: ("Boolean",),
    int: ("Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128"),
    float: ("Float16", "Float32", "Float64"),
    str: ("String", "Categorical", "Enum"),
    bytes: ("Binary",),
    decimal.Decimal: ("Decimal",),
    dt.date: ("Date",),
    dt.datetime: ("Datetime",),
    dt.time: ("Time",),
    dt.timedelta: ("Duration",),
    list: ("List", "Array"),
    dict: ("Struct",),
}


@dataclass(frozen=True, slots=True)
class Promised:
    """A column that a table is to have: `types` are those of which it has one, of polars, or the names of classes of polars."""

    name: str
    types: tuple[Any, ...]
    said: str
    nullable: bool = True
    description: str | None = None

    def holds(self, dtype: pl.DataType) -> bool:
        """Whether a column of this type is what was promised."""
        return any(type(dtype).__name__ == each if isinstance(each, str) else dtype == each for each in self.types)


@dataclass(frozen=True, slots=True)
class ColumnContract:
    """The columns of the table of asset `key`, in any order, and no others.

    >>> import polars as pl
    >>> options = TableOptions(columns={"id": int, "name": pl.String})
    >>> contract = ColumnContract.of(AssetKey("orders"), options)
    >>> contract.differences(pl.Schema({"id": pl.Int32, "nmae": pl.String}))
    ["'name' (String) is missing", "'nmae' (String) is not in it"]
    """

    key: AssetKey
    columns: tuple[Promised, ...]

    @classmethod
    def of(cls, key: AssetKey, options: TableOptions) -> ColumnContract | None:
        """What an asset promises; InvalidDefinitionError, naming it, for a type that no column has."""
        if options.columns is None:
            return None
        times = (options.mode.valid_from, options.mode.valid_to) if options.mode.kind == "snapshot" else ()
        promised = (column for column in _promised(options.columns, key) if column.name not in times)
        descriptions = options.descriptions or {}
        return cls(key, tuple(replace(each, description=descriptions.get(each.name, each.description)) for each in promised))

    @property
    def types(self) -> dict[str, Any] | None:
        """The polars type of each column; None where one may have several, as `int` does."""
        several = any(len(column.types) != 1 or isinstance(column.types[0], str) for column in self.columns)
        return None if several else {column.name: column.types[0] for column in self.columns}

    @property
    def required(self) -> list[str]:
        """The columns that hold no NULL."""
        return [column.name for column in self.columns if not column.nullable]

    def differences(self, schema: Mapping[str, pl.DataType]) -> list[str]:
        """What is other than promised, in words."""
        promised = {column.name: column for column in self.columns}
        missing = [f"{each.name!r} ({each.said}) is missing" for each in self.columns if each.name not in schema]
        unexpected = [f"{name!r} ({dtype}) is not in it" for name, dtype in schema.items() if name not in promised]
        retyped = [
            f"{name!r} is {dtype}, not {promised[name].said}"
            for name, dtype in schema.items()
            if name in promised and not promised[name].holds(dtype)
        ]
        return [*missing, *unexpected, *retyped]

    def check_types(self, schema: Mapping[str, pl.DataType]) -> None:
        """Raise ColumnContractError, with all differences, for other columns or types than promised."""
        self._refuse(self.differences(schema))

    def check_nulls(self, nulls: Mapping[str, int]) -> None:
        """Raise ColumnContractError where required columns have NULLs; `nulls` are how many each has."""
        self._refuse(
            [f"{name!r} has {count:,} NULL{'s' * (count > 1)}, and may have none" for name, count in nulls.items() if count]
        )

    def _refuse(self, differences: Sequence[str]) -> None:
        if differences:
            raise ColumnContractError(
                f"asset {self.key.to_user_string()!r} made another table than it promises: {'; '.join(differences)}",
                hint="Nothing was published. Return what TableOptions(columns=…) says, or change that.",
            )

    def check_frame(self, obj: Any) -> bool:
        """Check a frame before it is written, as far as it tells: whether it told its columns."""
        schema = _schema_of(obj)
        if schema is None:
            return False
        self.check_types(schema)
        return True


def descriptions(options: TableOptions, key: AssetKey) -> dict[str, str]:
    """What is said of the columns of asset `key`, by its options or its contract."""
    contract = ColumnContract.of(key, options)
    promised = {column.name: column.description for column in contract.columns if column.description} if contract else {}
    return {**promised, **(options.descriptions or {})}


def described(stats: TableStats, options: TableOptions, contract: ColumnContract | None) -> TableStats:
    """What was measured, with what was said of the columns."""
    said = {column.name: column for column in contract.columns} if contract else {}
    descriptions = options.descriptions or {}
    if not said and not descriptions:
        return stats

    def with_words(column: TableColumn) -> TableColumn:
        promised = said.get(column.name)
        text = descriptions.get(column.name) or (promised.description if promised else None)
        nullable = column.nullable and (promised is None or promised.nullable)
        return replace(column, description=text or column.description, nullable=nullable)

    return replace(stats, schema=TableSchema(tuple(map(with_words, stats.schema))))


def _schema_of(obj: Any) -> Mapping[str, pl.DataType] | None:
    """The columns of a frame of which nothing is read to tell them; None where that is not known."""
    if is_polars(obj, "DataFrame") or is_lazy(obj):
        schema: Mapping[str, pl.DataType] = obj.collect_schema()
        return schema
    if type(obj).__module__.startswith("pyarrow") and hasattr(obj, "schema"):
        from io_managers.engine_types import polars_schema

        return polars_schema(obj.schema)
    return None


def _promised(columns: Any, key: AssetKey) -> Iterator[Promised]:
    if isinstance(columns, type):
        yield from _of_class(columns, key)
    elif isinstance(columns, Mapping):
        for name, hint in columns.items():
            yield _column(name, hint, key, demands=False)
    else:  # a pa.Schema
        for field in columns:
            described = (field.metadata or {}).get(b"description")
            column = _column(field.name, field.type, key, demands=False)
            yield replace(column, nullable=field.nullable, description=described.decode() if described else None)


def _of_class(cls: type, key: AssetKey) -> Iterator[Promised]:
    """The annotated fields of a class, of which those that do not say None hold no NULL."""
    try:
        hints = get_type_hints(cls, include_extras=True)
    except (NameError, TypeError) as error:
        raise _refused(key, cls.__qualname__, str(error)) from None
    words: dict[str, str | None] = {}
    if (models := getattr(cls, "model_fields", None)) is not None:  # of pydantic
        words = {name: model.description for name, model in models.items()}
    elif is_dataclass(cls):
        words = {field.name: field.metadata.get("description") for field in fields(cls)}
    for name, hint in hints.items():
        if not (name.startswith("_") or str(hint).startswith("typing.ClassVar") or (words and name not in words)):
            yield replace(_column(name, hint, key, demands=True), description=words.get(name))


def _column(name: str, hint: Any, key: AssetKey, *, demands: bool) -> Promised:
    nullable = not demands
    if isinstance(hint, str) and (required := _NOT_NULL.search(hint)) is not None:
        nullable, hint = False, hint[: required.start()]
    if get_origin(hint) in (Union, types.UnionType):
        others = [each for each in get_args(hint) if each is not types.NoneType]
        nullable = nullable or len(others) < len(get_args(hint))
        hint = others[0] if len(others) == 1 else hint
    found = tuple(_types(hint))
    if not found:
        raise _refused(key, f"{name!r} as {hint!r}", "it is no type of a column")
    said = getattr(hint, "__name__", str(hint)) if isinstance(found[0], str) or isinstance(hint, str) else str(found[0])
    return Promised(name, found, said, nullable)


def _types(hint: Any) -> Iterable[Any]:
    """The types that a column may have, which was promised so."""
    import polars as pl

    if isinstance(hint, pl.DataType) or (isinstance(hint, type) and issubclass(hint, pl.DataType)):
        return (hint,)
    if type(hint).__module__.startswith("pyarrow"):
        import pyarrow as pa

        return tuple(pl.Schema(pa.schema([("x", hint)])).values())
    if isinstance(hint, str):
        return _of_sql(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        own = [each for each in args[1:] if isinstance(each, (pl.DataType, type(pl.Int64)))]
        return own or _types(args[0])
    if origin is Literal:
        return _types(type(args[0]))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _HOLDING[str]
    return _HOLDING.get(origin or hint, ())


@functools.cache
def _of_sql(name: str) -> Sequence[pl.DataType]:
    """The type that DuckDB's SQL calls so; none for what is no name of a type."""
    if ";" in name:
        return ()
    with contextlib.closing(in_memory()) as connection:
        try:
            relation = connection.sql(f"select null::{name} limit 0")
        except duckdb.Error:
            return ()
        columns = [
            Column.of(column, str(kind), None, polars=True)
            for column, kind in zip(relation.columns, relation.types, strict=True)
        ]
        frame: pl.DataFrame = relation.project(", ".join(column.sql for column in columns)).pl()
    types = frame.with_columns(column.expression for column in columns if column.casts).dtypes
    return types if len(types) == 1 else ()


def _refused(key: AssetKey, what: str, why: str) -> InvalidDefinitionError:
    return InvalidDefinitionError(
        f"the contract of asset {key.to_user_string()!r} names {what}: {why}",
        hint="Give types of polars, pyarrow, Python or SQL, such as pl.Int64, pa.string(), int or 'bigint not null'.",
    )
