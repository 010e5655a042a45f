"""What people and pages ask of backfills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.backfill_body import BACKFILL_TAG, BackfillBody
from warehouse_assets.automation_records import Backfill
from warehouse_assets.events import PARTITION_RANGE_END_TAG, PARTITION_RANGE_START_TAG, PARTITION_TAG, RunRecord

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = ["backfill_facts", "failed_runs"]


def backfill_facts(backfill: Backfill) -> dict[str, Any]:
    """How far a backfill is, and what was asked for, as JSON can hold it."""
    body = BackfillBody.of(backfill)
    return {
        "backfill_id": backfill.backfill_id,
        "status": backfill.status,
        "created": backfill.created,
        "ended": backfill.ended,
        "location": body.location.name if body.location is not None else None,
        "tags": dict(body.tags),
        "max_runs": body.max_runs,
        "attempt": body.attempt + 1,
        "error": body.error,
        "partitions": body.counts,
        "assets": {name: dict(counts) for name, counts in body.progress.items()},
    }


def failed_runs(instance: Instance, backfill: Backfill, limit: int) -> list[dict[str, Any]]:
    """The runs of it that failed, the last ones first: each with its partition, and the first error."""
    runs = instance.get_runs(statuses="FAILURE", tags={BACKFILL_TAG: backfill.backfill_id}, limit=limit)
    return [{"run_id": run.run_id, "partition": _partition(run), "error": _error(instance, run)} for run in runs]


def _partition(run: RunRecord) -> str | None:
    if PARTITION_RANGE_START_TAG in run.tags:
        return f"{run.tags[PARTITION_RANGE_START_TAG]}...{run.tags[PARTITION_RANGE_END_TAG]}"
    return run.tags.get(PARTITION_TAG)


def _error(instance: Instance, run: RunRecord) -> str | None:
    failures = instance.get_event_records(run_id=run.run_id, event_types=("STEP_FAILURE", "RUN_FAILURE"), limit=1)
    return failures[0].message if failures else None
