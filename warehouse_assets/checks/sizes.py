"""Checks of how large a table is: within bounds, or within what it was before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from warehouse_assets.checks.ready_made import (
    CheckContext,
    faults_of,
    latest_metadata,
    one_check,
    recorded,
    recorded_before,
)
from warehouse_assets.definitions.check_specs import AssetCheckResult
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.definitions.specs import CoercibleToDep
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.events import AssetCheckSeverity
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import Table

__all__ = ["HistoryBand", "byte_size", "row_count"]

ERROR = AssetCheckSeverity.ERROR


@dataclass(frozen=True, slots=True)
class HistoryBand:
    """What a number may be, given what it was: the mean of the `last` ones, more or less.

    It may differ by `deviations` standard deviations, or by the `share` of the mean, whichever is more. With fewer than
    `at_least` numbers before it anything is allowed.

    >>> HistoryBand(deviations=2, share=0.1).around([90, 110])
    (80.0, 120.0)
    """

    last: int = 20
    deviations: float = 3.0
    share: float = 0.1
    at_least: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.at_least <= self.last:
            raise InvalidDefinitionError(f"at_least is {self.at_least}, and has to be from 1 to last, which is {self.last}")
        if self.deviations < 0 or self.share < 0:
            raise InvalidDefinitionError(f"deviations ({self.deviations}) and share ({self.share}) cannot be below 0")

    def around(self, before: list[float]) -> tuple[float, float]:
        """The least and the most that is allowed after these numbers."""
        import statistics

        mean = statistics.fmean(before)
        width = max(self.deviations * statistics.pstdev(before), self.share * abs(mean))
        return mean - width, mean + width


def row_count(
    asset: CoercibleToDep,
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    history: HistoryBand | None = None,
    name: str = "row_count",
    blocking: bool = False,
    severity: AssetCheckSeverity = ERROR,
) -> AssetChecksDefinition:
    """Checks that a table has at least `minimum` and at most `maximum` rows, or about as many as it had before.

    What it had is what was recorded of its materializations; of a partition it is what was recorded of others.

    >>> row_count("orders", minimum=1, history=HistoryBand(share=0.5)).specs[0].description
    'At least 1 rows, and about as many as before.'
    """

    def measured(key: AssetKey, context: CheckContext) -> float:
        [row] = context.query(SQL("select count(*) as total from {t}", t=Table(key)))
        return float(row["total"] / max(1, len(context.checked_partitions)))

    return _size_check(asset, "rows", "row_count", measured, minimum, maximum, history, name, blocking, severity)


def byte_size(
    asset: CoercibleToDep,
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    history: HistoryBand | None = None,
    name: str = "byte_size",
    blocking: bool = False,
    severity: AssetCheckSeverity = ERROR,
) -> AssetChecksDefinition:
    """Checks that a table takes at least `minimum` and at most `maximum` bytes, or about as many as it did before.

    That is what its store recorded, so it is known once the table is published: a blocking check stops what is downstream.
    """

    def measured(key: AssetKey, context: CheckContext) -> float | None:
        return latest_metadata(context, key, "byte_size")  # type: ignore[no-any-return]

    return _size_check(asset, "bytes", "byte_size", measured, minimum, maximum, history, name, blocking, severity)


def _size_check(
    asset: Any,
    unit: str,
    recorded_as: str,
    measured: Any,
    minimum: int | None,
    maximum: int | None,
    history: HistoryBand | None,
    name: str,
    blocking: bool,
    severity: AssetCheckSeverity,
) -> AssetChecksDefinition:
    faults = faults_of(recorded_as, asset)
    if minimum is None and maximum is None and history is None:
        faults.add("nothing is to be checked", hint="Give minimum, maximum or history.")
    if minimum is not None and maximum is not None and minimum > maximum:
        faults.add(f"the minimum {minimum} is above the maximum {maximum}", hint="Exchange them.")

    def evaluate(key: AssetKey, context: CheckContext) -> AssetCheckResult:
        value = measured(key, context)
        if value is None:
            return AssetCheckResult(passed=False, severity=severity, description=f"no {recorded_as} is recorded")
        metadata: dict[str, Any] = {recorded_as: int(value)}
        found = _outside(value, minimum, maximum, unit)
        note = None
        if history is not None:
            sliced = recorded_as == "row_count" and bool(context.checked_partitions)
            before = [
                float(size)
                for event in recorded_before(context, key, history.last)
                if (size := recorded(event, "partition_row_count" if sliced else recorded_as)) is not None
            ]
            if len(before) < history.at_least:
                note = f"{len(before)} recorded before, {history.at_least} are needed to compare with"
            else:
                low, high = history.around(before)
                metadata |= {"expected_minimum": low, "expected_maximum": high, "compared_with": len(before)}
                if not low <= value <= high:
                    found.append(f"{low:,.0f} to {high:,.0f} {unit} are expected after the last {len(before)}")
        description = f"{value:,.0f} {unit}: {'; '.join(found)}" if found else note
        return AssetCheckResult(passed=not found, severity=severity, description=description, metadata=metadata)

    parts = [f"at least {minimum:,} {unit}"] if minimum is not None else []
    parts += [f"at most {maximum:,} {unit}"] if maximum is not None else []
    parts += [f"about as many{'' if parts else f' {unit}'} as before"] if history is not None else []
    text = ", and ".join(parts) + "."
    return one_check(
        asset,
        name,
        evaluate,
        description=text[:1].upper() + text[1:],
        blocking=blocking,
        faults=faults,
        reads_record=unit == "bytes",
    )


def _outside(value: float, minimum: int | None, maximum: int | None, unit: str) -> list[str]:
    faults = [f"at least {minimum:,} are expected"] if minimum is not None and value < minimum else []
    return faults + ([f"at most {maximum:,} are expected"] if maximum is not None and value > maximum else [])
