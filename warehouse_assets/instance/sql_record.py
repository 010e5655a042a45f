"""`SQLRecord`: how the parts of a record in a database read and write it."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa

from warehouse_assets.errors import InstanceError
from warehouse_assets.instance.batch import Batch
from warehouse_assets.instance.event_log import EventLog

__all__ = ["SQLRecord"]


class SQLRecord(EventLog):
    """A record that an engine of SQLAlchemy reaches; a subclass knows its database, and how to write many small batches to it.

    Transactions that write exclude each other, also between processes: what one has read, no other changes before it ends.
    """

    _faults: tuple[type[Exception], ...] = (sa.exc.SQLAlchemyError,)

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._resources = ExitStack()
        self._resources.callback(engine.dispose)
        self._dispose = weakref.finalize(self, self._resources.close)

    @property
    def is_open(self) -> bool:
        """Whether the log was not closed yet."""
        return self._dispose.alive

    def close(self) -> None:
        self._dispose()

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that writes: committed when the block ends, rolled back when it raises."""

    @abstractmethod
    def _insert_events(self, connection: sa.Connection, batch: Batch) -> None:
        """Write a batch of events in a transaction, and mark those that are the latest; the records of runs are left alone."""

    @abstractmethod
    def _hint(self, fault: str) -> str | None:
        """What to do about a fault, by what the database says of it."""

    @abstractmethod
    def _among(self, column: sa.ColumnElement[str], parameter: str) -> sa.ColumnElement[bool]:
        """Whether a column has one of the strings of a list: one parameter, however many they are."""

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A transaction whose faults are InstanceErrors."""
        with self._errors("write"), self._transaction() as connection:
            yield connection

    def _read(self, query: sa.Select[Any], parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        self._check_open()
        with self._errors("read"), self._engine.connect() as connection:
            return connection.execute(query, parameters).all()

    def _check_open(self) -> None:
        if not self.is_open:
            raise InstanceError(f"the record {self} is closed")

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """What the database reports, as an InstanceError that names the record."""
        try:
            yield
        except self._faults as error:
            cause = getattr(error, "orig", None) or error
            raise InstanceError(f"cannot {doing} the record {self}: {cause}", hint=self._hint(str(cause))) from error
