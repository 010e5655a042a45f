"""A Delta table at one of its versions, and a commit that makes the next one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers.delta.files import DataFile, scan_places
from io_managers.delta.types import delta_schema, frame_types, in_frames, stored_types
from io_managers.files import encoded
from warehouse_assets.errors import TableError
from warehouse_assets.tables import TableVersion

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

__all__ = ["Change", "DeltaPlace", "LostRaceError", "Snapshot", "folder_name"]

_PLAIN = re.compile(r"[\w.-]+")  # a file in the folder of the table, whose name has no characters that are quoted in a log

RUN_ID = "run_id"  # the name under which the log says which run made a version


class LostRaceError(Exception):
    """Another writer made the version that a commit was to be."""


def folder_name(segment: str) -> str:
    """The folder of a schema or a table of this name: no two names share one.

    There is no percent sign in it, which some libraries take for that of a URL where it is one of a name.

    >>> folder_name("a/b"), folder_name(".."), folder_name("me@home")
    ('a@2Fb', '@2E.', 'me@40home')
    """
    return encoded(segment).replace("%", "@")


@dataclass(frozen=True)
class DeltaPlace:
    """Where a table is: a local path or a URL, and what the store has to know to get there."""

    uri: str
    options: dict[str, str] = field(repr=False)

    def snapshot(self, version: int | None = None) -> Snapshot | None:
        """The table as it is, or was; None where there is no table, or no such version."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            return Snapshot(self, DeltaTable(self.uri, version=version, storage_options=self.options))
        except TableNotFoundError:
            return None
        except DeltaError:
            if version is not None:
                return None
            raise


class Snapshot:
    """A table at one version; later ones do not change what is read from it."""

    def __init__(self, place: DeltaPlace, table: DeltaTable) -> None:
        self.place = place
        self.table = table

    @cached_property
    def version(self) -> int:
        """The number of the version."""
        return int(self.table.version())

    @cached_property
    def types(self) -> pl.Schema:
        """The columns, with the types that they have in frames."""
        return frame_types(self.table.schema())

    @cached_property
    def files(self) -> pl.DataFrame:
        """The data files that the table is made of: `path`, `size_bytes`, `num_records`, and statistics of columns."""
        return pl.DataFrame(self.table.get_add_actions())

    @property
    def has_plain_files(self) -> bool:
        """Whether the rows of the table are those of its files, which lie in its folder: none are deleted, nor told by folders."""
        protocol = self.table.protocol()
        mapped = protocol.min_reader_version == 2 or {"deletionVectors", "columnMapping"} & {*(protocol.reader_features or ())}
        return not (mapped or self.table.metadata().partition_columns) and all(map(_PLAIN.fullmatch, self.files["path"]))

    def scan(self) -> pl.LazyFrame:
        """The table as a LazyFrame, which reads the files and the columns that it needs."""
        from deltalake.exceptions import DeltaProtocolError

        if self.has_plain_files:
            return self.scan_files(self.files["path"])
        try:
            lazy = pl.scan_delta(self.table)
            lazy.collect_schema()
        except DeltaProtocolError as error:
            raise TableError(f"the Delta table at {self.place.uri} cannot be read: {error}") from None
        return lazy.select(in_frames(self.types))

    def scan_files(self, paths: Iterable[str], path_column: str | None = None) -> pl.LazyFrame:
        """Some of the files of a table that `has_plain_files`, with a column that tells in which of them a row is, if asked for."""
        columns = [*in_frames(self.types), *([path_column] if path_column else [])]
        places = [f"{self.place.uri}/{path}" for path in paths]
        return scan_places(places, stored_types(self.types), self.place.options, path_column).select(columns)

    def row_count(self) -> int:
        """The rows of the table, as its log says, or else counted."""
        rows = self.files["num_records"]
        return (
            int(rows.sum())
            if rows.null_count() == 0 and self.has_plain_files
            else self.scan().select(pl.len()).collect().item()
        )

    def byte_size(self) -> int:
        """The bytes of the data files."""
        return int(self.files["size_bytes"].sum())

    def versions(self) -> list[TableVersion]:
        """The versions that the log still has, the oldest first."""
        found = []
        for entry in self.table.history():
            moment = datetime.fromtimestamp(entry["timestamp"] / 1000, UTC)
            rows = entry.get("rows")
            found.append(
                TableVersion(str(entry["version"]), moment, entry.get(RUN_ID), int(rows) if rows is not None else None)
            )
        return sorted(found, key=lambda version: int(version.version))


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to a table: files that come, files that go, and the columns; `replaces` says that all others go."""

    adds: Sequence[DataFile]
    types: pl.Schema
    removes: Sequence[Mapping[str, Any]] = ()
    replaces: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether the table stays as it is."""
        return not (self.adds or self.removes or self.replaces)

    def commit(self, place: DeltaPlace, base: Snapshot | None, said: Mapping[str, Any]) -> int:
        """Make the version that follows `base`, or the first; LostRaceError where another writer did that."""
        from deltalake import CommitProperties
        from deltalake.exceptions import CommitFailedError, DeltaError

        properties = CommitProperties(custom_metadata=dict(said), max_commit_retries=0)  # the retry has to look again
        try:
            self._commit(place, base, properties)
        except CommitFailedError:
            raise LostRaceError from None
        except DeltaError as error:
            if "already exists" in str(error):
                raise LostRaceError from None
            raise
        return 0 if base is None else base.version + 1

    def _commit(self, place: DeltaPlace, base: Snapshot | None, properties: CommitProperties) -> None:
        from deltalake.transaction import RemoveAction, create_table_with_add_actions

        schema, adds = delta_schema(self.types), [file.action() for file in self.adds]
        if base is not None and (not self.replaces or _takes(base.table, self.types)):
            now = int(time.time() * 1000)
            removes = [RemoveAction(file["path"], True, now, file["size_bytes"], {}) for file in self.removes]
            base.table.create_write_transaction(
                [*adds, *removes], "overwrite" if self.replaces else "append", schema, commit_properties=properties
            )
            return
        create_table_with_add_actions(
            place.uri,
            schema,
            adds,
            mode="error" if base is None else "overwrite",
            configuration={} if base is None else base.table.metadata().configuration,
            storage_options=place.options,
            commit_properties=properties,
        )


def _takes(table: DeltaTable, types: Mapping[str, pl.DataType]) -> bool:
    """Whether a table can get these columns as it is: it has no folders for columns, and knows moments without a zone if need be."""
    moments = any(_holds_moments(dtype) for dtype in stored_types(types).values())
    knows = "timestampNtz" in (table.protocol().writer_features or ())
    return not table.metadata().partition_columns and (knows or not moments)


def _holds_moments(dtype: Any) -> bool:
    match dtype:
        case pl.Datetime(time_zone=None):
            return True
        case pl.List(inner=inner):
            return _holds_moments(inner)
        case pl.Struct(fields=fields):
            return any(_holds_moments(each.dtype) for each in fields)
    return False
