"""Metadata: typed values that are recorded with what happened to an asset, and shown by what reads the record."""

from __future__ import annotations

import builtins
import datetime as dt
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from warehouse_assets.column_lineage import TableColumnLineage
from warehouse_assets.errors import InvalidMetadataError
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey
from warehouse_assets.tables import TableColumn, TableSchema, TableStats

__all__ = [
    "SQL_TEXT",
    "AssetMetadataValue",
    "BoolMetadataValue",
    "FloatMetadataValue",
    "IntMetadataValue",
    "JsonMetadataValue",
    "MarkdownMetadataValue",
    "MetadataValue",
    "NullMetadataValue",
    "PathMetadataValue",
    "RecordedMetadata",
    "RunMetadataValue",
    "TableColumnLineageMetadataValue",
    "TableMetadataValue",
    "TableSchemaMetadataValue",
    "TextMetadataValue",
    "TimestampMetadataValue",
    "UrlMetadataValue",
    "metadata_from_json",
    "metadata_to_json",
    "normalize_metadata",
    "stats_metadata",
]

SQL_TEXT = "sql"  # the metadata of a materialization under which the query is that made the table; bound values are not in it


@dataclass(frozen=True, slots=True)
class MetadataValue:
    """A typed metadata value; `value` is the plain Python value. Build one with a class method, or let the type decide.

    >>> MetadataValue.md("**bold**").value
    '**bold**'
    >>> MetadataValue.of(3)
    IntMetadataValue(value=3)
    """

    value: Any
    kind: ClassVar[str] = ""

    @staticmethod
    def of(value: Any) -> MetadataValue:
        """The metadata value for a plain Python value, by its type.

        Raises InvalidMetadataError for a type that cannot be recorded.
        """
        if isinstance(value, MetadataValue):
            return value
        for types, make in _BY_TYPE:
            if isinstance(value, types):
                return make(value)
        if getattr(value, "shape", None) == () and not isinstance(plain := value.item(), type(value)):  # a scalar of numpy
            return MetadataValue.of(plain)
        raise InvalidMetadataError(
            f"a value of type {type(value).__qualname__} cannot be recorded as metadata",
            hint="Give a number, text, a bool, a datetime, a path, a dict or list of such, or a MetadataValue.",
        )

    @staticmethod
    def int(value: builtins.int) -> IntMetadataValue:
        """A whole number."""
        return IntMetadataValue(builtins.int(value))

    @staticmethod
    def float(value: builtins.float) -> FloatMetadataValue:
        """A number."""
        return FloatMetadataValue(builtins.float(value))

    @staticmethod
    def text(value: str) -> TextMetadataValue:
        """Plain text."""
        return TextMetadataValue(value)

    @staticmethod
    def md(value: str) -> MarkdownMetadataValue:
        """Markdown text."""
        return MarkdownMetadataValue(value)

    @staticmethod
    def json(value: Any) -> JsonMetadataValue:
        """Anything JSON can hold."""
        return JsonMetadataValue(_as_json(value))

    @staticmethod
    def url(value: str) -> UrlMetadataValue:
        """An address on the web."""
        return UrlMetadataValue(value)

    @staticmethod
    def path(value: str | os.PathLike[str]) -> PathMetadataValue:
        """A path in a file system."""
        return PathMetadataValue(os.fspath(value))

    @staticmethod
    def bool(value: builtins.bool) -> BoolMetadataValue:
        """True or false."""
        return BoolMetadataValue(builtins.bool(value))

    @staticmethod
    def null() -> NullMetadataValue:
        """Nothing."""
        return NullMetadataValue(None)

    @staticmethod
    def timestamp(value: dt.datetime | builtins.float) -> TimestampMetadataValue:
        """A moment: a datetime with a time zone, or seconds since the epoch."""
        if isinstance(value, dt.datetime):
            if value.tzinfo is None:
                raise InvalidMetadataError(f"the datetime {value} has no time zone", hint="Add one: value.astimezone().")
            value = value.timestamp()
        return TimestampMetadataValue(builtins.float(value))

    @staticmethod
    def asset(key: CoercibleToAssetKey) -> AssetMetadataValue:
        """Another asset."""
        return AssetMetadataValue(AssetKey.coerce(key))

    @staticmethod
    def run(run_id: str) -> RunMetadataValue:
        """A run."""
        return RunMetadataValue(run_id)

    @staticmethod
    def table(records: Sequence[Mapping[str, Any]]) -> TableMetadataValue:
        """A few rows to show, as mappings of column name to value."""
        return TableMetadataValue(_as_json([dict(record) for record in records]))

    @staticmethod
    def table_schema(schema: TableSchema) -> TableSchemaMetadataValue:
        """The columns of a table."""
        return TableSchemaMetadataValue(schema)

    @staticmethod
    def column_lineage(lineage: TableColumnLineage) -> TableColumnLineageMetadataValue:
        """Which columns the columns of a table were made from."""
        return TableColumnLineageMetadataValue(lineage)

    def to_json(self) -> Any:
        """The value as JSON can hold it."""
        return self.value

    @classmethod
    def from_json(cls, value: Any) -> MetadataValue:
        """The value that `to_json` wrote."""
        return cls(value)


class IntMetadataValue(MetadataValue):
    """A whole number."""

    __slots__ = ()
    kind = "int"


class FloatMetadataValue(MetadataValue):
    """A number; infinities and NaN are kept."""

    __slots__ = ()
    kind = "float"

    def to_json(self) -> Any:
        return self.value if math.isfinite(self.value) else str(self.value)

    @classmethod
    def from_json(cls, value: Any) -> MetadataValue:
        return cls(builtins.float(value))


class TextMetadataValue(MetadataValue):
    """Plain text."""

    __slots__ = ()
    kind = "text"


class MarkdownMetadataValue(MetadataValue):
    """Markdown text."""

    __slots__ = ()
    kind = "md"


class JsonMetadataValue(MetadataValue):
    """Anything JSON can hold."""

    __slots__ = ()
    kind = "json"


class UrlMetadataValue(MetadataValue):
    """An address on the web."""

    __slots__ = ()
    kind = "url"


class PathMetadataValue(MetadataValue):
    """A path in a file system."""

    __slots__ = ()
    kind = "path"


class BoolMetadataValue(MetadataValue):
    """True or false."""

    __slots__ = ()
    kind = "bool"


class NullMetadataValue(MetadataValue):
    """Nothing."""

    __slots__ = ()
    kind = "null"


class TimestampMetadataValue(MetadataValue):
    """A moment, in seconds since the epoch."""

    __slots__ = ()
    kind = "timestamp"


class AssetMetadataValue(MetadataValue):
    """Another asset; `value` is its key."""

    __slots__ = ()
    kind = "asset"

    def to_json(self) -> Any:
        return list(self.value.path)

    @classmethod
    def from_json(cls, value: Any) -> MetadataValue:
        return cls(AssetKey(value))


class RunMetadataValue(MetadataValue):
    """A run; `value` is its id."""

    __slots__ = ()
    kind = "run"


class TableMetadataValue(MetadataValue):
    """A few rows to show; `value` is a list of dicts."""

    __slots__ = ()
    kind = "table"


class TableSchemaMetadataValue(MetadataValue):
    """The columns of a table; `value` is a TableSchema."""

    __slots__ = ()
    kind = "table_schema"

    def to_json(self) -> Any:
        return [[column.name, column.type, column.nullable, column.description] for column in self.value]

    @classmethod
    def from_json(cls, value: Any) -> MetadataValue:
        return cls(_schema(tuple(map(tuple, value))))


@lru_cache(maxsize=1_024)
def _schema(columns: tuple[tuple[Any, ...], ...]) -> TableSchema:
    """These columns, once: the thousands of partitions of a table have the same."""
    return TableSchema(tuple(TableColumn(*column) for column in columns))


class TableColumnLineageMetadataValue(MetadataValue):
    """Which columns the columns of a table are made from; `value` is a TableColumnLineage."""

    __slots__ = ()
    kind = "column_lineage"

    def to_json(self) -> Any:
        return self.value.to_json()

    @classmethod
    def from_json(cls, value: Any) -> MetadataValue:
        return cls(TableColumnLineage.from_json(value))


_BY_TYPE: tuple[tuple[Any, Callable[[Any], MetadataValue]], ...] = (
    (bool, BoolMetadataValue),
    (int, IntMetadataValue),
    (float, FloatMetadataValue),
    (str, TextMetadataValue),
    (type(None), NullMetadataValue),
    (TableSchema, TableSchemaMetadataValue),
    (TableColumnLineage, TableColumnLineageMetadataValue),
    (AssetKey, AssetMetadataValue),
    (dt.datetime, MetadataValue.timestamp),
    (os.PathLike, MetadataValue.path),
    ((dict, list, tuple), MetadataValue.json),
)
_BY_KIND: dict[str, type[MetadataValue]] = {cls.kind: cls for cls in MetadataValue.__subclasses__()}


def _as_json(value: Any) -> Any:
    """A copy of the value as the record gives it back: tuples are lists, NaN and infinities are null."""
    import json

    try:
        return json.loads(json.dumps(value), parse_constant=lambda _: None)
    except (TypeError, ValueError) as error:
        raise InvalidMetadataError(f"a value given as JSON metadata cannot be written as JSON: {error}") from None


def normalize_metadata(metadata: Mapping[str, Any] | None) -> Mapping[str, MetadataValue]:
    """Each plain value of `metadata` as its MetadataValue; errors name the key at fault."""
    if not metadata:
        return {}
    if isinstance(metadata, RecordedMetadata):
        return metadata
    normalized = {}
    for name, value in metadata.items():
        if not isinstance(name, str):
            raise InvalidMetadataError(f"the metadata key {name!r} is not a string")
        try:
            normalized[name] = MetadataValue.of(value)
        except InvalidMetadataError as error:
            raise InvalidMetadataError(f"metadata {name!r}: {error.message}", hint=error.hint) from None
    return normalized


def metadata_to_json(metadata: Mapping[str, MetadataValue]) -> dict[str, Any]:
    """Metadata as JSON: each value as a pair of its kind and its plain value."""
    return {name: [value.kind, value.to_json()] for name, value in metadata.items()}


def metadata_from_json(data: Mapping[str, Any]) -> dict[str, MetadataValue]:
    """The metadata that `metadata_to_json` wrote; a kind from a later version is kept as JSON."""
    return {name: _BY_KIND.get(kind, JsonMetadataValue).from_json(value) for name, (kind, value) in data.items()}


class RecordedMetadata(Mapping[str, MetadataValue]):
    """Metadata as the text that a record keeps, JSON as of `metadata_to_json`; it is read when it is first looked at."""

    __slots__ = ("_found", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._found: Mapping[str, MetadataValue] | None = None

    def _values(self) -> Mapping[str, MetadataValue]:
        if self._found is None:
            import json

            self._found = metadata_from_json(json.loads(self._text))
        return self._found

    def __getitem__(self, name: str) -> MetadataValue:
        return self._values()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __bool__(self) -> bool:
        return self._text != b"{}"

    def __repr__(self) -> str:
        return repr(dict(self))


def stats_metadata(stats: TableStats) -> dict[str, MetadataValue]:
    """What a store measured of a write, under the names by which it is recorded."""
    measured = {
        "row_count": stats.row_count,
        "byte_size": stats.byte_size,
        "partition_row_count": stats.partition_row_count,
        "column_schema": stats.schema,
        "table_name": stats.table_name,
        "uri": stats.uri,
        "table_version": stats.version,
        **stats.extra,
    }
    return {name: MetadataValue.of(value) for name, value in measured.items() if value is not None}
