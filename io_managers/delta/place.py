"""Where a Delta table is, and the commits that make its versions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers.delta.expiry import remove_expired
from io_managers.delta.files import DeltaFiles, Folder, add_action
from io_managers.delta.table import OLDEST, DeltaSnapshot
from io_managers.delta.types import DELTA, delta_schema
from io_managers.files import Files, encoded
from io_managers.lakehouse.files import local_path
from io_managers.lakehouse.table import Change, LostRaceError, Place
from warehouse_assets.errors import TableError
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

__all__ = ["DeltaPlace", "folder_name"]


def folder_name(segment: str) -> str:
    """The folder of a schema or a table of this name: no two names share one.

    There is no percent sign in it, which some libraries take for that of a URL where it is one of a name.

    >>> folder_name("a/b"), folder_name(".."), folder_name("me@home")
    ('a@2Fb', '@2E.', 'me@40home')
    """
    return encoded(segment).replace("%", "@")


@dataclass(frozen=True)
class DeltaPlace(Place):
    """Where a table is: its folder below `root`, a local path or a URL, and what the store has to know to get there."""

    root: str
    folder: str
    options: dict[str, str] = field(repr=False)

    @property
    def uri(self) -> str:
        return f"{self.root}/{self.folder}"

    def __str__(self) -> str:
        return self.uri

    def snapshot(self, version: str | None = None) -> DeltaSnapshot | None:
        present = self._at(None)
        if present is None or version is None:
            return present
        return self._at(int(version)) if version.isdecimal() and int(version) >= present.oldest else None

    def prepare(self) -> None:
        """Nothing: the first file makes the folder."""

    def files(self, base: Any, key: AssetKey) -> DeltaFiles:
        return DeltaFiles(Folder(self.uri, self.options), self.options, key)

    def commit(
        self, base: DeltaSnapshot | None, change: Change, said: Mapping[str, str], keep: int | None = None
    ) -> DeltaSnapshot:
        return self._made(base, lambda properties: self._commit(base, change, properties), said, keep)

    def restore(
        self, base: DeltaSnapshot, old: DeltaSnapshot, said: Mapping[str, str], keep: int | None = None
    ) -> DeltaSnapshot:
        if old.number == base.number:
            return self.commit(base, Change([], base.types), said, keep)
        return self._made(base, lambda properties: base.table.restore(old.number, commit_properties=properties), said, keep)

    def drop(self) -> bool:
        if self.snapshot() is None:
            return False
        if local_path(self.uri):
            return Files(self.root).remove_folder(self.uri)
        Folder(self.uri, self.options).remove_all()
        return True

    def _at(self, number: int | None) -> DeltaSnapshot | None:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            return DeltaSnapshot(self.uri, self.options, DeltaTable(self.uri, version=number, storage_options=self.options))
        except TableNotFoundError:
            return None
        except DeltaError:
            if number is not None:
                return None
            raise

    def _made(
        self,
        base: DeltaSnapshot | None,
        commit: Callable[[CommitProperties], object],
        said: Mapping[str, str],
        keep: int | None,
    ) -> DeltaSnapshot:
        from deltalake import CommitProperties, Transaction
        from deltalake.exceptions import CommitFailedError, DeltaError

        number, before = (0, 0) if base is None else (base.number + 1, base.oldest)
        oldest = before if keep is None else max(before, number - keep + 1)
        told = [Transaction(OLDEST, oldest)] if oldest > before else []
        try:  # not once more by itself: the retry has to look again
            commit(CommitProperties(custom_metadata=dict(said), max_commit_retries=0, app_transactions=told))
        except CommitFailedError:
            raise LostRaceError from None
        except DeltaError as error:
            if "already exists" in str(error):
                raise LostRaceError from None
            raise
        made = self._at(number)
        assert made is not None
        if told:
            remove_expired(Folder(self.uri, self.options), before, oldest, number)
        return made

    def _commit(self, base: DeltaSnapshot | None, change: Change, properties: CommitProperties) -> None:
        from deltalake.transaction import RemoveAction, create_table_with_add_actions

        if base is not None and base.maps_columns:
            raise TableError(
                f"the Delta table at {self.uri} has other names for its columns in its files, and is only read here",
                hint="Drop it, or write to another key.",
            )
        schema, adds = delta_schema(change.types), [add_action(file, self.uri) for file in change.named]
        if base is not None and (not change.replaces or _takes(base.table, change.types)):
            now = int(time.time() * 1000)
            removes = [RemoveAction(file.entry["path"], True, now, file.entry["size_bytes"], {}) for file in change.removes]
            base.table.create_write_transaction(
                [*adds, *removes], "overwrite" if change.replaces else "append", schema, commit_properties=properties
            )
            return
        create_table_with_add_actions(
            self.uri,
            schema,
            adds,
            mode="error" if base is None else "overwrite",
            configuration={} if base is None else base.table.metadata().configuration,
            storage_options=self.options,
            commit_properties=properties,
        )


def _takes(table: DeltaTable, types: Mapping[str, pl.DataType]) -> bool:
    """Whether a table can get these columns as it is: it has no folders for columns, and knows moments without a zone if need be."""
    moments = any(_holds_moments(dtype) for dtype in DELTA.stored(types).values())
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
