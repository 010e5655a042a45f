"""What a table is made from, as DuckDB reads it: a query with its parameters, over a frame or over SQL of a person's own."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from io_managers.deferred import Deferred
from io_managers.engine_types import on_its_way, polars_schema
from io_managers.frames import BATCH_ROWS, Stream, is_lazy, is_polars
from io_managers.polars_types import is_null_inside
from warehouse_assets.errors import SchemaChangedError, UnsupportedTypeError
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import quote_identifier

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["Incoming", "IncomingFrame"]

_BROKEN_STREAM = "reading the stream registered as '_incoming' failed: "


@dataclass(frozen=True, slots=True)
class Incoming:
    """A query that gives the rows, its parameters, and the polars types of the columns; None where SQL gives them."""

    query: str
    parameters: dict[str, Any] = field(default_factory=dict)
    dtypes: Mapping[str, pl.DataType] | None = None


class IncomingFrame:
    """A frame of any library, made ready for DuckDB before anything is locked.

    Raises UnsupportedTypeError or SchemaChangedError, naming the asset, for what DuckDB cannot keep.
    """

    def __init__(self, obj: Any, key: AssetKey) -> None:
        self._obj = obj
        self._stream: Stream | None = None
        if is_polars(obj, "DataFrame") or is_lazy(obj):
            names, self.dtypes = obj.collect_schema().names(), dict(obj.collect_schema())
        else:
            self._stream = Stream.of(obj, key)
            names, self.dtypes = self._stream.schema.names, polars_schema(self._stream.schema)
        _check_names(names, key)
        for name, dtype in self.dtypes.items():
            if dtype == pl.Object:
                raise UnsupportedTypeError(f"the column {name!r} of asset {key.to_user_string()!r} holds Python objects")
        self._frame = self._readable(key)

    @contextmanager
    def registered(self, connection: duckdb.DuckDBPyConnection) -> Generator[Incoming]:
        """The rows, for one statement on this connection inside the block; an error of the frame's own is raised as such."""
        connection.register("_incoming", self._frame)
        try:
            yield Incoming(f"select {_casts(self.dtypes)} from _incoming", dtypes=self.dtypes)
        except duckdb.Error as error:
            if self._stream is not None and self._stream.error is not None:
                raise self._stream.error from None
            _raise_own(error, self._obj)
            raise
        finally:
            connection.unregister("_incoming")

    def _readable(self, key: AssetKey) -> Any:
        obj = self._obj
        casts = {name: way for name, dtype in self.dtypes.items() if (way := on_its_way(dtype)) != dtype}
        if is_polars(obj, "DataFrame"):
            return obj.cast(casts) if casts else obj
        if is_lazy(obj):
            lazy = obj.cast(casts) if casts else obj
            if not any(map(is_null_inside, self.dtypes.values())):
                # polars' own stream; one through Python objects takes a third longer, and hundreds of megabytes
                return lazy.collect_batches(chunk_size=BATCH_ROWS, lazy=True)
            self._stream = Stream.of(lazy, key)
        elif casts and self._stream is not None:
            self._stream = self._stream.cast(casts)
        return self._stream.reader() if self._stream is not None else obj


def _raise_own(error: duckdb.Error, obj: Any) -> None:
    """Raise what a LazyFrame raised while DuckDB read it.

    DuckDB passes on the text alone, so the frame is computed again, without storing it, up to where it fails.
    """
    _, _, text = str(error).partition(_BROKEN_STREAM)
    if not (text and is_lazy(obj)):
        return
    for _ in obj.collect_batches(chunk_size=BATCH_ROWS, lazy=True):
        pass
    raise pl.exceptions.ComputeError(text) from None


def _casts(dtypes: Mapping[str, pl.DataType]) -> str:
    big = {
        name: "hugeint" if dtype == pl.Int128 else "uhugeint"
        for name, dtype in dtypes.items()
        if dtype in (pl.Int128, pl.UInt128)
    }
    if not big:
        return "*"
    replaced = (f"{quote_identifier(name)}::{kind} as {quote_identifier(name)}" for name, kind in big.items())
    return f"* replace ({', '.join(replaced)})"


def _check_names(names: list[str], key: AssetKey) -> None:
    if not names:
        raise UnsupportedTypeError(f"asset {key.to_user_string()!r} returned a frame without columns, which DuckDB cannot keep")
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) is not name:
            raise SchemaChangedError(
                f"asset {key.to_user_string()!r} returned the columns {other!r} and {name!r}, which are one to DuckDB",
                hint="Rename one of them; case makes no difference.",
            )
