"""How long an evaluation of the automation conditions of many assets takes."""

from __future__ import annotations

import tempfile
import time
from statistics import median
from typing import Any

from benchmarks.harness import Report
from warehouse_assets import (
    AssetKey,
    AssetMaterialization,
    AssetSpec,
    AutomationCondition,
    Instance,
    MetadataValue,
    multi_asset,
)
from warehouse_assets.automation.condition_cursor import ConditionCursor
from warehouse_assets.automation.condition_evaluation import evaluate_conditions
from warehouse_assets.automation.condition_record import Snapshot, Watched, read_snapshot
from warehouse_assets.events import Event
from warehouse_assets.graph.asset_graph import AssetGraph


def conditions(assets: int, repeat: int) -> Report:
    """Milliseconds of an evaluation of assets with `eager()`, each made from two: to read the record in SQLite, and to decide."""
    eager = AutomationCondition.eager()
    specs = [
        AssetSpec(f"t{n}", deps=sorted({f"t{n // 2}", f"t{n // 3}"} - {f"t{n}"}), automation_condition=eager)
        for n in range(assets)
    ]

    @multi_asset(specs=specs, can_subset=True)
    def every() -> None: ...

    watched = Watched.of(AssetGraph.build([every]))
    with tempfile.TemporaryDirectory() as folder, Instance.local(folder) as instance:
        instance.store_events(_made(spec.key) for spec in specs)
        cursor, _, _ = _evaluated(watched, instance, ConditionCursor(), None)
        rows = []
        for what, key in (("nothing has changed", None), ("the first table was made", AssetKey("t0"))):
            taken = []
            for _ in range(repeat):
                instance.store_events([_made(key)] if key is not None else [])
                after, last, times = _evaluated(watched, instance, cursor, None)
                *_, (again, _) = _evaluated(watched, instance, after, last)
                taken.append((*times, again))
            read, decide, known = (1000 * median(column) for column in zip(*taken, strict=True))
            rows.append({"what": what, "read ms": read, "decide ms": decide, "next read ms": known})
    return Report(f"Automation conditions of {assets:,} assets", rows)


def _made(key: AssetKey) -> Event:
    return Event(
        "ASSET_MATERIALIZATION", "", time.time(), data=AssetMaterialization(key, metadata={"row_count": MetadataValue.int(1)})
    )


def _evaluated(watched: Watched, instance: Instance, cursor: ConditionCursor, last: Snapshot | None) -> tuple[Any, Any, Any]:
    start = time.perf_counter()
    snapshot = read_snapshot(watched, instance, cursor, time.time(), last)
    read = time.perf_counter()
    found = evaluate_conditions(watched, snapshot, cursor, store=instance)
    return found.cursor, snapshot, (read - start, time.perf_counter() - read)
