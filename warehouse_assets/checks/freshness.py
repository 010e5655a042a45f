"""A check of how old a table is: by a column of it, or by when it was last made or observed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from warehouse_assets.checks.ready_made import CheckContext, faults_of, one_check
from warehouse_assets.checks.rules import Binder
from warehouse_assets.definitions.check_specs import AssetCheckResult
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.definitions.specs import CoercibleToDep
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.events import AssetCheckSeverity
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import Table, quote_identifier

__all__ = ["age_text", "freshness"]


def freshness(
    asset: CoercibleToDep,
    *,
    max_age: dt.timedelta,
    column: str | None = None,
    name: str = "freshness",
    blocking: bool = False,
    severity: AssetCheckSeverity = AssetCheckSeverity.ERROR,
) -> AssetChecksDefinition:
    """Checks that the latest row of a table is not older than `max_age`, by a `column` of dates or times.

    Times without a zone are those of UTC, and a date is over when its day is. A table without rows, or with nulls only, is not
    fresh. Without a column it is when the asset was last materialized or observed that counts; a blocking check of that stops
    what is downstream.
    """
    faults = faults_of("freshness", asset)
    if not isinstance(max_age, dt.timedelta) or max_age <= dt.timedelta(0):
        faults.add(f"max_age is {max_age!r}", hint="Write timedelta(hours=…).")
        faults.raise_any("the check")

    def evaluate(key: AssetKey, context: CheckContext) -> AssetCheckResult:
        latest = _latest_row(context, key, column) if column is not None else _latest_event(context, key)
        if latest is None:
            what = f"no row has a {column!r}" if column is not None else "it was never materialized or observed"
            return AssetCheckResult(passed=False, severity=severity, description=what)
        age = max(dt.datetime.now(dt.UTC) - latest, dt.timedelta(0))
        old = age > max_age
        return AssetCheckResult(
            passed=not old,
            severity=severity,
            description=f"the latest is of {latest:%Y-%m-%d %H:%M} UTC, more than {age_text(max_age)} ago" if old else None,
            metadata={"latest": MetadataValue.timestamp(latest), "age_seconds": round(age.total_seconds(), 3)},
        )

    what = f"The latest {column!r}" if column is not None else "The last materialization or observation"
    return one_check(
        asset,
        name,
        evaluate,
        description=f"{what} is at most {age_text(max_age)} old.",
        blocking=blocking,
        faults=faults,
        reads_record=column is None,
    )


def _latest_row(context: CheckContext, key: AssetKey, column: str) -> dt.datetime | None:
    bind = Binder([column])
    template = f"select max({quote_identifier(column)}) as latest from {bind(Table(key))}"
    [row] = context.query(SQL(template, **bind.values))
    return _moment(row["latest"], column)


def _moment(value: Any, column: str) -> dt.datetime | None:
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC) if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(), dt.UTC) + dt.timedelta(days=1)
    raise UnsupportedTypeError(
        f"the column {column!r} holds values of type {type(value).__name__}, not dates or times",
        hint="Give a column of a date or timestamp type.",
    )


def _latest_event(context: CheckContext, key: AssetKey) -> dt.datetime | None:
    events = (context.instance.get_latest_materialization_event(key), context.instance.get_latest_observation_event(key))
    moments = [event.timestamp for event in events if event is not None]
    return dt.datetime.fromtimestamp(max(moments), dt.UTC) if moments else None


def age_text(age: dt.timedelta) -> str:
    """A duration in its largest whole unit.

    >>> age_text(dt.timedelta(hours=36)), age_text(dt.timedelta(days=2))
    ('36 hours', '2 days')
    """
    seconds = age.total_seconds()
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"
