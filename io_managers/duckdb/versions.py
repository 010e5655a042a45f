"""Earlier versions of DuckDB tables: copies in a schema of their own, and a table that lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from io_managers.duckdb.catalog import full_name, is_listed, kinds_of
from io_managers.duckdb.notes import remember, remembered
from warehouse_assets.errors import TableNotFoundError
from warehouse_assets.tables import TableName, TableVersion, quote_identifier

__all__ = ["VERSIONS", "History", "forget", "is_tracked", "kept_table", "listed", "place_of_version", "restore"]

VERSIONS = "warehouse_assets_versions"  # the schema

_LIST = TableName("versions", VERSIONS)
_OF_TABLE = "table_schema = lower($schema) and table_name = lower($table)"


@dataclass(slots=True)
class History:
    """The versions of a table through one write: `begin` inside of the transaction before anything changes, `end` after that.

    `keep` is how many versions there are to be, the present one among them; 0 where the database keeps none of any table.
    """

    connection: duckdb.DuckDBPyConnection
    name: TableName
    keep: int
    now: datetime
    run_id: str | None
    version: int | None = None

    @classmethod
    def of(
        cls, connection: duckdb.DuckDBPyConnection, name: TableName, keep: int, now: datetime, run_id: str | None
    ) -> History:
        """That of a table, with the list of versions made where it is needed: outside of a transaction, by one thread at a time."""
        if keep > 1:
            connection.execute(f"create schema if not exists {quote_identifier(VERSIONS)}")
            connection.execute(
                f"create table if not exists {full_name(connection, _LIST)} (table_schema varchar, table_name varchar, "
                "version bigint, published timestamptz, run_id varchar, row_count bigint)"
            )
        elif not is_tracked(connection):
            keep = 0
        return cls(connection, name, keep, now, run_id)

    def begin(self) -> None:
        """Copy the present table, if there is one."""
        if self.keep < 2:
            return
        versions = listed(self.connection, self.name)
        present = int(versions[-1].version) if versions else 0
        if is_listed(self.connection, self.name):
            if not versions:  # it was written before versions were kept
                [(rows,)] = self.connection.execute(f"select count(*) from {full_name(self.connection, self.name)}").fetchall()
                present = 1
                self._record(present, None, rows)
            _copy(self.connection, self.name, kept_table(self.name, present))
        elif versions:  # somebody dropped the table, and nothing of its last version is left
            self._unlist(present)
        self.version = present + 1

    def end(self, rows: int) -> str | None:
        """List the version that the transaction makes, of so many rows, and remove those that are too old; its name."""
        if self.keep and self.version is None:
            forget(self.connection, self.name)
        if self.version is None:
            return None
        self._record(self.version, self.run_id, rows)
        forget(self.connection, self.name, self.keep)
        return str(self.version)

    def _unlist(self, version: int) -> None:
        self.connection.execute(
            f"delete from {full_name(self.connection, _LIST)} where {_OF_TABLE} and version = $version",
            {**_of(self.name), "version": version},
        )

    def _record(self, version: int, run_id: str | None, rows: int) -> None:
        self.connection.execute(
            f"insert into {full_name(self.connection, _LIST)} "
            "values (lower($schema), lower($table), $version, $now, $run_id, $rows)",
            {**_of(self.name), "version": version, "now": self.now, "run_id": run_id, "rows": rows},
        )


def is_tracked(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether any table of the database has versions; to be asked outside of a transaction."""
    try:
        connection.sql(f"from {full_name(connection, _LIST)}")
    except duckdb.CatalogException:
        return False
    return True


def kept_table(name: TableName, version: str | int) -> TableName:
    """Where a version of a table is kept.

    >>> print(kept_table(TableName("orders", "shop"), 3))
    warehouse_assets_versions.shop/orders@3
    """
    return TableName(f"{name.schema}/{name.table}@{version}", VERSIONS)


def listed(connection: duckdb.DuckDBPyConnection, name: TableName) -> list[TableVersion]:
    """The versions of a table, the oldest first, the present one last; none where none are kept."""
    rows = connection.execute(
        f"select version, epoch_us(published), run_id, row_count from {full_name(connection, _LIST)} "
        f"where {_OF_TABLE} order by version",
        _of(name),
    ).fetchall()
    return [
        TableVersion(str(version), datetime.fromtimestamp(published / 1e6, UTC), run_id, count)
        for version, published, run_id, count in rows
    ]


def forget(connection: duckdb.DuckDBPyConnection, name: TableName, keep: int = 0) -> None:
    """Remove the oldest versions of a table, up to `keep` of them, the present one among those."""
    versions = listed(connection, name)
    for version in versions[: max(0, len(versions) - keep)]:
        connection.execute(f"drop table if exists {full_name(connection, kept_table(name, version.version))}")
        connection.execute(
            f"delete from {full_name(connection, _LIST)} where {_OF_TABLE} and version = $version",
            {**_of(name), "version": int(version.version)},
        )


def restore(connection: duckdb.DuckDBPyConnection, name: TableName, version: str) -> int:
    """Make the table what it was as a version that is kept, inside of a transaction; its rows."""
    return _copy(connection, kept_table(name, version), name)


def place_of_version(connection: duckdb.DuckDBPyConnection, name: TableName, version: str) -> TableName:
    """Where a version of a table is to be read; TableNotFoundError, naming those that are kept, where it is not."""
    versions = [each.version for each in listed(connection, name)] if is_tracked(connection) else []
    if version not in versions:
        hint = f"It has {', '.join(versions)}." if versions else "None is kept: declare TableOptions(keep_versions=…)."
        raise TableNotFoundError(f"the table {name} has no version {version!r}", hint=hint)
    return name if version == versions[-1] else kept_table(name, version)


def _copy(connection: duckdb.DuckDBPyConnection, source: TableName, target: TableName) -> int:
    quoted, old = full_name(connection, target), full_name(connection, source)
    [(rows,)] = connection.execute(f"create or replace table {quoted} as from {old}").fetchall()
    remember(connection, quoted, remembered(connection, source, kinds_of(connection, old)))
    return int(rows)


def _of(name: TableName) -> dict[str, str | None]:
    return {"schema": name.schema, "table": name.table}
