"""The record at size: the state of assets among many events, and processes that record runs at once."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeAlias

from benchmarks.graphs import chain, define
from benchmarks.harness import Report, progress, seconds, take_turns
from benchmarks.stores import URL
from warehouse_assets import AssetKey, AssetMaterialization, AssetObservation, Instance, materialize
from warehouse_assets.events import CODE_VERSION_TAG, DATA_VERSION_TAG, INPUT_DATA_VERSION_TAG, Event
from warehouse_assets.graph.versions import Recorded
from warehouse_assets.metadata import MetadataValue
from warehouse_assets.tables import TableColumn, TableSchema

ASSETS, RUN_ASSETS, PROCESSES = 10_000, 10, 4
SCHEMA = "benchmark_record"
_COLUMNS = MetadataValue.table_schema(TableSchema(tuple(TableColumn(f"column_{n}", "VARCHAR") for n in range(8))))

Open: TypeAlias = Callable[[], Instance]


def state(events: int, repeat: int) -> Report:
    """Milliseconds to read the state of one asset and of all, on each kind of record that holds so many events."""
    keys = [AssetKey(["staging", f"table_{n}"]) for n in range(ASSETS)]
    rows = []
    with records() as kinds:
        for kind, opened in kinds.items():
            with opened() as instance:
                filled = seconds(partial(fill, instance, keys, events))
                subjects: dict[str, Callable[[], float]] = {
                    "one asset ms": lambda: seconds(lambda: read_state(instance, keys[ASSETS // 2 + 1 :][:1])),
                    f"{ASSETS:,} assets ms": lambda: seconds(lambda: read_state(instance, keys)),
                }
                for warm_up in subjects.values():
                    warm_up()
                taken = {name: 1000 * median(times) for name, times in take_turns(subjects, repeat).items()}
                found = instance.info()
            rows.append({"record": kind, "events": found.events, "MB": (found.byte_size or 0) / 1e6, "fill s": filled, **taken})
            progress(rows[-1])
    return Report(f"The state of assets in a record, median of {repeat}", rows)


def runs_at_once(count: int) -> Report:
    """How long so many runs take that processes record at once, on each kind of record; an error where any is not there whole."""
    rows = []
    with records() as kinds:
        for kind, opened in kinds.items():
            opened().close()
            taken = seconds(partial(run_at_once, opened, count // PROCESSES))
            with opened() as instance:
                whole = len(instance.get_runs(statuses="SUCCESS"))
                made = len(instance.get_event_records(event_types="ASSET_MATERIALIZATION"))
            wanted = count // PROCESSES * PROCESSES
            if (whole, made) != (wanted, wanted * RUN_ASSETS):
                raise RuntimeError(
                    f"{kind} has {whole} runs and {made} materializations of {wanted} runs of {RUN_ASSETS} assets"
                )
            rows.append({"record": kind, "runs": whole, "assets": made, "seconds": taken, "runs per second": whole / taken})
            progress(rows[-1])
    return Report(f"Runs of {RUN_ASSETS} assets, recorded by {PROCESSES} processes at once", rows)


@contextmanager
def records() -> Iterator[Mapping[str, Open]]:
    """A new record of each kind, and how it is opened."""
    from sqlalchemy import create_engine

    with TemporaryDirectory() as folder:
        url = os.environ[URL]
        try:
            yield {"SQLite": partial(Instance.local, folder), "PostgreSQL": partial(on_server, url, Path(folder))}
        finally:
            engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
            with engine.begin() as connection:
                connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            engine.dispose()


def on_server(url: str, folder: Path) -> Instance:
    """A record in a schema of its own."""
    from warehouse_assets.instance.postgresql import PostgreSQLEventLog

    return Instance(PostgreSQLEventLog(url, schema=SCHEMA), folder)


def fill(instance: Instance, keys: list[AssetKey], events: int) -> None:
    """Store rounds in which every tenth asset is observed and every other made."""
    for start in range(0, events, ASSETS):
        instance.store_events(event_of(key, start, n) for n, key in enumerate(keys[: events - start]))


def event_of(key: AssetKey, start: int, number: int) -> Event:
    """What is recorded of one asset in one round."""
    version = f"{start + number:016x}"
    if number % 10 == 0:
        seen = AssetObservation(key, tags={DATA_VERSION_TAG: version})
        return Event("ASSET_OBSERVATION", "", float(start), data=seen)
    metadata = {"row_count": MetadataValue.int(number), "byte_size": MetadataValue.int(start), "column_schema": _COLUMNS}
    tags = {CODE_VERSION_TAG: version, DATA_VERSION_TAG: version, f"{INPUT_DATA_VERSION_TAG}staging/table_0": version}
    made = AssetMaterialization(key, metadata=metadata, tags=tags)
    return Event("ASSET_MATERIALIZATION", f"run {start}", float(start), key.path[-1], data=made)


def read_state(instance: Instance, keys: list[AssetKey]) -> dict[AssetKey, Recorded]:
    """The versions that were last recorded of these assets, as what is stale is told by."""
    made = instance.event_log.get_latest("ASSET_MATERIALIZATION", keys)
    seen = instance.event_log.get_latest("ASSET_OBSERVATION", keys[::10], versioned=True)  # sources are observed alone
    return {key: Recorded.of(event) for key, event in (made | seen).items()}


def run_at_once(opened: Open, count: int) -> None:
    """So many runs in each of the processes."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=run_many, args=(opened, count)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process failed")


def run_many(opened: Open, count: int) -> None:
    """One process: one run after the other."""
    assets = define(chain(RUN_ASSETS))
    with opened() as instance:
        for _ in range(count):
            materialize(assets, instance=instance)
