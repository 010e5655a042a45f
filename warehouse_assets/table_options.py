"""How the table of an asset is written and kept: `TableOptions`, and the write modes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from warehouse_assets.errors import InvalidDefinitionError, close_matches

__all__ = ["SchemaPolicy", "TableOptions", "WriteMode", "WriteModeKind", "delete_insert", "snapshot", "upsert"]

WriteModeKind: TypeAlias = Literal["replace", "append", "upsert", "delete_insert", "snapshot"]
Materialized: TypeAlias = Literal["table", "view"]
SchemaPolicy: TypeAlias = Literal["fail", "append", "sync"]

TABLE_OPTIONS = "table_options"  # the metadata of an asset under which its manager finds them
PARTITION_EXPR = "partition_expr"
SCHEMA_POLICY = "schema_policy"

_KINDS: tuple[WriteModeKind, ...] = get_args(WriteModeKind)
_POLICIES: tuple[SchemaPolicy, ...] = get_args(SchemaPolicy)
_OF_ROWS = ("mode", PARTITION_EXPR, "sort_by", SCHEMA_POLICY, "keep_versions")
_HINTS = {"upsert": 'Write upsert(key=["id"]).', "snapshot": 'Write snapshot(key=["id"]).'}


@dataclass(frozen=True, slots=True)
class WriteMode:
    """What becomes of the rows that a table has when new ones are written.

    - `replace`: they make way, those of the partition that is written where the table has partitions;
    - `append`: they stay;
    - `upsert`: those with the `key` of a new row make way;
    - `delete_insert`: those whose values in the columns `key` occur among the new rows make way;
    - `snapshot`: they stay, and tell from when to when they were valid: a changed or missing row gets the time of the write as
      its `valid_to`, a changed or new one as its `valid_from`. Both are UTC; the rows that are valid have no `valid_to`.
    """

    kind: WriteModeKind = "replace"
    key: tuple[str, ...] = ()
    valid_from: str = "valid_from"
    valid_to: str = "valid_to"

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(self.key)})" if self.key else self.kind


def upsert(key: str | Sequence[str]) -> WriteMode:
    """Replace the rows that have the `key` of a new row, and add the others. A key that is NULL, or there twice, is an error.

    >>> print(upsert(key=["shop", "id"]))
    upsert(shop, id)
    """
    return WriteMode("upsert", column_names(key, "the key of upsert"))


def delete_insert(by: str | Sequence[str]) -> WriteMode:
    """Replace all rows whose values in the columns `by` occur among the new rows: whole days, for example, of a column of dates."""
    return WriteMode("delete_insert", column_names(by, "the columns of delete_insert"))


def snapshot(key: str | Sequence[str], *, valid_from: str = "valid_from", valid_to: str = "valid_to") -> WriteMode:
    """Keep every state that a row had, told apart by `key`, with the times from which and to which it was valid.

    This is a slowly changing dimension of type 2. What is written is the whole present state: a row that it lacks ends.
    """
    own = column_names(key, "the key of snapshot")
    times = (*column_names(valid_from, "valid_from"), *column_names(valid_to, "valid_to"))
    if len({*own, *times}) != len(own) + 2:
        raise InvalidDefinitionError(f"a snapshot needs valid_from, valid_to and its key to differ, not {(*own, *times)!r}")
    return WriteMode("snapshot", own, *times)


def column_names(columns: Any, what: str) -> tuple[str, ...]:
    """One column, or several, as a tuple of their names; InvalidDefinitionError where there is none, or one twice."""
    names = (columns,) if isinstance(columns, str) else tuple(columns) if isinstance(columns, Sequence) else ()
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise InvalidDefinitionError(f"{what} is {columns!r}, not one or more different column names")
    return names


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How the table of an asset is written: `@asset(table=TableOptions(…))`.

    `mode` is "replace", "append", `upsert(key=…)`, `delete_insert(by=…)`, `snapshot(key=…)`, or, for an asset with partitions,
    "delete_insert", which replaces the partition as "replace" does. `partition_expr` names the column that tells the partition of
    a row, for partitions along several dimensions one for each. `sort_by` are the columns that the rows are sorted by as they are
    written. `schema_policy` says what happens where new rows have other columns than a table that keeps its rows. `columns` is a
    contract: a `pl.Schema`, a `pa.Schema`, a mapping of names to types (those of SQL as text, "bigint not null"), or a class with annotated fields; a table with other
    columns or types is not published. `descriptions` say what columns hold. `keep_versions` is how many versions of the table are
    kept, the present one among them. `schema` is the schema of the table, in place of the one its key names. `materialized` "view"
    keeps a query in place of rows, which goes with no mode, order or versions of rows.

    >>> TableOptions(mode=upsert("id"), sort_by="day").sort_by
    ('day',)
    >>> TableOptions(mode="upsrt")
    Traceback (most recent call last):
    warehouse_assets.errors.InvalidDefinitionError: the mode 'upsrt' is none. Did you mean 'upsert'?
    """

    mode: WriteMode = WriteMode()
    partition_expr: str | Mapping[str, str] | None = None
    sort_by: tuple[str, ...] = ()
    schema_policy: SchemaPolicy | None = None
    columns: Any = None
    descriptions: Mapping[str, str] | None = None
    keep_versions: int | None = None
    schema: str | None = None
    materialized: Materialized = "table"

    def __init__(
        self,
        mode: WriteMode | WriteModeKind = "replace",
        *,
        partition_expr: str | Mapping[str, str] | None = None,
        sort_by: str | Sequence[str] = (),
        schema_policy: SchemaPolicy | None = None,
        columns: Any = None,
        descriptions: Mapping[str, str] | None = None,
        keep_versions: int | None = None,
        schema: str | None = None,
        materialized: Materialized = "table",
    ) -> None:
        if schema_policy is not None and schema_policy not in _POLICIES:
            hint = f"It is one of {', '.join(_POLICIES)}."
            raise InvalidDefinitionError(f"the {SCHEMA_POLICY} is {schema_policy!r}", hint=hint)
        if keep_versions is not None and (type(keep_versions) is not int or keep_versions < 1):
            raise InvalidDefinitionError(f"keep_versions is {keep_versions!r}, not a number of versions, 1 or more")
        if schema is not None and (not isinstance(schema, str) or not schema):
            raise InvalidDefinitionError(f"the schema is {schema!r}, not the name of one")
        put = object.__setattr__
        put(self, "mode", _mode(mode))
        put(self, "partition_expr", partition_expr)
        put(self, "sort_by", column_names(sort_by, "sort_by") if sort_by else ())
        put(self, "schema_policy", schema_policy)
        put(self, "columns", _contract(columns))
        put(self, "descriptions", dict(descriptions) if descriptions else None)
        put(self, "keep_versions", keep_versions)
        put(self, "schema", schema)
        put(self, "materialized", materialized)
        if materialized not in get_args(Materialized):
            raise InvalidDefinitionError(f"materialized is {materialized!r}", hint='It is "table" or "view".')
        if materialized == "view" and (rows := [name for name in _OF_ROWS if getattr(self, name) != getattr(_DEFAULTS, name)]):
            raise InvalidDefinitionError(
                f"a view holds no rows, and so has no {' and no '.join(rows)}",
                hint='Leave it out, or write materialized="table".',
            )

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> TableOptions:
        """Those that the metadata of an asset holds; the defaults where it holds none."""
        options = metadata.get(TABLE_OPTIONS)
        return options if isinstance(options, TableOptions) else _DEFAULTS

    def in_metadata(self, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
        """The metadata of an asset with these options in it, and what they say under the names that people know from metadata.

        Raises InvalidDefinitionError where the metadata says otherwise.
        """
        known = {name: getattr(self, name) for name in (PARTITION_EXPR, SCHEMA_POLICY, "schema")}
        said = {name: value for name, value in known.items() if value is not None}
        for name, value in said.items():
            if (other := (metadata or {}).get(name, value)) != value:
                raise InvalidDefinitionError(f"the {name} is {value!r} in its table options, and {other!r} in its metadata")
        return {**(metadata or {}), **said, TABLE_OPTIONS: self}

    def __repr__(self) -> str:
        return f"TableOptions({', '.join(self._given())})"

    def _given(self) -> Iterator[str]:
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(_DEFAULTS, field.name):
                yield f"{field.name}={str(value) if field.name == 'mode' else repr(value)}"


def _mode(mode: Any) -> WriteMode:
    if isinstance(mode, WriteMode):
        return mode
    if mode in _HINTS:
        raise InvalidDefinitionError(f"the mode {mode!r} needs the columns that tell rows apart", hint=_HINTS[mode])
    if mode not in _KINDS:
        raise InvalidDefinitionError(
            f"the mode {mode!r} is none", hint=close_matches(str(mode), _KINDS) or f"It is one of {', '.join(_KINDS)}."
        )
    return WriteMode(mode)


def _contract(columns: Any) -> Any:
    """A contract as it was given, if it is one."""
    is_model = isinstance(columns, type) and bool(getattr(columns, "__annotations__", None))
    if columns is None or is_model or (isinstance(columns, Mapping) and columns) or hasattr(columns, "field"):
        return columns
    raise InvalidDefinitionError(
        f"the columns are {columns!r}, which is no contract",
        hint="Give a pl.Schema, a pa.Schema, a mapping of names to types, or a class with annotated fields.",
    )


_DEFAULTS = TableOptions()
