"""A check of the columns of a table: as they are declared, or as they were."""

from __future__ import annotations

from collections.abc import Mapping

from warehouse_assets.checks.ready_made import CheckContext, faults_of, one_check, recorded, recorded_before
from warehouse_assets.definitions.check_specs import AssetCheckResult
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.definitions.specs import CoercibleToDep
from warehouse_assets.events import AssetCheckSeverity
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableColumn, TableSchema

__all__ = ["schema_unchanged"]


def schema_unchanged(
    asset: CoercibleToDep,
    columns: TableSchema | Mapping[str, str | None] | None = None,
    *,
    name: str = "schema_unchanged",
    blocking: bool = False,
    severity: AssetCheckSeverity = AssetCheckSeverity.ERROR,
) -> AssetChecksDefinition:
    """Checks that a table has these `columns`, or those that it had when it was last materialized.

    Columns are given with the types that the store records, or None for any type: `{"id": "BIGINT", "note": None}`. Their order
    makes no difference. A table that was never recorded passes. Before a table is published a blocking check knows the names of
    its columns, and their types where the stage of the store has measured them.
    """
    faults = faults_of("schema_unchanged", asset)
    if columns is not None and not list(columns):
        faults.add("the schema has no columns", hint="Leave it out to compare with the schema that was recorded last.")
    declared = columns if isinstance(columns, TableSchema) or columns is None else _schema(columns)

    def evaluate(key: AssetKey, context: CheckContext) -> AssetCheckResult:
        expected = declared or _recorded_before(context, key)
        actual = context.table_schema()
        if expected is None:
            note = "no schema was recorded before"
            return AssetCheckResult(passed=True, severity=severity, description=note, metadata={"column_schema": actual})
        changes = _changes(expected, actual)
        return AssetCheckResult(
            passed=not changes,
            severity=severity,
            description="; ".join(changes) or None,
            metadata={"column_schema": actual, "expected_schema": expected},
        )

    what = "those that are declared" if declared is not None else "those it had before"
    return one_check(asset, name, evaluate, description=f"The columns are {what}.", blocking=blocking, faults=faults)


def _schema(columns: Mapping[str, str | None]) -> TableSchema:
    return TableSchema(tuple(TableColumn(name, kind or "") for name, kind in columns.items()))


def _recorded_before(context: CheckContext, key: AssetKey) -> TableSchema | None:
    schemas = (recorded(event, "column_schema") for event in recorded_before(context, key, 1))
    return next((schema for schema in schemas if isinstance(schema, TableSchema)), None)


def _changes(expected: TableSchema, actual: TableSchema) -> list[str]:
    """What is different, in words; a column without a type is compared by its name."""
    before = {column.name: column.type for column in expected}
    after = {column.name: column.type for column in actual}
    changes = [f"the column {name!r} is missing" for name in before if name not in after]
    changes += [f"the column {name!r} is new" for name in after if name not in before]
    return changes + [
        f"the column {name!r} is {after[name]}, not {kind}"
        for name, kind in before.items()
        if name in after and kind and after[name] and after[name] != kind
    ]
