"""What the daemons of the soak run: two assets that leave a line for each time they are made, a sensor and a schedule that never rest."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

from warehouse_assets import (
    AssetExecutionContext,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    Definitions,
    RunRequest,
    SensorEvaluationContext,
    SkipReason,
    asset,
    schedule,
    sensor,
)
from warehouse_assets.automation.reruns import MAX_RETRIES_TAG

WITNESS = Path("witness")
ENOUGH = Path("enough")
RETRIED = {MAX_RETRIES_TAG: "100"}
WAIT_AT_MOST = 1


def _work(context: AssetExecutionContext, name: str) -> None:
    with WITNESS.open("ab", buffering=0) as file:
        file.write(f"{context.run_id} {name}\n".encode())
    time.sleep(random.uniform(0, 0.4))  # so that kills find a step at work


@asset
def orders(context: AssetExecutionContext) -> None:
    _work(context, "orders")


@asset(deps=[orders])
def totals(context: AssetExecutionContext) -> None:
    _work(context, "totals")


@sensor(target="*", minimum_interval_seconds=0, default_status=DefaultSensorStatus.RUNNING, tags=RETRIED)
def arrivals(context: SensorEvaluationContext) -> Iterator[RunRequest | SkipReason]:
    """Asks for the next two runs, and so for each of them twice: by its key it is run once."""
    if ENOUGH.exists() or len(context.instance.get_runs(statuses="QUEUED")) >= WAIT_AT_MOST:
        yield SkipReason("enough wait")
        return
    number = int(context.cursor or "0") + 1
    context.update_cursor(str(number))
    yield RunRequest(str(number))
    yield RunRequest(str(number + 1))


@schedule("* * * * *", target="*", tags=RETRIED, missed="all", default_status=DefaultScheduleStatus.RUNNING)
def every_minute() -> RunRequest | SkipReason:
    return SkipReason("enough") if ENOUGH.exists() else RunRequest()


defs = Definitions([orders, totals], sensors=[arrivals], schedules=[every_minute])
