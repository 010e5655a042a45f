"""What ready-made checks share: how they are declared, and what they ask of the context they run in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from warehouse_assets.definitions.check_specs import AssetCheckResult, AssetCheckSpec
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.events import Event
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import TableSchema

__all__ = ["CheckContext", "checked_name", "one_check", "ready_made", "recorded_before"]


class CheckContext(Protocol):
    """What a ready-made check asks of the context it runs in."""

    check_specs: Sequence[AssetCheckSpec]
    is_recorded: bool
    checked_partitions: Sequence[str]
    instance: Any

    def query(self, sql: SQL) -> list[dict[str, Any]]:
        """The rows that answer a query."""

    def table_schema(self) -> TableSchema:
        """The columns of the checked table."""


def ready_made(
    specs: Sequence[AssetCheckSpec],
    evaluate: Callable[[CheckContext], Iterable[AssetCheckResult]],
    *,
    name: str,
    reads_record: bool = False,
) -> AssetChecksDefinition:
    """The definition of checks that `evaluate` gives the results of, each of them alone if need be."""

    def evaluation(context: Any) -> Iterable[AssetCheckResult]:
        return list(evaluate(context))

    function = UserFunction(evaluation)
    function.place = caller_place()
    return AssetChecksDefinition(function, tuple(specs), name, can_subset=True, reads_record=reads_record)


def one_check(
    asset: Any,
    name: str,
    evaluate: Callable[[AssetKey, CheckContext], AssetCheckResult],
    *,
    description: str,
    blocking: bool,
    faults: Faults,
    reads_record: bool = False,
) -> AssetChecksDefinition:
    """The definition of one check of `asset`; none where something is wrong with it."""
    spec = faults.attempt(AssetCheckSpec, name, asset=asset, description=description, blocking=blocking)
    faults.settle("the check")
    return ready_made(
        [spec] if spec is not None else [],
        lambda context: [evaluate(context.check_specs[0].asset_key, context)],
        name=spec.key.to_escaped_string() if spec is not None else name,
        reads_record=reads_record,
    )


def checked_name(*parts: str) -> str:
    """The name of a check of columns, whatever these are called.

    >>> checked_name("unique", "region", "order id")
    'unique_region_order_id'
    """
    return re.sub(r"[^\w.\-]+", "_", "_".join(parts))


def faults_of(what: str, asset: Any) -> Faults:
    """Collects what is wrong with a ready-made check."""
    return Faults(f"{what} of {asset!r}: ", caller_place())


def recorded_before(context: CheckContext, key: AssetKey, last: int) -> list[Event]:
    """The last materializations of an asset before the one that is checked, the latest first."""
    skipped = max(1, len(context.checked_partitions)) if context.is_recorded else 0
    events: list[Event] = context.instance.get_event_records(
        asset_key=key, event_types="ASSET_MATERIALIZATION", limit=last + skipped, ascending=False
    )
    return events[skipped:]


def latest_metadata(context: CheckContext, key: AssetKey, name: str) -> Any:
    """What the latest materialization of an asset recorded under this name; None where it did not."""
    event = context.instance.get_latest_materialization_event(key)
    return recorded(event, name) if event is not None else None


def recorded(event: Event, name: str) -> Any:
    """What a materialization recorded under this name; None where it did not."""
    made = event.asset_materialization
    value = made.metadata.get(name) if made is not None else None
    return value.value if value is not None else None
