"""The write modes in SQL: what becomes of the rows of a table when new ones come, as statements for any engine.

The new rows are in a relation of their own, a staged table most of the time, whose columns have the types that the table gives
them. All statements of a write belong into one transaction. Table and relation are given as they are quoted, and so that columns
can be written behind them, `"shop"."orders"`; they are no aliases, which not all engines allow where rows are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from warehouse_assets.errors import RowKeyError, SchemaChangedError, close_matches
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import WriteMode
from warehouse_assets.tables import quote_identifier

__all__ = ["DUCKDB", "SAME", "Dialect", "Merge", "Statement", "check_key", "not_a_snapshot", "wrong_key"]

_SAME_IN_MYSQL = (
    "{0} <=> {1} and cast({0} as binary) <=> cast({1} as binary)".format
)  # since 'a' equals 'a ', which an index finds

SAME: Mapping[str, Callable[[str, str], str]] = {
    "duckdb": "{} is not distinct from {}".format,
    "postgresql": "array[{}] = array[{}]".format,  # which it joins by a hash, other than `is not distinct from`
    "sqlite": "{} is {}".format,
    "mysql": _SAME_IN_MYSQL,
    "mariadb": _SAME_IN_MYSQL,
    "": "({0} = {1} or ({0} is null and {1} is null))".format,
}
"""Equality for which NULL equals NULL, by the name of the dialect; what all others understand is under no name."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an engine writes names, equality that takes NULL for a value, and parameters that are bound by name."""

    quote: Callable[[str], str] = quote_identifier
    same: Callable[[str, str], str] = SAME["duckdb"]
    parameter: Callable[[str], str] = "${}".format


DUCKDB = Dialect()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement or a query, and its parameters by name."""

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Merge:
    """New rows on their way into a table: `columns` are theirs, without the times of a snapshot, which the table has beside them.

    `within` is a condition on the rows of the table, those of the partitions that are written; rows elsewhere stay as they are.

    >>> from warehouse_assets.table_options import upsert
    >>> merge = Merge(upsert("id"), '"orders"', '"new"', ["id", "n"])
    >>> for statement in merge.statements():
    ...     print(statement.text)
    delete from "orders" where exists (select 1 from "new" where "new"."id" = "orders"."id")
    insert into "orders" ("id", "n") select "new"."id", "new"."n" from "new"
    """

    mode: WriteMode
    table: str
    rows: str
    columns: Sequence[str]
    dialect: Dialect = DUCKDB
    within: Statement | None = None

    def wrong_keys(self) -> str | None:
        """A query for the keys that are NULL or there twice, among the new rows of a mode that tells rows apart; it should give none.

        >>> from warehouse_assets.table_options import snapshot
        >>> print(Merge(snapshot("id"), '"orders"', '"new"', ["id"]).wrong_keys())
        select "new"."id" from "new" group by "new"."id" having count(*) > 1 or "new"."id" is null
        """
        if self.mode.kind not in ("upsert", "snapshot"):
            return None
        keys = [self._new(name) for name in self.mode.key]
        listed, is_null = ", ".join(keys), " or ".join(f"{key} is null" for key in keys)
        return f"select {listed} from {self.rows} group by {listed} having count(*) > 1 or {is_null}"

    def unchanged_keys(self) -> str:
        """A query for the keys of the rows of a snapshot that stay as they are; it has to come before the statements."""
        keys = ", ".join(map(self._old, self.mode.key))
        return f"select {keys} from {self.table} where {self._old(self.mode.valid_to)} is null and {self._has_new(self._unchanged())}"

    def statements(self, now: datetime | None = None, *, unchanged: str | None = None) -> list[Statement]:
        """What makes the table hold the new rows, one after another; `now` is the time of a snapshot.

        `unchanged` is a relation with the unchanged keys of a snapshot, for engines that are faster with it.

        >>> from warehouse_assets.table_options import delete_insert
        >>> print(Merge(delete_insert("day"), "t", "new", ["day"]).statements()[0].text)
        delete from t where exists (select 1 from new where new."day" is not distinct from t."day")
        """
        match self.mode.kind:
            case "append":
                return [self._insert()]
            case "upsert":
                return [self._delete(self._has_new(self._keys_equal())), self._insert()]
            case "delete_insert" if self.mode.key:
                return [self._delete(self._has_new(self._all_same(self.mode.key))), self._insert()]
            case "snapshot" if now is not None:
                return [self._closed(now, unchanged), self._opened(now, unchanged)]
        raise ValueError(f"{self.mode} has no statements")

    def first(self, now: datetime) -> Statement:
        """A query for the rows of a snapshot that is made by them; `now` is the time of the write.

        >>> from warehouse_assets.table_options import snapshot
        >>> merge = Merge(snapshot("id"), "t", "new", ["id"])
        >>> print(merge.first(datetime(2024, 1, 1)).text)
        select new."id", cast($now as timestamptz) as "valid_from", cast(null as timestamptz) as "valid_to" from new
        """
        start, end = map(self.dialect.quote, (self.mode.valid_from, self.mode.valid_to))
        times = f"cast({self._now} as timestamptz) as {start}, cast(null as timestamptz) as {end}"
        return Statement(f"select {self._listed_new}, {times} from {self.rows}", {"now": now})

    def merged(self, now: datetime | None = None) -> Statement:
        """A query for what the table is to hold, for stores that write it whole. It reads either relation once or twice.

        >>> from warehouse_assets.table_options import delete_insert
        >>> print(Merge(delete_insert("day"), "old", "new", ["day", "n"]).merged().text)  # doctest: +NORMALIZE_WHITESPACE
        select old."day", old."n" from old
        where not exists (select 1 from new where new."day" is not distinct from old."day")
        union all select new."day", new."n" from new
        """
        listed, new = ", ".join(map(self._old, self.columns)), f"union all select {self._listed_new} from {self.rows}"
        match self.mode.kind:
            case "append":
                return Statement(f"select {listed} from {self.table} {new}")
            case "upsert":
                return Statement(f"select {listed} from {self.table} where not {self._has_new(self._keys_equal())} {new}")
            case "delete_insert" if self.mode.key:
                replaced = self._has_new(self._all_same(self.mode.key))
                return Statement(f"select {listed} from {self.table} where not {replaced} {new}")
            case "snapshot" if now is not None:
                return self._merged_snapshot(now)
        raise ValueError(f"{self.mode} has no query")

    def _merged_snapshot(self, now: datetime) -> Statement:
        start, end = self._old(self.mode.valid_from), self._old(self.mode.valid_to)
        same = f"{end} is null and {self._unchanged()}"
        old = ", ".join(map(self._old, self.columns))
        ending = f"case when {end} is null and {self._new(self.mode.key[0])} is null then {self._now} else {end} end"
        kept = f"select {old}, {start}, {ending} as {self.dialect.quote(self.mode.valid_to)} from {self.table}"
        opened = f"select {self._listed_new}, {self._now}, null from {self.rows}"
        return Statement(
            f"{kept} left join {self.rows} on {same} union all {opened} "
            f"where not exists (select 1 from {self.table} where {same})",
            {"now": now},
        )

    def _insert(self) -> Statement:
        into = ", ".join(map(self.dialect.quote, self.columns))
        return Statement(f"insert into {self.table} ({into}) select {self._listed_new} from {self.rows}")

    def _delete(self, condition: str) -> Statement:
        if self.within is None:
            return Statement(f"delete from {self.table} where {condition}")
        return Statement(f"delete from {self.table} where ({self.within.text}) and {condition}", self.within.parameters)

    def _closed(self, now: datetime, unchanged: str | None) -> Statement:
        """Rows that are changed or missing end."""
        end = self.dialect.quote(self.mode.valid_to)
        stays = self._is_among(unchanged, self.table) if unchanged else self._has_new(self._unchanged())
        return Statement(
            f"update {self.table} set {end} = {self._now} where {self._old(self.mode.valid_to)} is null and not {stays}",
            {"now": now},
        )

    def _opened(self, now: datetime, unchanged: str | None) -> Statement:
        """After that, rows without a present state are new or changed."""
        into = ", ".join(map(self.dialect.quote, (*self.columns, self.mode.valid_from)))
        present = f"select 1 from {self.table} where {self._old(self.mode.valid_to)} is null and {self._keys_equal()}"
        is_there = self._is_among(unchanged, self.rows) if unchanged else f"exists ({present})"
        return Statement(
            f"insert into {self.table} ({into}) select {self._listed_new}, {self._now} from {self.rows} where not {is_there}",
            {"now": now},
        )

    def _is_among(self, keys: str, rows: str) -> str:
        equal = (f"{keys}.{name} = {rows}.{name}" for name in map(self.dialect.quote, self.mode.key))
        return f"exists (select 1 from {keys} where {' and '.join(equal)})"

    @property
    def _now(self) -> str:
        return self.dialect.parameter("now")

    @property
    def _listed_new(self) -> str:
        return ", ".join(map(self._new, self.columns))

    def _has_new(self, condition: str) -> str:
        return f"exists (select 1 from {self.rows} where {condition})"

    def _keys_equal(self) -> str:
        return " and ".join(f"{self._new(name)} = {self._old(name)}" for name in self.mode.key)

    def _all_same(self, columns: Iterable[str]) -> str:
        return " and ".join(self.dialect.same(self._new(name), self._old(name)) for name in columns)

    def _unchanged(self) -> str:
        others = [name for name in self.columns if name not in self.mode.key]
        return " and ".join(text for text in (self._keys_equal(), self._all_same(others)) if text)

    def _new(self, column: str) -> str:
        return f"{self.rows}.{self.dialect.quote(column)}"

    def _old(self, column: str) -> str:
        return f"{self.table}.{self.dialect.quote(column)}"


def check_key(mode: WriteMode, columns: Sequence[str], key: AssetKey) -> None:
    """Raise SchemaChangedError where new rows of asset `key` lack a column that tells them apart, or have the times of a snapshot."""
    whose = f"asset {key.to_user_string()!r} is written by {mode}, and its rows have"
    for column in mode.key:
        if column not in columns:
            hint = close_matches(column, columns) or f"They have {', '.join(map(repr, columns))}."
            raise SchemaChangedError(f"{whose} no column {column!r}", hint=hint)
    for column in (mode.valid_from, mode.valid_to) if mode.kind == "snapshot" else ():
        if column in columns:
            hint = f"Write snapshot({', '.join(mode.key)!r}, valid_from=…, valid_to=…) with other names."
            raise SchemaChangedError(f"{whose} a column {column!r}, which the write fills in", hint=hint)


def not_a_snapshot(mode: WriteMode, column: str, key: AssetKey) -> SchemaChangedError:
    """The error for a stored table of asset `key` that lacks a column in which a snapshot keeps times."""
    return SchemaChangedError(
        f"asset {key.to_user_string()!r} is written by {mode}, and its table has no column {column!r}",
        hint="It was written in another mode before. Drop the table, or write the snapshot under another key.",
    )


def wrong_key(mode: WriteMode, values: Sequence[Any], key: AssetKey) -> RowKeyError:
    """The error for new rows of asset `key` that have a key which `Merge.wrong_keys` found.

    >>> from warehouse_assets.table_options import upsert
    >>> print(wrong_key(upsert(["shop", "id"]), ["eu", None], AssetKey("orders")).message)
    asset 'orders' is written by upsert(shop, id), and has a row whose 'id' is NULL ('shop' is 'eu')
    """
    held = dict(zip(mode.key, values, strict=True))
    nulls = [repr(name) for name, value in held.items() if value is None]
    others = " and ".join(f"{name!r} is {value!r}" for name, value in held.items() if value is not None)
    what = f"a row whose {' and '.join(nulls)} is NULL{others and f' ({others})'}" if nulls else f"two rows whose {others}"
    return RowKeyError(
        f"asset {key.to_user_string()!r} is written by {mode}, and has {what}",
        hint="Nothing was written. Drop such rows, or name the columns that tell rows apart.",
    )
