"""Runs in two processes and a reader in a third, on one DuckDB file: `python -m benchmarks.turns '{…}'` is one of them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.harness import Report

TABLES, ROWS, THREADS = 6, 50_000, 4
LEAST = 2  # rounds of each process, however long they take


def turns(seconds: float, folder: Path | None = None) -> Report:
    """How often each had the file within so many seconds, and how long it took at the longest; an error where a row is lost."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        file = os.path.join(place, "w.duckdb")
        until = time.time() + seconds
        tasks: list[dict[str, Any]] = [{"task": task, "name": name, "file": file, "until": until} for task, name in _PARTS]
        command = [sys.executable, "-m", "benchmarks.turns"]
        running = [subprocess.Popen([*command, json.dumps(task)], stdout=subprocess.PIPE, text=True) for task in tasks]
        outcomes = [process.communicate()[0] for process in running]
        if failed := [task["name"] for task, process in zip(tasks, running, strict=True) if process.returncode]:
            raise RuntimeError(f"{' and '.join(failed)} failed")
        rows = [json.loads(outcome.splitlines()[-1]) for outcome in outcomes]
        with duckdb.connect(file) as connection:
            for row in rows[:2]:
                for number in range(TABLES):
                    table = f'"{row["process"]}"."table_{number}"'
                    found = connection.execute(f"select count(*), min(round), max(round) from {table}").fetchall()
                    if found != [(ROWS, row["rounds"], row["rounds"])]:
                        raise RuntimeError(f"{table} holds {found}, and not the {ROWS} rows of round {row['rounds']}")
    return Report(f"Two runs and a reader take turns on one DuckDB file for {seconds:g} s", rows)


def run(name: str, file: str, until: float) -> dict[str, Any]:
    """Materialize some tables again and again, several at once."""
    import polars as pl

    from io_managers import DuckDBIOManager
    from warehouse_assets import Instance, ThreadExecutor, asset, materialize

    waits = _counted_waits()
    manager = DuckDBIOManager(database=file)
    rounds, longest = 0, 0.0

    def table(number: int) -> Any:
        @asset(key=[name, f"table_{number}"])
        def rows() -> pl.DataFrame:
            return pl.DataFrame({"n": pl.int_range(ROWS, eager=True), "round": rounds})

        return rows

    tables = [table(number) for number in range(TABLES)]
    while rounds < LEAST or time.time() < until:
        rounds += 1
        began = time.monotonic()
        materialize(
            tables,
            resources={"io_manager": manager},
            instance=Instance.ephemeral(),
            executor=ThreadExecutor(max_workers=THREADS),
        )
        longest = max(longest, time.monotonic() - began)
    return {"process": name, "rounds": rounds, "longest s": longest, "waits told": len(waits)}


def read(name: str, file: str, until: float) -> dict[str, Any]:
    """Load the tables of the others again and again; each is always one round of them, whole."""
    import polars as pl

    from io_managers import DuckDBIOManager
    from warehouse_assets import AssetKey, InputContext
    from warehouse_assets.errors import TableNotFoundError

    waits = _counted_waits()
    manager = DuckDBIOManager(database=file)
    rounds, longest = 0, 0.0
    while rounds < LEAST or time.time() < until:
        began = time.monotonic()
        for other, number in (("first", 0), ("second", TABLES - 1)):
            try:
                frame: pl.DataFrame = manager.load_input(InputContext(AssetKey([other, f"table_{number}"])))
            except TableNotFoundError:  # not made yet
                continue
            if frame.height != ROWS or frame["round"].n_unique() != 1:
                raise RuntimeError(f"half a table of {other}: {frame.height} rows")
        rounds += 1
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.05)
    return {"process": name, "rounds": rounds, "longest s": longest, "waits told": len(waits)}


def _counted_waits() -> list[logging.LogRecord]:
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    logger = logging.getLogger("warehouse_assets")
    logger.addHandler(handler)
    logger.propagate = False
    return records


_TASKS: dict[str, Callable[..., dict[str, Any]]] = {"run": run, "read": read}
_PARTS = [("run", "first"), ("run", "second"), ("read", "reader")]


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    print(json.dumps(_TASKS[task.pop("task")](**task)))
