"""Frames: any of them as one Arrow stream, and an Arrow stream as the frame that an annotation asks for.

Stores by frames is M + N code here: a store takes a `Stream` and gives a `RecordBatchReader`, or something better that it has.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import Table, TableColumn, TableSchema

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = [
    "BATCH_ROWS",
    "FrameType",
    "Stream",
    "asks_for_frame",
    "converted",
    "empty_frame",
    "frame_type",
    "from_reader",
    "is_lazy",
    "is_polars",
    "requested",
    "row_count",
    "settled",
    "table_schema",
]

BATCH_ROWS = 200_000  # of a streamed LazyFrame: as fast as larger batches, at a fraction of the memory


class FrameType(enum.Enum):
    """What a parameter's annotation can ask for; the value says how people write it."""

    POLARS = "pl.DataFrame"
    LAZY = "pl.LazyFrame"
    ARROW = "pa.Table"
    READER = "pa.RecordBatchReader"
    PANDAS = "pd.DataFrame"
    RELATION = "duckdb.DuckDBPyRelation"
    HANDLE = "Table"


_BY_NAME = {
    ("polars", "DataFrame"): FrameType.POLARS,
    ("polars", "LazyFrame"): FrameType.LAZY,
    ("pyarrow", "Table"): FrameType.ARROW,
    ("pyarrow", "RecordBatchReader"): FrameType.READER,
    ("pandas", "DataFrame"): FrameType.PANDAS,
    ("duckdb", "DuckDBPyRelation"): FrameType.RELATION,
}


def requested(type_hint: Any, asset_key: AssetKey, default: FrameType = FrameType.POLARS) -> FrameType:
    """The frame that a resolved annotation asks for; of a union the first that is supported, `default` where it says nothing.

    Raises UnsupportedTypeError, naming the asset and what is supported.
    """
    if type_hint in (None, Any, object):
        return default
    for hint in _members(type_hint):
        if hint is Any:
            return default
        for cls in getattr(hint, "__mro__", ()):
            if cls is Table:
                return FrameType.HANDLE
            if found := _kind_of(cls):
                return found
    raise UnsupportedTypeError(
        f"the table of asset {asset_key.to_user_string()!r} cannot be loaded as {_name(type_hint)}",
        hint=f"Annotate with one of {', '.join(kind.value for kind in FrameType)}.",
    )


def asks_for_frame(type_hint: Any) -> bool:
    """Whether a resolved annotation names a frame, not among other values but as itself."""
    return any(_kind_of(cls) for hint in _members(type_hint) for cls in getattr(hint, "__mro__", ()))


def _kind_of(cls: type) -> FrameType | None:
    return _BY_NAME.get((cls.__module__.partition(".")[0].lstrip("_"), cls.__name__))


def _members(hint: Any) -> Iterator[Any]:
    origin = get_origin(hint)
    if origin is Annotated:
        yield from _members(get_args(hint)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(hint):
            yield from _members(member)
    else:
        yield origin or hint


def _name(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)


def is_polars(obj: Any, name: str) -> bool:
    """Whether `obj` is the polars class `name`; polars is not imported to tell."""
    return any(cls.__name__ == name and cls.__module__.partition(".")[0] == "polars" for cls in type(obj).__mro__)


def is_lazy(obj: Any) -> bool:
    """Whether `obj` is a polars LazyFrame."""
    return is_polars(obj, "LazyFrame")


class Stream:
    """A frame as a stream of Arrow record batches that is read once, one batch at a time.

    `rows` counts the batches as they go by. A failure of whatever makes the batches is kept in `error`, since the engine that
    reads the stream reports it as one of its own.
    """

    def __init__(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        self.schema = schema
        self.rows = 0
        self.error: Exception | None = None
        self._batches = batches

    @classmethod
    def of(cls, obj: Any, asset_key: AssetKey) -> Stream:
        """The stream of any supported frame; UnsupportedTypeError, naming the asset, for a value that is no table."""
        import pyarrow as pa

        if is_lazy(obj) or is_polars(obj, "DataFrame"):
            obj = _without_wide_integers(obj)
            schema = obj.collect_schema()
            frames = obj.collect_batches(chunk_size=BATCH_ROWS, lazy=True) if is_lazy(obj) else [obj]
            return cls(_arrow_schema(schema), _record_batches(frames))
        if hasattr(obj, "to_arrow_reader"):  # a DuckDB relation
            reader = obj.to_arrow_reader(BATCH_ROWS)
        elif hasattr(obj, "__arrow_c_stream__"):
            if is_polars(obj, "Series"):
                obj = obj.to_frame()
            reader = pa.RecordBatchReader.from_stream(obj)
        elif hasattr(obj, "__dataframe__"):  # pandas before 2.2 and the like
            from pyarrow import interchange

            reader = interchange.from_dataframe(obj).to_reader()  # type: ignore[attr-defined]
        else:
            raise UnsupportedTypeError(
                f"asset {asset_key.to_user_string()!r} returned a value of type {type(obj).__qualname__}, which is no table",
                hint="Return a polars, Arrow or pandas frame, a DuckDB relation, SQL, or anything with __arrow_c_stream__.",
            )
        return cls(reader.schema, reader)

    def cast(self, dtypes: Mapping[str, Any]) -> Stream:
        """The stream with some columns cast to other polars types."""
        import polars as pl

        schema = pl.Schema(dict(pl.Schema(self.schema)) | dict(dtypes))
        return Stream(_arrow_schema(schema), _record_batches(pl.DataFrame(batch).cast(schema) for batch in self))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.rows += batch.num_rows
                yield batch
        except Exception as error:
            self.error = error
            raise

    def reader(self) -> pa.RecordBatchReader:
        """The stream for a library that reads Arrow."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self.schema, iter(self))


def _arrow_schema(schema: Any) -> pa.Schema:
    import polars as pl

    return pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _record_batches(frames: Iterable[pl.DataFrame]) -> Iterator[pa.RecordBatch]:
    import polars as pl

    for frame in frames:
        yield from frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()


def _without_wide_integers(frame: Any) -> Any:
    """A polars frame with its 128-bit integers, which Arrow does not have, and its decimals cannot hold, as text."""
    schema = frame.collect_schema()
    casts = {name: plain for name, dtype in schema.items() if (plain := _narrow(dtype)) != dtype}
    return frame.cast(casts) if casts else frame


def _narrow(dtype: Any) -> Any:
    import polars as pl

    if dtype in (pl.Int128, pl.UInt128):
        return pl.String
    if isinstance(dtype, pl.List):
        return pl.List(_narrow(dtype.inner))
    if isinstance(dtype, pl.Array):
        return pl.Array(_narrow(dtype.inner), dtype.size)
    if isinstance(dtype, pl.Struct):
        return pl.Struct([pl.Field(field.name, _narrow(field.dtype)) for field in dtype.fields])
    return dtype


def from_reader(reader: pa.RecordBatchReader, kind: FrameType) -> Any:
    """The frame of type `kind` with all rows of `reader`; the reader itself when that is what is asked for."""
    import polars as pl

    match kind:
        case FrameType.READER:
            return reader
        case FrameType.ARROW:
            return reader.read_all()
        case FrameType.PANDAS:
            return reader.read_pandas()
        case FrameType.RELATION:
            from io_managers.engine import relation_of

            return relation_of(reader.read_all())
    frame = pl.DataFrame(reader.read_all())
    return frame.lazy() if kind is FrameType.LAZY else frame


def empty_frame(kind: FrameType) -> Any:
    """A frame of type `kind` without columns; a DuckDB relation, which cannot be without, has one."""
    import pyarrow as pa

    columns = {"nothing": pa.nulls(0)} if kind is FrameType.RELATION else {}
    return from_reader(pa.table(columns).to_reader(), kind)


def frame_type(obj: Any) -> FrameType | None:
    """Which of the known frames `obj` is; None for anything else."""
    return next((kind for cls in type(obj).__mro__ if (kind := _kind_of(cls))), None)


def row_count(obj: Any) -> int | None:
    """The rows of a frame that is whole; None for anything else."""
    return len(obj) if frame_type(obj) in (FrameType.POLARS, FrameType.ARROW, FrameType.PANDAS) else None


def settled(obj: Any, key: AssetKey) -> Any:
    """`obj`, or the whole frame where it is one that computes or reads its rows later."""
    kind = frame_type(obj)
    if kind is FrameType.LAZY:
        return obj.collect(engine="streaming")
    is_foreign_stream = kind is None and hasattr(obj, "__arrow_c_stream__") and not hasattr(obj, "__len__")
    if is_foreign_stream or kind in (FrameType.READER, FrameType.RELATION):
        return Stream.of(obj, key).reader().read_all()
    return obj


def converted(obj: Any, type_hint: Any, columns: Sequence[str] | None, key: AssetKey) -> Any:
    """A value that is kept whole, as an annotation asks for it: frames as another frame, with only `columns`; others as they are."""
    if type_hint is None and columns is None:
        return obj
    default = frame_type(obj)
    if default is None:
        return obj
    kind = requested(type_hint, key, default)
    if kind is default and columns is None:
        return obj
    if is_polars(obj, "DataFrame"):
        frame = obj if columns is None else obj.select(columns)
        if kind in (FrameType.POLARS, FrameType.LAZY):
            return frame.lazy() if kind is FrameType.LAZY else frame
        return from_reader(Stream.of(frame, key).reader(), kind)
    table = Stream.of(obj, key).reader().read_all()
    return from_reader((table if columns is None else table.select(list(columns))).to_reader(), kind)


def table_schema(schema: Mapping[str, Any]) -> TableSchema:
    """The columns of a polars frame, with polars' names for their types."""
    return TableSchema(tuple(TableColumn(name, str(dtype)) for name, dtype in schema.items()))
