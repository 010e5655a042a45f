"""Frames of any library as batches that travel to a SQL database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import polars as pl

from io_managers.engine_types import polars_schema
from io_managers.frames import BATCH_ROWS, Stream, is_lazy, is_polars
from io_managers.sqlalchemy.types import encoded
from warehouse_assets.errors import SchemaChangedError, UnsupportedTypeError
from warehouse_assets.keys import AssetKey

__all__ = ["Incoming"]


class Incoming:
    """A frame that is read once, a batch at a time. `rows` counts those that went by; `error` is what broke the frame."""

    def __init__(self, obj: Any, key: AssetKey) -> None:
        self.key = key
        self.rows = 0
        self.error: Exception | None = None
        self._frames: Iterable[pl.DataFrame]
        if is_polars(obj, "DataFrame") or is_lazy(obj):
            self.dtypes = dict(obj.collect_schema())
            lazy = is_lazy(obj)
            self._frames = obj.collect_batches(chunk_size=BATCH_ROWS, lazy=True) if lazy else obj.iter_slices(BATCH_ROWS)
        else:
            stream = Stream.of(obj, key)
            self.dtypes = polars_schema(stream.schema)
            if unknown := [name for name in stream.schema.names if name not in self.dtypes]:
                raise UnsupportedTypeError(
                    f"the column {unknown[0]!r} of asset {key.to_user_string()!r} is {stream.schema.field(unknown[0]).type}, "
                    "which has no equal in SQL databases"
                )
            self._frames = map(pl.DataFrame, stream)

    def check(self, database: str, *, folds_case: bool) -> None:
        """Raise UnsupportedTypeError or SchemaChangedError for columns that the database cannot have."""
        whose = f"asset {self.key.to_user_string()!r}"
        if not self.dtypes:
            raise UnsupportedTypeError(f"{whose} returned a frame without columns, which {database} cannot keep")
        seen: dict[str, str] = {}
        for name, dtype in self.dtypes.items():
            if dtype == pl.Object:
                raise UnsupportedTypeError(f"the column {name!r} of {whose} holds Python objects")
            if (other := seen.setdefault(name.casefold() if folds_case else name, name)) is not name:
                raise SchemaChangedError(
                    f"{whose} returned the columns {other!r} and {name!r}, which are one to {database}",
                    hint="Rename one of them; case makes no difference.",
                )

    def few(self, limit: int) -> int | None:
        """How many rows there are, None if more than the limit; up to that many are read for it, and kept."""
        kept: list[pl.DataFrame] = []
        frames = iter(self._raising(self._frames))
        for frame in frames:
            kept.append(frame)
            if sum(map(len, kept)) > limit:
                self._frames = chain(kept, frames)
                return None
        self._frames = kept
        return sum(map(len, kept))

    def frames(self) -> Iterator[pl.DataFrame]:
        """The batches as they travel."""
        for frame in self._raising(self._frames):
            if frame.height:
                try:
                    travelling = encoded(frame, self.dtypes)
                except UnsupportedTypeError as error:
                    self.error = UnsupportedTypeError(f"asset {self.key.to_user_string()!r}: {error.message}", hint=error.hint)
                    raise self.error from None
                self.rows += frame.height
                yield travelling

    def _raising(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The frames; what fails as they are made is kept, since a driver reports it as an error of its own."""
        try:
            yield from frames
        except Exception as error:
            self.error = error
            raise
