"""The seam to a store: a table as one of its versions has it, and the place where a commit makes the next one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from io_managers.lakehouse.files import DataFile, DataFiles, scan_places
from io_managers.lakehouse.types import StoredTypes
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableVersion

__all__ = ["Bounds", "Change", "LostRaceError", "Place", "Snapshot", "StoredFile", "state_of"]


class LostRaceError(Exception):
    """Another writer made the version that a commit was to be."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A data file of a table: its path or URL, how many rows it has where that is known, and what the store says of it."""

    place: str
    rows: int | None
    entry: Any


@dataclass(frozen=True, slots=True)
class Bounds:
    """No value that a column has in a file is below `low` or above `high`; `is_whole` says that none is NULL."""

    low: Any
    high: Any
    is_whole: bool


class Snapshot(ABC):
    """A table at one version; later ones do not change what is read from it."""

    STORED: ClassVar[StoredTypes]

    @property
    @abstractmethod
    def version(self) -> str | None:
        """The number of the version; None for a table that never had rows."""

    @property
    @abstractmethod
    def state(self) -> Hashable:
        """What is another one after each commit to the table."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where the table is."""

    @property
    @abstractmethod
    def options(self) -> Mapping[str, str]:
        """What polars has to know to read the files."""

    @property
    @abstractmethod
    def types(self) -> pl.Schema:
        """The columns, with the types that they have in frames."""

    @property
    @abstractmethod
    def files(self) -> Sequence[StoredFile]:
        """The data files that the table is made of."""

    @property
    @abstractmethod
    def has_plain_files(self) -> bool:
        """Whether the rows of the table are those of its files, by the names of their columns: none are deleted, nor renamed."""

    @abstractmethod
    def scan_as_others(self) -> pl.LazyFrame:
        """A table that has no plain files, its columns as they are stored."""

    @abstractmethod
    def takes(self, types: pl.Schema) -> bool:
        """Whether the table can get columns of these types while its files stay as they are."""

    @abstractmethod
    def bounds(self, file: StoredFile, column: str) -> Bounds | None:
        """What the store says of the values of a column in a file; None for nothing."""

    @abstractmethod
    def row_count(self) -> int:
        """The rows of the table, as the store says, or else counted."""

    @abstractmethod
    def byte_size(self) -> int:
        """The bytes of the data files."""

    @abstractmethod
    def versions(self) -> list[TableVersion]:
        """The versions that can be read up to this one, the oldest first."""

    def scan(self) -> pl.LazyFrame:
        """The table as a LazyFrame, which reads the files and the columns that it needs."""
        if self.has_plain_files:
            return self.scan_files(self.files)
        return self.scan_as_others().select(self.STORED.into_frames(self.types))

    def scan_files(self, files: Iterable[StoredFile], path_column: str | None = None) -> pl.LazyFrame:
        """Some of the files of a table that `has_plain_files`, with a column that tells in which of them a row is, if asked for."""
        columns = [*self.STORED.into_frames(self.types), *([path_column] if path_column else [])]
        places = (file.place for file in files)
        return scan_places(places, self.STORED.stored(self.types), self.options, path_column).select(columns)


def state_of(snapshot: Snapshot | None) -> Hashable:
    """The state of a table, of which there may be none."""
    return None if snapshot is None else snapshot.state


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to a table: files that come, files that go, and the columns; `replaces` says that all others go."""

    adds: Sequence[DataFile]
    types: pl.Schema
    removes: Sequence[StoredFile] = ()
    replaces: bool = False

    @property
    def named(self) -> Sequence[DataFile]:
        """The files that the commit names: those that come and have rows."""
        return [file for file in self.adds if file.rows]

    @property
    def is_nothing(self) -> bool:
        """Whether the table stays as it is."""
        return not (self.adds or self.removes or self.replaces)


class Place(ABC):
    """Where a table is, whether there is one or not. `str` names the table."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """The place, for people and metadata."""

    @abstractmethod
    def snapshot(self, version: str | None = None) -> Snapshot | None:
        """The table as it is, or was; None where there is no table, or no such version."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what has to be there before a table can be made."""

    @abstractmethod
    def files(self, base: Any, key: AssetKey) -> DataFiles:
        """Data files for the table, or for one that is still to be made."""

    @abstractmethod
    def commit(self, base: Any, change: Change, said: Mapping[str, str], keep: int | None = None) -> Snapshot:
        """Make the version that follows `base`, or the first, which is told who made it; LostRaceError where another writer did that.

        The last `keep` versions stay, all unless a number is given. The others go with the same commit, so that nobody can go back
        to one of them any more, and the files that only they have go after it.
        """

    @abstractmethod
    def restore(self, base: Any, old: Any, said: Mapping[str, str], keep: int | None = None) -> Snapshot:
        """Make the version that follows `base` with the rows and columns of the version `old`; all else as `commit`."""

    @contextmanager
    def as_of(self, base: Snapshot | None) -> Generator[None]:
        """Read what `base` has, for a commit; LostRaceError for what fails as others made a version after it, and expired its files."""
        try:
            yield
        except LostRaceError:
            raise
        except Exception:
            if state_of(self.snapshot()) != state_of(base):
                raise LostRaceError from None
            raise

    @abstractmethod
    def drop(self) -> bool:
        """Remove the table and all its files; whether there was one."""
