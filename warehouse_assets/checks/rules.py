"""What can be asked of columns, as SQL: one expression that counts the rows at fault, one query that gives a sample of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from warehouse_assets.checks.ready_made import checked_name
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import Table, quote_identifier

__all__ = ["AcceptedValues", "Binder", "ColumnRule", "NotNull", "Relationship", "Unique"]


class Binder:
    """Puts values into the template of a SQL value, under names that no identifier in it can be taken for."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.prefix = "value"
        while any(f"{{{self.prefix}" in column for column in columns):
            self.prefix += "_"
        self.values: dict[str, Any] = {}

    def __call__(self, value: Any) -> str:
        """The placeholder of a value."""
        name = f"{self.prefix}{len(self.values)}"
        self.values[name] = value
        return f"{{{name}}}"


@dataclass(frozen=True)
class ColumnRule(ABC):
    """One thing that is asked of one or more columns of a table."""

    columns: tuple[str, ...]

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the check."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What the rows at fault have in common, after "rows"."""

    @property
    def needs(self) -> Sequence[AssetKey]:
        """The other assets that are looked at."""
        return ()

    @abstractmethod
    def fault(self, bind: Binder) -> str:
        """The SQL condition of the rows at fault in the table `t`."""

    def count(self, bind: Binder, table: Table) -> str:
        """The SQL expression that counts the rows at fault among those of `t`."""
        return f"count(*) filter (where {self.fault(bind)})"

    def sample(self, bind: Binder, table: Table, limit: int) -> str:
        """The query that gives some of the rows at fault."""
        return f"select * from {bind(table)} as t where {self.fault(bind)} limit {int(limit)}"


@dataclass(frozen=True)
class NotNull(ColumnRule):
    """No null in a column."""

    @property
    def name(self) -> str:
        return checked_name("not_null", *self.columns)

    @property
    def description(self) -> str:
        return f"have no {self.columns[0]!r}"

    def fault(self, bind: Binder) -> str:
        return f"t.{quote_identifier(self.columns[0])} is null"


@dataclass(frozen=True)
class AcceptedValues(ColumnRule):
    """Only these values in a column, and nulls."""

    values: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        return checked_name("accepted_values", *self.columns)

    @property
    def description(self) -> str:
        shown = ", ".join(map(repr, self.values[:5])) + (", …" if len(self.values) > 5 else "")
        return f"have another {self.columns[0]!r} than {shown}"

    def fault(self, bind: Binder) -> str:
        return f"t.{quote_identifier(self.columns[0])} not in ({', '.join(bind(value) for value in self.values)})"


@dataclass(frozen=True)
class Relationship(ColumnRule):
    """Each value of a column is in a column of another asset; a null is none."""

    to: AssetKey = field(kw_only=True)
    to_column: str = field(kw_only=True)

    @property
    def name(self) -> str:
        return checked_name("relationship", *self.columns)

    @property
    def description(self) -> str:
        return f"have a {self.columns[0]!r} that no row of {self.to.to_user_string()!r} has as {self.to_column!r}"

    @property
    def needs(self) -> Sequence[AssetKey]:
        return (self.to,)

    def fault(self, bind: Binder) -> str:
        column, other = quote_identifier(self.columns[0]), quote_identifier(self.to_column)
        known = f"select 1 from {bind(Table(self.to))} as o where o.{other} = t.{column}"
        return f"t.{column} is not null and not exists ({known})"

    def count(self, bind: Binder, table: Table) -> str:
        return f"(select count(*) from {bind(table)} as t where {self.fault(bind)})"


@dataclass(frozen=True)
class Unique(ColumnRule):
    """No two rows with the same values in these columns; a row with a null in one of them is like no other."""

    @property
    def name(self) -> str:
        return checked_name("unique", *self.columns)

    @property
    def description(self) -> str:
        return f"share their {', '.join(map(repr, self.columns))} with others"

    def fault(self, bind: Binder) -> str:
        return " or ".join(f"t.{quote_identifier(column)} is null" for column in self.columns)

    def count(self, bind: Binder, table: Table) -> str:
        return f"(select coalesce(sum(n), 0)::bigint from ({self._groups(bind, table, 'count(*) as n')}) as g)"

    def sample(self, bind: Binder, table: Table, limit: int) -> str:
        times = "times"
        while times in {column.casefold() for column in self.columns}:
            times += "_"
        columns = ", ".join(f"t.{quote_identifier(column)}" for column in self.columns)
        return f"{self._groups(bind, table, f'{columns}, count(*) as {times}')} order by {times} desc limit {int(limit)}"

    def _groups(self, bind: Binder, table: Table, what: str) -> str:
        columns = ", ".join(f"t.{quote_identifier(column)}" for column in self.columns)
        return f"select {what} from {bind(table)} as t where not ({self.fault(bind)}) group by {columns} having count(*) > 1"
