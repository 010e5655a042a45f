"""Checks of columns: not null, unique, accepted values, relationships. Those of one asset are one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from warehouse_assets.checks.ready_made import CheckContext, faults_of, ready_made
from warehouse_assets.checks.rules import AcceptedValues, Binder, ColumnRule, NotNull, Relationship, Unique
from warehouse_assets.definitions.check_specs import AssetCheckResult, AssetCheckSpec, keys_meant
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.definitions.naming import Faults
from warehouse_assets.definitions.specs import CoercibleToDep
from warehouse_assets.events import AssetCheckSeverity
from warehouse_assets.metadata import MetadataValue
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import Table

__all__ = ["accepted_values", "column_checks", "not_null", "relationship", "unique"]

ERROR = AssetCheckSeverity.ERROR


def column_checks(
    asset: CoercibleToDep,
    *,
    not_null: Sequence[str] = (),
    unique: Sequence[str | Sequence[str]] = (),
    accepted_values: Mapping[str, Iterable[Any]] | None = None,
    relationships: Mapping[str, tuple[CoercibleToDep, str]] | None = None,
    blocking: bool = False,
    severity: AssetCheckSeverity = ERROR,
    sample: int = 10,
) -> AssetChecksDefinition:
    """Checks of the columns of an asset, a check for each, all of them by one statement.

    `not_null` are columns; `unique` are columns, or groups of columns that are unique together; `accepted_values` are the values
    of each column; `relationships` give for a column the asset, and the column of it, that has each of its values. A null is no
    value: it is at fault where it is not allowed, and nowhere else. A table without rows passes. Each result has the number and
    the share of the rows at fault, and a `sample` of so many of them.

    >>> checks = column_checks("orders", not_null=["id", "day"], unique=["id", ("region", "day")])
    >>> [spec.name for spec in checks.specs]
    ['not_null_id', 'not_null_day', 'unique_id', 'unique_region_day']
    """
    faults = faults_of("column checks", asset)
    rules: list[ColumnRule] = [NotNull((column,)) for column in _columns(not_null, faults)]
    for group in _listed(unique, faults):
        if not group:
            faults.add("a group of columns that are unique together is empty")
        rules.append(Unique(tuple(_columns([group] if isinstance(group, str) else group, faults))))
    for column, values in (accepted_values or {}).items():
        accepted = _listed(values, faults)
        if not isinstance(values, (str, bytes)) and (not accepted or None in accepted):
            faults.add(f"the accepted values of {column!r} are {accepted!r}", hint="Give at least one, and none that is None.")
        rules.append(AcceptedValues((column,), tuple(accepted)))
    for column, (other, its_column) in (relationships or {}).items():
        keys = keys_meant(other, faults)
        if len(keys) > 1:
            faults.add(f"the relationship of {column!r} is with {other!r}, which is not one asset")
        elif keys:
            rules.append(Relationship((column,), to=keys[0], to_column=its_column))
    if not (rules or faults.errors):
        faults.add("nothing is to be checked", hint="Give columns.")
    return _definition(asset, rules, faults, blocking=blocking, severity=severity, sample=sample)


def not_null(asset: CoercibleToDep, columns: Sequence[str], **options: Any) -> AssetChecksDefinition:
    """Checks that no row has a null in any of these columns, a check for each. Takes the last options of `column_checks`."""
    return column_checks(asset, not_null=[columns] if isinstance(columns, str) else columns, **options)


def unique(asset: CoercibleToDep, columns: str | Sequence[str], **options: Any) -> AssetChecksDefinition:
    """Checks that no two rows have the same values in these columns together. Takes the last options of `column_checks`."""
    return column_checks(asset, unique=[columns], **options)


def accepted_values(asset: CoercibleToDep, column: str, values: Iterable[Any], **options: Any) -> AssetChecksDefinition:
    """Checks that a column has only these values, and nulls. Takes the last options of `column_checks`."""
    return column_checks(asset, accepted_values={column: values}, **options)


def relationship(
    asset: CoercibleToDep, column: str, *, to: CoercibleToDep, to_column: str, **options: Any
) -> AssetChecksDefinition:
    """Checks that each value of a column is in the column `to_column` of the asset `to`, in whichever store that is.

    Takes the last options of `column_checks`.
    """
    return column_checks(asset, relationships={column: (to, to_column)}, **options)


def _listed(values: Any, faults: Faults) -> list[Any]:
    if isinstance(values, (str, bytes)):
        faults.add(f"{values!r} is given where a list is expected", hint=f"Write [{values!r}].")
        return []
    return list(values)


def _columns(columns: Any, faults: Faults) -> list[str]:
    names = _listed(columns, faults)
    for name in names:
        if not isinstance(name, str) or not name:
            faults.add(f"{name!r} is no name of a column")
    return [name for name in names if isinstance(name, str)]


def _definition(
    asset: Any, rules: Sequence[ColumnRule], faults: Faults, *, blocking: bool, severity: AssetCheckSeverity, sample: int
) -> AssetChecksDefinition:
    own = keys_meant(asset, faults)
    by_name: dict[str, ColumnRule] = {}
    specs: list[AssetCheckSpec] = []
    for rule in rules if own else ():
        name, number = rule.name, 2
        while name in by_name:
            name, number = f"{rule.name}_{number}", number + 1
        spec = faults.attempt(
            AssetCheckSpec,
            name,
            asset=asset,
            description=f"No rows {rule.description}.",
            additional_deps=[key for key in rule.needs if key not in own],
            blocking=blocking,
        )
        if spec is None:
            break
        specs.append(spec)
        by_name[name] = rule
    faults.settle("the column checks")
    name = specs[0].key.to_escaped_string() if len(specs) == 1 else f"{own[0].to_escaped_string() if own else '?'}:columns"

    def evaluate(context: CheckContext) -> Iterator[AssetCheckResult]:
        chosen = [by_name[spec.name] for spec in context.check_specs]
        table = Table(context.check_specs[0].asset_key)
        total, counts = _counts(context, table, chosen)
        for spec, rule, failed in zip(context.check_specs, chosen, counts, strict=True):
            rows = _sample(context, table, rule, sample) if failed and sample else []
            yield _result(spec, rule, total, failed, rows, severity)

    return ready_made(specs, evaluate, name=name)


def _binder(rules: Iterable[ColumnRule]) -> Binder:
    return Binder([text for rule in rules for text in (*rule.columns, getattr(rule, "to_column", ""))])


def _counts(context: CheckContext, table: Table, rules: Sequence[ColumnRule]) -> tuple[int, list[int]]:
    """How many rows there are, and how many of them are at fault by each rule."""
    bind = _binder(rules)
    counted = "".join(f", {rule.count(bind, table)} as failed_{index}" for index, rule in enumerate(rules))
    template = f"select count(*) as total{counted} from {bind(table)} as t"
    [row] = context.query(SQL(template, **bind.values))
    return row["total"], [int(row[f"failed_{index}"]) for index in range(len(rules))]


def _sample(context: CheckContext, table: Table, rule: ColumnRule, limit: int) -> list[dict[str, Any]]:
    bind = _binder([rule])
    template = rule.sample(bind, table, limit)
    return context.query(SQL(template, **bind.values))


def _result(
    spec: AssetCheckSpec,
    rule: ColumnRule,
    total: int,
    failed: int,
    rows: Sequence[Mapping[str, Any]],
    severity: AssetCheckSeverity,
) -> AssetCheckResult:
    metadata: dict[str, Any] = {"row_count": total, "failed_row_count": failed}
    if failed:
        metadata["failed_share"] = failed / total
    if rows:
        shown = [{name: _shown(value) for name, value in row.items()} for row in rows]
        metadata["failed_rows"] = MetadataValue.table(shown)
    return AssetCheckResult(
        passed=not failed,
        asset_key=spec.asset_key,
        check_name=spec.name,
        severity=severity,
        description=f"{failed:,} of {total:,} rows {rule.description}" if failed else None,
        metadata=metadata,
    )


def _shown(value: Any) -> Any:
    """A value of a row as the record can hold it."""
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
