"""The partitions of a run as values that SQL names: `$partition_key`, `$partition_start`, `$partition_end`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidSQLError, PartitionNotFoundError, close_matches
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.value import SQL

if TYPE_CHECKING:
    from warehouse_assets.io_manager import OutputContext
    from warehouse_assets.partitions.clock import TimeWindow

__all__ = ["check_partition_parameters", "partition_parameters", "with_partition"]

_NAMED = re.compile(r"(?<![\w$])\$(partition_\w+)")
_KEY, _TIMES = "partition_key", ("partition_start", "partition_end", "partition_start_utc", "partition_end_utc")


def partition_parameters(sql: SQL, dialect: str = "duckdb") -> tuple[str, ...]:
    """The parameters whose names begin with `partition_` that the query has, and that it was not given, each once.

    >>> partition_parameters(SQL("select '$partition_key' from t where day >= $partition_start  -- not $partition_end"))
    ('partition_start',)
    """
    found: dict[str, None] = {}
    for query in _queries(sql):
        found.update(dict.fromkeys(name for _, name in _places(query, dialect) if name not in query.bindings))
    return tuple(found)


def check_partition_parameters(sql: SQL, key: AssetKey, partitions_def: Any, dialect: str = "duckdb") -> None:
    """Raise InvalidSQLError for a parameter of partitions that an asset with these partitions has not."""
    whose = f"the SQL of asset {key.to_user_string()!r} uses"
    for name in partition_parameters(sql, dialect):
        if partitions_def is None:
            raise InvalidSQLError(f"{whose} ${name}, and the asset has no partitions", hint="Give it a partitions_def.")
        known = _known(partitions_def)
        if name not in known:
            raise InvalidSQLError(
                f"{whose} ${name}, which {partitions_def} does not have",
                hint=close_matches(name, known) or f"There are {', '.join(f'${each}' for each in known)}.",
            )


def with_partition(sql: SQL, context: OutputContext, dialect: str = "duckdb") -> SQL:
    """The query with what it names of the partitions that are written, as bound values; what it was given comes first.

    InvalidSQLError for a parameter that the asset has not, or that has no one value for these partitions.
    """
    if not any(_NAMED.search(query.template) for query in _queries(sql)):
        return sql
    check_partition_parameters(sql, context.asset_key, context.partitions_def, dialect)
    try:
        values = {name: _value(name, context) for name in partition_parameters(sql, dialect)}
    except PartitionNotFoundError as error:
        raise InvalidSQLError(f"the SQL of asset {context.asset_key.to_user_string()!r}: {error.message}") from None
    return _bound(sql, values, dialect)


def _queries(sql: SQL) -> list[SQL]:
    """The query, and those that are part of it."""
    return [sql, *(each for value in sql.bindings.values() if isinstance(value, SQL) for each in _queries(value))]


def _places(sql: SQL, dialect: str) -> list[tuple[int, str]]:
    """Where the text names a parameter, outside of quotes and comments."""
    from warehouse_assets.sql.analysis import token_spans

    if not (named := list(_NAMED.finditer(sql.template))):
        return []
    starts = {start for start, _ in token_spans(sql.template, sql.dialect or dialect)}
    return [(match.start(), match[1]) for match in named if {match.start(), match.start(1)} & starts]


def _bound(sql: SQL, values: Mapping[str, Any], dialect: str) -> SQL:
    """The query, and those that are part of it, with its parameters as places for bound values."""
    bindings = {
        name: _bound(value, values, dialect) if isinstance(value, SQL) else value for name, value in sql.bindings.items()
    }
    text = sql.template
    for start, name in reversed(_places(sql, dialect)):
        text = f"{text[:start]}{{{name}}}{text[start + len(name) + 1 :]}"
        bindings.setdefault(name, values.get(name))
    return sql.rewritten(text, bindings)


def _known(partitions_def: Any) -> list[str]:
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition
    from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition

    names, windows = [_KEY], partitions_def
    if isinstance(partitions_def, MultiPartitionsDefinition):
        names += [f"{_KEY}_{name}" for name in partitions_def.partition_dimension_names]
        windows = partitions_def.time_window_dimension
        windows = windows.partitions_def if windows is not None else None
    return [*names, *_TIMES] if isinstance(windows, TimeWindowPartitionsDefinition) else names


def _value(name: str, context: OutputContext) -> Any:
    """The value of a parameter; none of no partition, of which only the columns are asked for."""
    if not context.partition_keys:
        return None
    if name == _KEY:
        return context.partition_key
    if name in _TIMES:
        window, is_days = context.asset_partitions_time_window, _are_days(context)
        return _MOMENTS[name](window) if name.endswith("_utc") else _shown(_MOMENTS[name](window), is_days=is_days)
    dimension = name.removeprefix(f"{_KEY}_")
    keys = dict.fromkeys(_along(context, dimension))
    if len(keys) != 1:
        raise PartitionNotFoundError(f"${name} has {len(keys)} values here, not one")
    return next(iter(keys))


_MOMENTS: dict[str, Callable[[TimeWindow], datetime]] = {
    "partition_start": lambda window: window.start,
    "partition_end": lambda window: window.end,
    "partition_start_utc": lambda window: window.start.astimezone(UTC),
    "partition_end_utc": lambda window: window.end.astimezone(UTC),
}


def _along(context: OutputContext, dimension: str) -> Sequence[str]:
    definition = context.partitions_def
    return [definition.get_partition_key_from_str(key).keys_by_dimension[dimension] for key in context.partition_keys]


def _are_days(context: OutputContext) -> bool:
    """Whether each of the partitions begins and ends at midnight, so that dates tell them."""
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition

    windows, keys = context.partitions_def, context.partition_keys
    if isinstance(windows, MultiPartitionsDefinition):
        dimension = windows.time_window_dimension
        assert dimension is not None
        windows, keys = dimension.partitions_def, _along(context, dimension.name)
    moments = (windows.clock.at(moment) for key in dict.fromkeys(keys) for span in windows.spans([key]) for moment in span)
    return all(moment.time() == moment.min.time() for moment in moments)


def _shown(moment: datetime, *, is_days: bool) -> date:
    """What the calendar or the clock of the partitions' time zone shows, which is how columns without time zone are compared."""
    return moment.date() if is_days else moment.replace(tzinfo=None, fold=0)
