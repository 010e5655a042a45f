"""Writing a table of a SQL database, or some of its partitions: rows are staged beside it, and put in its place at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl

from io_managers.merging import SAME, Merge, check_key, not_a_snapshot, wrong_key
from io_managers.merging import Dialect as MergeDialect
from io_managers.polars_types import decode, encode
from io_managers.slices import missing_partition_column, outside_partition, partition_columns
from io_managers.sqlalchemy.columns import Fitting, fitting
from io_managers.sqlalchemy.conditions import Condition, condition, own_name
from io_managers.sqlalchemy.dialect import Dialect, Session
from io_managers.sqlalchemy.types import Kind, default_dtype, kind_of
from io_managers.table import SchemaPolicy
from warehouse_assets.errors import SchemaChangedError, close_matches
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.table_options import WriteMode
from warehouse_assets.tables import PartitionFilter, TableName

__all__ = ["Columns", "Writing", "noted"]

_MOMENT = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table: the types that the database has for them, their kinds, and their polars types."""

    types: dict[str, str]
    kinds: dict[str, Kind]
    dtypes: dict[str, pl.DataType]

    @classmethod
    def of(cls, dialect: Dialect, session: Session, table: TableName, *, by_values: bool = True) -> Columns | None:
        """Those of a stored table; None where there is none. A kind that only values tell is not asked of them unless `by_values`."""
        if (types := dialect.describe(session, table)) is None:
            return None
        if by_values:
            kinds = dialect.stored_kinds(session, dialect.full(table), types)
        else:
            kinds = {name: dialect.kind(text) for name, text in types.items()}
        dtypes = {name: default_dtype(kind) for name, kind in kinds.items()}
        for name, note in dialect.notes(session, table).items():
            try:
                if types.get(name) == note[1]:
                    dtypes[name] = decode(note[0])
                    if dialect.noted_type(own := kind_of(dtypes[name])) == types[name]:
                        kinds[name] = own
            except (ValueError, TypeError, LookupError):  # of somebody else
                continue
        return cls(types, kinds, dtypes)


def noted(dialect: Dialect, dtypes: Mapping[str, pl.DataType]) -> dict[str, Any]:
    """What has to be noted of columns so that they come back as these types."""
    notes = {}
    for name, dtype in dtypes.items():
        sql_type = dialect.noted_type(kind_of(dtype))
        if default_dtype(dialect.kind(sql_type)) != dtype:
            notes[name] = [encode(dtype), sql_type]
    return notes


@dataclass
class Writing:
    """One write on its way. `target` is the table that holds what will be published, on the session of the write.

    `now` is the time that a snapshot records.
    """

    dialect: Dialect
    session: Session
    context: OutputContext
    table: TableName
    staged: TableName
    target: TableName
    now: datetime
    leftovers: list[TableName] = field(default_factory=list)

    def merge(
        self, partitions: tuple[PartitionFilter, ...] | None, dtypes: Mapping[str, pl.DataType] | None, policy: SchemaPolicy
    ) -> int:
        """Bring the staged rows into the table, or the partitions; how many they are. `dtypes` are None for rows that SQL gave.

        A row of another partition is an OutsidePartitionError.
        """
        dialect, session, key = self.dialect, self.session, self.context.asset_key
        new = Columns.of(dialect, session, self.staged)
        assert new is not None
        if partitions is not None:
            self._judge(partitions, new)
        mode = self.context.table_options.mode
        check_key(mode, list(new.types), key)
        [(rows,)] = session.execute(f"select count(*) from {dialect.full(self.staged)}")
        self._check_keys(mode, list(new.types))
        if (old := Columns.of(dialect, session, self.table)) is None:
            if mode.kind == "snapshot":
                self._begin_snapshot(mode)
            return int(rows)
        times = self._times(mode, old)
        fit = fitting(
            {name: dtype for name, dtype in old.dtypes.items() if name not in times},
            dtypes or new.dtypes,
            policy,
            key,
            alike=dialect.alike if dtypes is None else None,
            folds_case=dialect.folds_case,
        )
        holds = None if partitions is None else condition(dialect, partitions, old.kinds, key)
        if fit.retyped or ((fit.added or fit.dropped) and not dialect.transactional_ddl):
            self._rebuild(fit, old, mode, holds, times)
            return self._count(holds)
        full = dialect.full(self.table)
        for name in fit.added:
            session.run(f"alter table {full} add column {dialect.quote(name)} {dialect.sql_type(kind_of(fit.dtypes[name]))}")
        self._merge_into(self.table, fit, mode, holds)
        for name in fit.dropped:
            session.run(f"alter table {full} drop column {dialect.quote(name)}")
        dialect.note(session, self.table, noted(dialect, fit.dtypes | times))
        dialect.discard(session, self.staged)
        self.target = self.table
        return self._count(holds)

    def _count(self, holds: Condition | None) -> int:
        """The rows of the partitions, or of the table, as they will be."""
        dialect, session = self.dialect, self.session
        where = "" if holds is None else f" where {holds.sql}"
        [(rows,)] = session.execute(
            f"select count(*) from {dialect.full(self.target)}{where}", {} if holds is None else holds.parameters
        )
        return int(rows)

    def publish(self) -> None:
        """Let others see it."""
        if self.target != self.table:
            self.dialect.swap(self.session, self.target, self.table)
        self.dialect.describe_columns(self.session, self.table, self.context.table_options.descriptions or {})
        self.session.commit()
        self.dialect.clean(self.session, [self.staged, *self.leftovers])

    def undo(self) -> None:
        """Leave all as it was; a connection that is gone has undone it by itself."""
        with suppress(Exception):
            self.session.rollback()
        with suppress(Exception):
            self.dialect.clean(self.session, [self.staged, *self.leftovers])

    def _judge(self, partitions: tuple[PartitionFilter, ...], new: Columns) -> None:
        dialect, context = self.dialect, self.context
        columns = dict.fromkeys(partition_columns(context.asset_key, context.definition_metadata, context.partitions_def))
        own = []
        for column in columns:
            if (name := own_name(new.types, column, folds_case=dialect.folds_case)) is None:
                raise missing_partition_column(context.asset_key, column, list(new.types))
            own.append(name)
        holds = condition(dialect, partitions, new.kinds, context.asset_key)
        texts = ", ".join(dialect.as_text(dialect.quote(name)) for name in own)
        found = self.session.execute(
            f"select {texts} from {dialect.full(self.staged)} where case when {holds.sql} then 1 else 0 end = 0 limit 1",
            holds.parameters,
        )
        if found:
            row = dict(zip(own, (value if value is None else str(value) for value in found[0]), strict=True))
            raise outside_partition(context.asset_key, row, context.partition_keys)

    def sorted_query(self, query: str, columns: Iterable[str]) -> str:
        """The rows of a query that has these columns, in the order in which they are to be written."""
        order = self._order(columns)
        return f"select * from (\n{query}\n) as query{order}" if order else query

    def stage(self, dtypes: Mapping[str, pl.DataType], frames: Iterable[pl.DataFrame]) -> None:
        """Write frames where they are staged, in their order."""
        dialect, session = self.dialect, self.session
        kinds, notes = {name: kind_of(dtype) for name, dtype in dtypes.items()}, noted(dialect, dtypes)
        into, order = self.staged, self._order(dtypes)
        if order:
            into = self._aside("unsorted")
            dialect.create(session, into, kinds, {})
        else:
            dialect.create(session, into, kinds, notes)
        session.insert(into, kinds, frames)
        if order:
            dialect.create(session, self.staged, kinds, notes)
            names = ", ".join(map(dialect.quote, kinds))
            session.run(f"insert into {dialect.full(self.staged)} ({names}) select {names} from {dialect.full(into)}{order}")
            dialect.discard(session, into)

    def _order(self, columns: Iterable[str], *, within: str = "") -> str:
        """How rows with these columns are sorted; SchemaChangedError for one that they have not."""
        known, names = list(columns), []
        for column in self.context.table_options.sort_by:
            if (own := own_name(known, column, folds_case=self.dialect.folds_case)) is None:
                raise SchemaChangedError(
                    f"asset {self.context.asset_key.to_user_string()!r} is sorted by {column!r}, and its rows have no such column",
                    hint=close_matches(column, known) or f"They have {', '.join(map(repr, known))}.",
                )
            names.append(f"{within}{self.dialect.quote(own)}")
        return f" order by {', '.join(names)}" if names else ""

    def _aside(self, purpose: str) -> TableName:
        """A table that is gone once the write is over."""
        table = replace(self.staged, table=f"{self.staged.table}_{purpose}")
        self.leftovers.append(table)
        return table

    def _merge_into(self, into: TableName, fit: Fitting, mode: WriteMode, holds: Condition | None) -> None:
        """Have the table take the staged rows in, as the mode says."""
        dialect, session = self.dialect, self.session
        types = dialect.describe(session, into) or {}
        if mode.kind == "snapshot" or (mode.kind == "delete_insert" and mode.key):
            rows = self._alike(into, fit, types)
        else:
            rows = self.staged
        if mode.key:
            dialect.index(session, rows, mode.key)
        if mode.kind == "snapshot":
            self._merge_snapshot(self._merge(mode, into, list(fit.dtypes), rows), fit)
        else:
            self._delete(mode, into, rows, holds)
            self._insert(into, fit, types)
        if rows != self.staged:
            dialect.discard(session, rows)

    def _merge_snapshot(self, merge: Merge, fit: Fitting) -> None:
        """End the rows that are changed or missing, and add those that are new or changed."""
        dialect, session, unchanged = self.dialect, self.session, None
        if not dialect.joins_by_hash:
            unchanged = self._aside("unchanged")
            dialect.create_as(session, unchanged, merge.unchanged_keys(), {})
            dialect.index(session, unchanged, merge.mode.key)
        closed, opened = merge.statements(self.now, unchanged=None if unchanged is None else dialect.full(unchanged))
        session.run(closed.text)
        session.run(f"{opened.text}{self._order(fit.dtypes, within=f'{merge.rows}.')}")
        if unchanged is not None:
            dialect.discard(session, unchanged)

    def _alike(self, into: TableName, fit: Fitting, types: Mapping[str, str]) -> TableName:
        """The staged rows with columns that have the names and types of a table, so that values can be compared with its own."""
        dialect, session = self.dialect, self.session
        if dialect.describe(session, self.staged) == {name: types[name] for name in fit.dtypes}:
            return self.staged
        alike = self._aside("alike")
        names = ", ".join(map(dialect.quote, fit.dtypes))
        dialect.create_as(session, alike, f"select {names} from {dialect.full(into)} where 1 = 0", {})
        self._insert(alike, fit, types)
        return alike

    def _insert(self, into: TableName, fit: Fitting, types: Mapping[str, str]) -> None:
        """Add the staged rows."""
        dialect = self.dialect
        names = ", ".join(map(dialect.quote, fit.filled))
        values = ", ".join(dialect.cast(dialect.quote(name), types[own]) for own, name in fit.filled.items())
        order = self._order(fit.filled.values())
        self.session.run(f"insert into {dialect.full(into)} ({names}) select {values} from {dialect.full(self.staged)}{order}")

    def _begin_snapshot(self, mode: WriteMode) -> None:
        """Let the staged rows, the first ones of the table, be valid from now on."""
        dialect, session, full = self.dialect, self.session, self.dialect.full(self.staged)
        start, moment = dialect.quote(mode.valid_from), dialect.moment(self.now)
        first, last = (
            dialect.column(name, _MOMENT, noted(dialect, {name: _MOMENT})) for name in (mode.valid_from, mode.valid_to)
        )
        if dialect.alters_types:
            session.run(f"alter table {full} add column {first} default {moment}")  # which all rows have without being written
            session.run(f"alter table {full} alter column {start} set default null")
        else:
            session.run(f"alter table {full} add column {first}")
            session.run(f"update {full} set {start} = {moment}")
        session.run(f"alter table {full} add column {last}")

    def _times(self, mode: WriteMode, old: Columns) -> dict[str, pl.DataType]:
        """The columns in which a snapshot keeps times, which its table has to have."""
        times = {}
        for column in (mode.valid_from, mode.valid_to) if mode.kind == "snapshot" else ():
            if (own := own_name(old.types, column, folds_case=self.dialect.folds_case)) is None:
                raise not_a_snapshot(mode, column, self.context.asset_key)
            times[own] = old.dtypes[own]
        return times

    def _check_keys(self, mode: WriteMode, columns: list[str]) -> None:
        """Raise RowKeyError for a key that is NULL or there twice among the staged rows."""
        if (query := self._merge(mode, self.table, columns, self.staged).wrong_keys()) and (
            found := self.session.execute(f"{query} limit 1")
        ):
            raise wrong_key(mode, found[0], self.context.asset_key)

    def _merge(self, mode: WriteMode, table: TableName, columns: list[str], rows: TableName) -> Merge:
        dialect = self.dialect
        names = MergeDialect(dialect.quote, SAME.get(dialect.name, SAME[""]), lambda _: dialect.moment(self.now))
        return Merge(mode, dialect.full(table), dialect.full(rows), columns, names)

    def _delete(self, mode: WriteMode, table: TableName, rows: TableName, holds: Condition | None) -> None:
        """Remove the rows that make way for the staged ones."""
        within = "" if holds is None else f"({holds.sql})"
        parameters = {} if holds is None else holds.parameters
        full = self.dialect.full(table)
        if mode.kind == "upsert" or (mode.kind == "delete_insert" and mode.key):
            statement = self._merge(mode, table, [], rows).statements()[0].text
            self.session.run(f"{statement}{within and f' and {within}'}", parameters)
        elif mode.kind != "append":
            self.session.run(f"delete from {full} where {within}", parameters)

    def _rebuild(
        self, fit: Fitting, old: Columns, mode: WriteMode, holds: Condition | None, times: dict[str, pl.DataType]
    ) -> None:
        """Make the whole table anew, of the old rows that are kept and the staged ones."""
        dialect, session = self.dialect, self.session
        dtypes = fit.dtypes | times
        rebuilt = self._aside("2")
        dialect.create(session, rebuilt, {name: kind_of(dtype) for name, dtype in dtypes.items()}, noted(dialect, dtypes))
        types = dialect.describe(session, rebuilt) or {}
        stay = [name for name in old.types if name in dtypes]
        names = ", ".join(map(dialect.quote, stay))
        values = ", ".join(dialect.cast(dialect.quote(name), types[name]) for name in stay)
        session.run(f"insert into {dialect.full(rebuilt)} ({names}) select {values} from {dialect.full(self.table)}")
        self._merge_into(rebuilt, fit, mode, holds)
        dialect.discard(session, self.staged)
        self.target = rebuilt
