"""Writing, rewriting and reading a table through an I/O manager, against polars and DuckDB called directly."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness import Report, paired_ratio, progress, take_turns, working_folder

OPERATIONS = ("write", "rewrite", "read")
FRAMES = ("eager", "lazy")
YARDSTICK = "parquet"
NOTE = (
    "The ratio is the median over pairs that ran one after the other. Peak memory is that of the process, its libraries and, if\n"
    "eager, the frame included. MB/s are of the frame in memory. A lazy read finds the greatest values of two columns."
)


def io(rows: int, repeat: int, data: Path | None, manager: str | None, stores: Sequence[str]) -> Report:
    """Measure some stores, or only `manager` (`module:factory`, against plain Parquet), with made-up rows or those of `data`."""
    pairs = [(store, store) for store in stores] if manager is None else [(YARDSTICK, manager)]
    with working_folder() as folder:
        if data is None:
            data = folder / "data.parquet"
            work(task="make", data=data, rows=rows)
        size = work(task="measure", data=data)
        report = [
            row
            for direct, managed in pairs
            for frame in FRAMES
            for row in compare(folder, data, direct, managed, frame, size["megabytes"], repeat)
        ]
    title = f"{size['rows']:,} rows of {size['columns']} columns, {size['megabytes']:,.0f} MB in memory, median of {repeat}"
    return Report(title, report, NOTE)


def by_rows(rows: int, repeat: int) -> Report:
    """A write to PostgreSQL, against SQLAlchemy's executemany of the same rows."""
    with working_folder() as folder:
        work(task="make", data=folder / "data.parquet", rows=rows)
        size = work(task="measure", data=folder / "data.parquet")
        paths = folder, folder / "data.parquet"
        report = compare(*paths, "executemany", "postgresql", "eager", size["megabytes"], repeat, operations=("write",))
    return Report(f"{rows:,} rows of {size['columns']} columns, against executemany, median of {repeat}", report)


def compare(
    folder: Path,
    data: Path,
    direct: str,
    managed: str,
    frame: str,
    megabytes: float,
    repeat: int,
    operations: Sequence[str] = OPERATIONS,
) -> Sequence[dict[str, Any]]:
    """One row for each operation: the direct calls and the manager by turns, each in a process of its own."""
    report = []
    for operation in operations:
        sides = {
            side: partial(once, folder / side, task=operation, data=data, frame=frame, store=store, managed=side == "manager")
            for side, store in (("direct", direct), ("manager", managed))
        }
        outcomes = take_turns(sides, repeat)
        times = {side: [outcome["seconds"] for outcome in results] for side, results in outcomes.items()}
        peaks = {side: median(outcome["peak"] for outcome in results) for side, results in outcomes.items()}
        report.append(
            {
                "store": managed,
                "frame": frame,
                "operation": operation,
                "direct s": median(times["direct"]),
                "manager s": median(times["manager"]),
                "ratio": paired_ratio(times["manager"], times["direct"]),
                "MB/s": megabytes / median(times["manager"]) if operation != "read" or frame == "eager" else None,
                "direct peak MB": peaks["direct"],
                "manager peak MB": peaks["manager"],
            }
        )
        progress(report[-1])
    return report


def once(folder: Path, *, task: str, **options: Any) -> dict[str, float]:
    """One operation in a new process; a first write finds an empty folder, what follows finds what it left."""
    if task == "write":
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    return work(task=task, folder=folder, **options)


def work(**task: Any) -> dict[str, float]:
    """Have a new process do a task of `benchmarks.io_work`, and return what it measured."""
    command = [sys.executable, "-m", "benchmarks.io_work", json.dumps(task, default=str)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    outcome: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return outcome
